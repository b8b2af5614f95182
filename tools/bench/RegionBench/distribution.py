"""How measurements are printed."""


def quantiles(values: list[float], digits: int = 0) -> str:
    """Minimum, median, 90 % and worst."""
    ordered = sorted(values)
    at = lambda share: ordered[round((len(ordered) - 1) * share)]
    return ", ".join(f"{at(share):.{digits}f}" for share in [0, 0.5, 0.9, 1])
