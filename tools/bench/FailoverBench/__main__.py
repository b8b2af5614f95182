"""Measures fail-over of real processes. `tools/bench/failover` runs this in a network namespace of its own."""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys

# The parts that the laboratory has too.
sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[2] / "NetParts"))

from network import Problem
from report import gap, report
from session import Session

GRADES = ["hot", "warm", "cold"]
FAULTS = ["kill", "stop", "cut", "mute", "close", "silence", "return"]
STALL = 0.1
"""A run in which the encoder paused longer than this, in seconds, is repeated: the host stalled."""
REPEATS_SHARE = 5
"""One run in this many, and at least three, may be repeated."""
STARTS_MAX = 5
"""How often the network of a grade may start."""

DESCRIPTION = """\
Fail-over of real processes, many times: one name server, two entrypoints, three set reflectors in two set regions, two
edges with a viewer each. An encoder pushes the same numbered stream to both entrypoints (hot, warm), or is pulled
(cold). Then the leading entrypoint, or for hot either one in turn, suffers a fault, which ends after some seconds; when
the network is steady again, the next run begins. The viewers record the number and the time of each packet.

Grades: hot, warm, cold, or all; all also kills one of three candidates (warm).
Faults: kill (kill -9, then a restart), stop (SIGSTOP, then SIGCONT), cut (packets from and to it are dropped), mute
(only packets from it), and for warm close (the encoder's connection ends), silence (the encoder sends nothing) and
return (the first candidate was dead, comes back and leads again 10 s later).
"""
EPILOG = """\
A run in which the host stalled for over 100 ms is reported and repeated.

Exit status: 0 every figure of issue 13 reached; 1 at least one missed; 2 wrong usage, or the network did not work.

Examples:
  tools/bench/failover all
  tools/bench/failover warm --runs 5 --faults kill cut
  tools/bench/failover hot --ffmpeg --runs 10
"""


def read_options():
    parser = argparse.ArgumentParser(
        prog="tools/bench/failover", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grade", nargs="?", default="all", choices=GRADES + ["all"])
    parser.add_argument("--runs", type=int, default=50, help="runs of each fault (50)")
    parser.add_argument("--seconds", type=float, default=3, help="how long a fault lasts (3)")
    parser.add_argument("--faults", nargs="+", default=FAULTS, choices=FAULTS, help="only these")
    parser.add_argument("--entrypoints", type=int, default=2, choices=[2, 3], help="candidates of the stream (2)")
    parser.add_argument(
        "--group", type=int, default=1, metavar="PICTURES",
        help="pictures of 20 ms from one random access point to the next (1). The streaming server joins two sources "
        "at such a point, so a longer group lengthens the gap of a viewer, but not that of the network")
    parser.add_argument(
        "--answer", type=float, default=100, metavar="MS",
        help="cold: how long the encoder takes to answer a pull (100)")
    parser.add_argument(
        "--ffmpeg", action="store_true",
        help="the encoder is one ffmpeg with tee (hot and warm); pictures are counted, by their time stamps. When tee "
        "opens a connection again, its bytes differ from those of the other one")
    parser.add_argument(
        "--priority", choices=["realtime", "normal", "idle"], default="realtime",
        help="scheduling class of all processes (realtime, so that other work does not disturb)")
    parser.add_argument(
        "--results", type=pathlib.Path, help="file that keeps the runs, so that several sessions add up")
    parser.add_argument(
        "--folder", type=pathlib.Path, required=True,
        help="new folder for zones, keys and logs; by default a temporary one")
    parser.add_argument("--program", default=".build/release/reflector", help="reflector (.build/release/reflector)")
    options = parser.parse_args()
    if options.runs < 1 or options.seconds < 1 or options.group < 1 or options.answer < 0:
        parser.error("--runs, --seconds and --group must be at least 1, --answer not negative")
    if options.ffmpeg and options.grade not in ["hot", "warm"]:
        parser.error("--ffmpeg goes with hot or warm")
    options.program = str(pathlib.Path(options.program).absolute())
    if not os.access(options.program, os.X_OK):
        parser.error(f"{options.program} is not a program; build it: tools/build --product reflector")
    return options


def run_session(options, grade: str, entrypoints: int, names: list[str], keep):
    """All runs of one grade. If a fault leaves the network unsteady, it starts again."""
    todo = {name: options.runs for name in names}
    repeats = max(3, options.runs // REPEATS_SHARE) * len(names)
    for attempt in range(1, STARTS_MAX + 1):
        folder = options.folder / f"{grade}-{entrypoints}-{attempt}"
        with Session(options, grade, entrypoints, folder) as session:
            if attempt == 1 and not session.network.has_standby:
                say(f"{grade}: this reflector does not know standby={grade}; measured without that option")
            for fault, number in session.plan(todo):
                run = session.measure(fault, number)
                stalled = run["encoder"] > STALL and repeats > 0
                say(describe(run, fault, number) + ("; the host stalled: repeated" if stalled else ""))
                if stalled:
                    repeats -= 1
                else:
                    todo[fault.name] -= 1
                    keep(run)
                if run["lack"]:
                    break
            else:
                return
    raise Problem(f"{grade}: {STARTS_MAX} times, the network was not steady after a fault")


def describe(run: dict, fault, number: int) -> str:
    edges = run["edges"]
    words = {"lost": "lost", "late": "late", "repeated": "twice", "disordered": "out of order", "damaged": "damaged"}
    words |= {"splices": "splices", "disconnected": "disconnected"}
    totals = {key: sum(edge[key] for edge in edges) for key in words}
    counts = ", ".join(f"{totals[key]} {word}" for key, word in words.items() if totals[key])
    gaps = " and ".join(f"{edge['gap'] * 1e3:.0f}" for edge in edges)
    parts = [
        f"{run['grade']} {number}: {run['struck']}, {fault.what}", f"then {run['follower'] or 'several or none'}",
        f"gaps {gaps} ms, of which {gap(run, fault.target) * 1e3:.0f} count", f"encoder {run['encoder'] * 1e3:.0f} ms",
        counts or "nothing lost",
    ]
    if run["answer"]:
        parts.insert(-1, f"answer {run['answer'] * 1e3:.0f} ms")
    if run["lack"]:
        parts.append(f"NOT STEADY, lacks {run['lack']}")
    return "; ".join(parts)


def say(line: str):
    print(line, flush=True)


def set_priority(name: str):
    if name == "realtime":
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
    elif name == "idle":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def interrupt(*_):
    raise KeyboardInterrupt


def main() -> int:
    options = read_options()
    # A shell starts programs in the background with SIGINT ignored.
    signal.signal(signal.SIGINT, interrupt)
    set_priority(options.priority)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    runs: list[dict] = []
    if options.results and options.results.exists():
        runs = [json.loads(line) for line in options.results.read_text().splitlines()]

    def keep(run: dict):
        runs.append(run)
        if options.results:
            with open(options.results, "a") as file:
                file.write(json.dumps(run) + "\n")

    try:
        for grade in GRADES if options.grade == "all" else [options.grade]:
            run_session(options, grade, options.entrypoints, options.faults, keep)
        if options.grade == "all" and options.entrypoints == 2 and "kill" in options.faults:
            run_session(options, "warm", 3, ["kill"], keep)
    except Problem as problem:
        print(f"failover: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        say("interrupted")
    if not runs:
        return 2
    return 0 if report(runs) else 1


if __name__ == "__main__":
    sys.exit(main())
