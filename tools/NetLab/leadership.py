"""Who leads a stream in a region, as its members say."""


def leadership(states: dict[str, dict], members: list[str], stream: str) -> tuple[set[str], list[str]]:
    """The leaders that members name, and the members that fetch the stream from outside; states: `/status` of each."""
    leaders = {
        slot["leader"] for name in members for slot in (states[name].get("members") or {}).get("slots", [])
        if slot["stream"] == stream}
    fetching = [
        name for name in members for each in states[name].get("streams", []) if each["name"] == stream
        if any(path["parent"] not in members for path in each["paths"])]
    return leaders, fetching
