"""`tools/netlab`: reads the command line, and runs a laboratory or talks to one."""

import os
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The parts that the benchmarks have too.
sys.path.insert(1, str(ROOT / "tools" / "NetParts"))

import client
import supervisor
from cables import Cables, first_links
from chaos import run_chaos
from description import Description, Mistakes
from identities import Problem
from players import columns
from sessions import run_script, run_up
from verbs import Usage, make_parser

NETWORKS = pathlib.Path(__file__).resolve().parent / "networks"
TOOLS = {"ip": "iproute2", "tc": "iproute2", "nft": "nftables", "nsenter": "util-linux"} | {
    name: name for name in ["ffmpeg", "curl"]}
"""Programs, and the Debian packages that hold them."""


def describe(name: str) -> Description:
    """A description, by its file or by the name of a ready-made one."""
    ready = NETWORKS / name / f"{name}.network"
    return Description(ready if ready.is_file() else pathlib.Path(name))


def find_program(text: str) -> str:
    path = pathlib.Path(text)
    if not path.is_file() and text == ".build/release/reflector":
        path = ROOT / text
    if not os.access(path, os.X_OK):
        raise Usage(f"{path} is not a program; tools/build --product reflector builds one, --program PATH names one\n")
    return str(path.absolute())


def check_machine():
    if os.geteuid() != 0:
        raise Usage("root is needed to make network namespaces: sudo tools/netlab …\n")
    missing = {tool: package for tool, package in TOOLS.items() if not shutil.which(tool)}
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        raise Usage(f"not installed: {', '.join(missing)}; run tools/setup, or: apt-get install {packages}\n")


def show(description: Description):
    """What a description means: addresses, nodes, and the routes between sites."""
    print(columns([["HOST", "SITE", "LAN", "ADDRESSES", "NODE"]] + [
        [host.name, host.site or "-", host.lan or "-", " ".join(host.addresses),
         description.nodes[host.name].role if host.name in description.nodes else "-"]
        for host in description.hosts.values()]))
    for site in description.sites:
        reached = first_links(description.links, site)
        for target, (index, end) in reached.items():
            link = description.links[index]
            if link.ends[1 - end] != target:
                print(f"{site} reaches {target} through {link.ends[1 - end]}")
        unreached = [name for name in description.sites if name != site and name not in reached]
        if unreached:
            print(f"{site} does not reach {', '.join(unreached)}")


def main(words: list[str]) -> int:
    parsed = make_parser().parse_args(words)
    if parsed.verb == "check":
        show(describe(parsed.network))
        return 0
    check_machine()
    match parsed.verb:
        case "up":
            description = describe(parsed.network)
            return run_up(parsed, description, find_program(parsed.program))
        case "chaos":
            description = describe(parsed.network)
            return run_chaos(parsed, description, "" if parsed.plan else find_program(parsed.program))
        case "run" if parsed.network:
            return run_script(parsed, describe(parsed.network), find_program(parsed.program))
        case "run":
            return client.run_script(parsed)
        case "exec" | "shell":
            return client.enter(parsed)
        case "down":
            return client.down(parsed)
    return client.ask(parsed, words)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Usage, Problem) as problem:
        print(f"netlab: {problem}", file=sys.stderr, end="" if str(problem).endswith("\n") else "\n")
        sys.exit(2)
    except Mistakes as mistakes:
        print(mistakes, file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)
