"""Measures regions of several machines. Each measurement has a laboratory of its own (`tools/netlab`)."""

import argparse
import os
import pathlib
import sys

TOOLS = pathlib.Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(TOOLS / "NetLab"), str(TOOLS / "NetParts")]

import supervisor
from capacity import measure_capacity
from description import Description
from failures import EDGE_FAILURES, SET_FAILURES, measure_failures
from firstbyte import measure_first_byte
from identities import Problem
from laboratory import Laboratory
from sessions import MEMORY, keep_logs

NETWORKS = TOOLS / "NetLab" / "networks"
DESCRIPTION = """\
Regions of several machines, with real processes on hosts of their own (network namespaces) and LANs with multicast.

failures       an edge region of three: its leader fails, again and again; what the viewers at the members lose
set-failures   a set region of three above four edge regions: a host of it fails; what the viewers at the edges lose
first-byte     a viewer comes to a member of an edge region that does not have the stream, but another member has
capacity       a set region of one host, then one of four with four times the edges: bytes, CPU and copies fetched
"""
EPILOG = """\
A packet is lost for a viewer if it does not come, or comes more than 500 ms after the encoder has sent it. A run in
which the machine stalls for over 100 ms is repeated.

Exit status: 0 every figure reached, 1 one missed, 2 wrong usage, or a laboratory did not work.

Examples:
  tools/bench/region failures --runs 5
  tools/bench/region all
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="tools/bench/region", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ["failures", "set-failures", "first-byte", "capacity"]
    parser.add_argument("what", nargs="?", default="all", choices=[*parts, "all"])
    parser.add_argument("--runs", type=int, default=50, help="runs of each failure, and viewers that come (50)")
    parser.add_argument("--program", default=".build/release/reflector", help="reflector (.build/release/reflector)")
    words = parser.parse_args()
    words.program = str(pathlib.Path(words.program).absolute())
    if words.runs < 1:
        parser.error("--runs must be at least 1")
    if os.geteuid() != 0:
        parser.error("root is needed to make network namespaces")
    if not os.access(words.program, os.X_OK):
        parser.error(f"{words.program} is not a program; build it: tools/build --product reflector")
    worst = 0
    for part in parts if words.what == "all" else [words.what]:
        worst = max(worst, run_part(part, words))
    return worst


def run_part(part: str, words) -> int:
    ready = lambda name: Description(NETWORKS / name / f"{name}.network")
    match part:
        case "failures":
            return with_laboratory(ready("region"), words, lambda lab: measure_failures(lab, EDGE_FAILURES, words.runs))
        case "set-failures":
            return with_laboratory(ready("setregion"), words, lambda lab: measure_failures(lab, SET_FAILURES, words.runs))
        case "first-byte":
            return measure_first_byte(NETWORKS / "region", words, with_laboratory)
    return measure_capacity(words, with_laboratory)


def with_laboratory(description: Description, words, body) -> int:
    """Runs `body(laboratory)` in a new laboratory. Returns its exit status, or 2."""
    def run(_) -> int:
        laboratory = Laboratory(description, words.program, MEMORY)
        try:
            laboratory.build()
            laboratory.start_all()
            return body(laboratory)
        except (Problem, RuntimeError) as problem:
            print(f"{problem}; the logs are in {keep_logs(laboratory)}", file=sys.stderr, flush=True)
            return 2
    # A process can make a namespace of processes only once.
    child = os.fork()
    if child == 0:
        code = 2
        try:
            code = supervisor.supervise("bench-region", run)
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
