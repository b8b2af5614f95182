"""The table of all runs: distributions of the largest gap, losses, and how they compare with the figures to reach."""

from faults import Target, faults

PEERS = [
    ("AWS MediaConnect", 0.5, "switches after 500 ms without data"),
    ("AWS MediaLive", 3.0, "switches after 3 s, back after 30 s"),
    ("SRT backup links", 0.06, "max(60 ms, 2 RTT + 4 RTTvar); links of one sender only"),
    ("OvenMediaEngine", 3.0, "3 s"),
    ("moq relay", 30.0, "30 s, its idle time-out"),
    ("SRS 6", None, "stays at its first origin, which is dead"),
    ("the paper", None, "heartbeats each second; \"a few seconds\" for a lost encoder"),
]
"""What others publish: seconds without packets, and in words."""

EXPLANATION = """
Largest gap at the worse edge, in milliseconds; hot: without the encoder's own longest pause; cold: without the
encoder's own time to answer. Target: of the worst run, or of the median and the worst run. Ratio: measured by target.
Counts are sums over all runs and both edges.
"""
HEAD = ["GRADE", "FAULT", "RUNS", "MIN", "MEDIAN", "P90", "WORST", "TARGET", "RATIO"]
HEAD += ["LOST", "LATE", "TWICE", "UNORDERED", "SPLICES", "DISCONNECTED", ""]


def gap(run: dict, target: Target) -> float:
    """The largest gap of the worse edge in seconds, without what the encoder itself took."""
    worst = max(edge["gap"] for edge in run["edges"])
    if target.is_lossless:
        worst -= run["encoder"]
    if target.is_pull:
        worst -= run["answer"]
    return max(worst, 0)


def quantile(ordered: list[float], share: float) -> float:
    return ordered[round((len(ordered) - 1) * share)]


class Row:
    """All runs of one fault."""

    def __init__(self, runs: list[dict]):
        first = runs[0]
        fault = next(fault for fault in faults(first["grade"]) if fault.name == first["fault"])
        self.runs, self.target = runs, fault.target
        self.grade = first["grade"] + (f", {first['entrypoints']} candidates" if first["entrypoints"] != 2 else "")
        self.is_usual_kill = first["entrypoints"] == 2 and fault.name == "kill"
        self.what = fault.what
        self.gaps = sorted(gap(run, fault.target) for run in runs)
        self.median, self.worst = quantile(self.gaps, 0.5), self.gaps[-1]

    def total(self, key: str) -> int:
        return sum(edge[key] for run in self.runs for edge in run["edges"])

    @property
    def ratio(self) -> float:
        """Measured by figure to reach: the larger of the median's and the worst's."""
        ratios = [self.worst / self.target.worst]
        if self.target.median:
            ratios.append(self.median / self.target.median)
        return max(ratios)

    @property
    def misses(self) -> list[str]:
        """Every way in which the promise was broken."""
        found = []
        if self.ratio > 1:
            found.append("gap")
        forbidden = {"repeated": "twice", "disordered": "unordered", "damaged": "damaged"}
        forbidden["disconnected"] = "disconnected"
        if self.target.is_lossless:
            forbidden |= {"lost": "lost", "late": "late"}
        found += [word for key, word in forbidden.items() if self.total(key)]
        if any(run["lack"] for run in self.runs):
            found.append("not steady again")
        return found

    @property
    def cells(self) -> list[str]:
        milliseconds = [
            f"{value * 1e3:.0f}" for value in (self.gaps[0], self.median, quantile(self.gaps, 0.9), self.worst)]
        target = f"{self.target.worst * 1e3:.0f}"
        if self.target.median:
            target = f"{self.target.median * 1e3:.0f}/{target}"
        counts = [self.total(key) for key in ["lost", "late", "repeated", "disordered", "splices", "disconnected"]]
        verdict = "MISSED: " + ", ".join(self.misses) if self.misses else "reached"
        return [self.grade, self.what, str(len(self.runs)), *milliseconds, target, f"{self.ratio:.2f}",
                *map(str, counts), verdict]


def report(runs: list[dict]) -> bool:
    """Prints everything. True if every figure is reached."""
    kinds: dict[tuple, list[dict]] = {}
    for run in runs:
        kinds.setdefault((run["grade"], run["entrypoints"], run["fault"]), []).append(run)
    rows = [Row(kind) for kind in kinds.values()]
    print(EXPLANATION)
    table([HEAD] + [row.cells for row in rows])
    kills = [row for row in rows if row.is_usual_kill]
    if kills:
        print("\nPublished by others, and how many times our median for kill -9 that is:\n")
        lines = [["", *[row.grade for row in kills], ""]]
        for name, seconds, words in PEERS:
            times = [f"{seconds / max(row.median, 0.001):.1f}" if seconds else "-" for row in kills]
            lines.append([name, *times, words])
        table(lines)
    missed = sum(bool(row.misses) for row in rows)
    print(f"\n{missed} of {len(rows)} figures missed" if missed else f"\nall {len(rows)} figures reached")
    return missed == 0


def table(lines: list[list[str]]):
    """Prints columns; words to the left, numbers to the right, the last column as it is."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]) - 1)]
    for line in lines:
        cells = [
            cell.ljust(width) if index < (2 if len(line) > 8 else 1) else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells + [line[-1]]).rstrip())
