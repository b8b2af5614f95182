"""`tools/netlab rolling`: nodes are restarted in turn, in order, while viewers watch."""

import signal
import time

import zone
from identities import Problem
from laboratory import Laboratory
from players import Player, columns

END_MAX = 20
"""Seconds within which a process must end after SIGTERM."""
FLOWS_MAX = 10
"""Seconds within which an edge must serve new viewers after its restart."""
RETURN = 14
"""Seconds after which an entrypoint that came back leads its streams again."""


def roll(laboratory: Laboratory, players: dict[str, Player], names: list[str], pause: float) -> tuple[str, list[str]]:
    """Restarts each node, and returns a table and what is wrong.

    A viewer at the edge that restarts is cut off with it, so it does not count meanwhile. Another one comes afterwards: one
    who had seen the stream before would get its past a second time.
    """
    described = laboratory.description
    for name in names:
        if name not in described.nodes:
            raise Problem(f"no node '{name}'; there are {', '.join(described.nodes)}")
    if not any(player.worker for player in players.values()):
        raise Problem("there is no player: start some, at several edges")
    only = {
        candidates[0] for candidates in zone.streams(laboratory.zones, described.zone).values()
        if len(candidates) == 1}
    lines, problems = [["RESTARTED", "ROLE", "ENDED", "READY", "VIEWERS", "LOST", "LONGEST GAP"]], []
    take(players)
    for name in names or described.nodes:
        role = described.nodes[name].role
        if name in only and not names:
            lines.append([name, role, "-", "-", "-", "-", "-"])
            continue
        begin = time.monotonic()
        laboratory.signal(name, signal.SIGTERM)
        try:
            laboratory.running[name].wait(END_MAX)
        except Exception:
            raise Problem(f"{name} did not end within {END_MAX} s after SIGTERM") from None
        ended = time.monotonic()
        laboratory.start(name)
        laboratory.wait_ready([name])
        ready = time.monotonic()
        cut_off = [player for player in players.values() if player.worker and player.edge == name]
        for player in cut_off:
            player.begin()
        time.sleep(RETURN if role == "entrypoint" else pause)
        wait_for(cut_off)
        counted = {player: got for player, got in take(players).items() if players[player].edge != name}
        lost = sum(got["lost"] for got in counted.values())
        gap = max((got["gap"] for got in counted.values()), default=0)
        lines.append([
            name, role, f"{(ended - begin) * 1e3:.0f} ms", f"{(ready - ended) * 1e3:.0f} ms", str(len(counted)), str(lost),
            f"{gap * 1e3:.0f} ms"])
        for player, got in counted.items():
            if got["lost"] or got["repeated"] or got["disordered"] or got["disconnected"]:
                problems.append(
                    f"{name} restarted: {player} lost {got['lost']}, got {got['repeated']} twice and "
                    f"{got['disordered']} out of order, was disconnected {got['disconnected']} times")
    text = columns(lines)
    if only and not names:
        text += f"\nnot restarted, because a stream has no other entrypoint: {', '.join(sorted(only))}"
    return text, problems


def wait_for(players: list[Player]):
    end = time.monotonic() + FLOWS_MAX
    while not all(player.flows() for player in players):
        if time.monotonic() > end:
            raise Problem(f"{FLOWS_MAX} s after its restart, {players[0].edge} does not serve its viewers")
        time.sleep(0.05)


def take(players: dict[str, Player]) -> dict[str, dict]:
    """What each player got since the last call."""
    return {name: player.worker.ask("take", None) for name, player in players.items() if player.worker}
