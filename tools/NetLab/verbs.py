"""What can be said to the laboratory: on the command line, and in scripts."""

import argparse
import os

from description import GRAMMAR

DESCRIPTION = """\
A laboratory for reflector networks: hosts with addresses of their own in network namespaces, region LANs as bridges,
wide-area links with rate, delay and loss, NAT and firewalls, real processes on them, and ways to break all of it.

  tools/netlab up three-continents         build it, start every node, stay until Ctrl-C
  tools/netlab encoder live/news           in a second terminal: a real ffmpeg pushes a stream
  tools/netlab player live/news edge-bos   a viewer, whose output is measured
  tools/netlab kill nyc-1                  kill -9 of the node on nyc-1
  tools/netlab report                      what the viewers got
  tools/netlab chaos --for 60 --seed 7     a network of its own, a random fault every 5 s, everything checked
"""
EPILOG = f"""\
NETWORK is a file, or the name of a ready-made one: chaos, example, fig1, region, regions, setregion,
three-continents (in tools/NetLab/networks).
Its lines:

{GRAMMAR}

Needs root, ip, tc, nft, nsenter, ffmpeg and curl (tools/setup installs them). Everything lives in namespaces that end
with the laboratory, whatever ends it: kill -9 of netlab too leaves no process, interface, rule or file behind.

Exit status: 0 good, 1 a check failed, 2 wrong usage or the laboratory did not start.
"""


class Usage(Exception):
    """The words are wrong; the text says why."""


class Parser(argparse.ArgumentParser):
    """Raises, so that a script's mistakes have a line; prints help as usual."""

    def error(self, message):
        raise Usage(f"{message}\n{self.format_usage()}")


def make_parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog="tools/netlab", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw)
    parser.add_argument(
        "--lab", metavar="NAME", default=os.environ.get("NETLAB"),
        help="which laboratory, if several run: by default, the name of its network; or the variable NETLAB")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    def verb(name: str, help: str, *more: str):
        text = help[0].upper() + help[1:] + "." + "".join(f"\n{line}" for line in more)
        return verbs.add_parser(name, help=help, description=text, formatter_class=raw)

    def own(new):
        """Options of verbs that build a laboratory."""
        new.add_argument(
            "--folder", metavar="DIR", help="new folder for zones, keys and logs, kept; default: in memory")
        new.add_argument("--program", default=".build/release/reflector", help="reflector (.build/release/reflector)")

    up = verb(
        "up", "build a network, start its nodes, and stay until Ctrl-C",
        "In a second terminal, the other verbs act on it. With --feed it has an encoder and viewers from the start.")
    up.add_argument("network", metavar="NETWORK")
    up.add_argument("--detach", action="store_true", help="return when it is up; `down` ends it")
    up.add_argument(
        "--feed", metavar="STREAM", nargs="?", const="",
        help="an encoder, and a player at each edge; default: the first stream of the zone")
    up.add_argument("--for", dest="seconds", type=float, metavar="SECONDS", help="end after this time")
    up.add_argument("--bare", action="store_true", help="only the network, no processes: `start` starts them")
    own(up)
    verb("down", "end a laboratory, with all its processes and its network")
    verb("status", "show hosts, addresses, processes, cuts, and the streams at the edges")
    check = verb("check", "read a description and show its addresses and routes; changes nothing")
    check.add_argument("network", metavar="NETWORK")

    execute = verb(
        "exec", "run a command on a host",
        "Hosts are known by name: tools/netlab exec nyc-1 -- curl http://edge-bos:8080/",
        "The folder of zones, keys and logs is in the variable LAB, the program in REFLECTOR.")
    execute.add_argument("host", metavar="HOST")
    execute.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    verb("shell", "open a shell on a host").add_argument("host", metavar="HOST")
    log = verb("log", "print the log of a process")
    log.add_argument("process", metavar="PROCESS")

    for name, help in [
        ("start", "start the node of a host, again or for the first time"),
        ("kill", "kill -9 a process: a node, by its host's name, or an encoder or player"),
        ("stop", "stop a process with SIGSTOP: it is silent, but its sockets stay"),
        ("cont", "let a stopped process go on"), ("end", "end a process in order, with SIGTERM"),
    ]:
        verb(name, help).add_argument("process", metavar="PROCESS")
    cut = verb(
        "cut", "let nothing pass between two places, without telling the senders",
        "A and B are hosts, sites or LANs. A host and its own LAN or site: that cable. Otherwise, what hosts of one",
        "side send is dropped where it arrives at hosts of the other.",
        "", "  tools/netlab cut edge-1a bos-lan             # off its LAN, still on the wide-area network",
        "  tools/netlab cut ep-nyc lon-1 --one-way      # what ep-nyc sends does not arrive at lon-1")
    cut.add_argument("a", metavar="A")
    cut.add_argument("b", metavar="B")
    cut.add_argument("--one-way", action="store_true", help="only what A sends")
    partition = verb(
        "partition", "let nothing pass between groups of hosts, sites or LANs",
        "  tools/netlab partition nyc,bos lon sjc       # three parts; what is not named stays with everybody")
    partition.add_argument("groups", nargs="+", metavar="GROUP", help="names, joined by commas")
    heal = verb("heal", "end the cuts between A and B, or all cuts")
    heal.add_argument("a", nargs="?", metavar="A")
    heal.add_argument("b", nargs="?", metavar="B")

    encoder = verb("encoder", "start an encoder: a real ffmpeg that pushes a test picture to the stream's entrypoints")
    encoder.add_argument("stream", metavar="STREAM")
    encoder.add_argument(
        "--from", dest="host", metavar="HOST", help="where it runs; default: the first host without a node")
    encoder.add_argument("--to", metavar="NAME,…", help="entrypoints; default: all candidates of the stream")
    encoder.add_argument("--numbered", action="store_true", help="numbered packets instead of pictures (2 Mb/s)")
    encoder.add_argument("--serve", type=int, metavar="PORT", help="numbered, and served over HTTP to those who pull")
    player = verb(
        "player", "start a viewer at an edge, which measures gaps, losses, duplicates and order",
        "Of a stream from ffmpeg, pictures are counted by their time stamps; of a numbered one, packets.")
    player.add_argument("stream", metavar="STREAM")
    player.add_argument("edge", metavar="EDGE")
    player.add_argument("--from", dest="host", metavar="HOST", help="where it runs; default: on the edge's host")
    player.add_argument("--with", dest="tool", choices=["curl", "ffmpeg"], default="curl",
                        help="curl measures (default); ffmpeg decodes, and what it complains about is counted")
    report = verb(
        "report", "show what the players got since the last report",
        "Exit 1 if anything came twice or out of order, or more than the limits was lost or late.")
    report.add_argument("--lost-max", type=int, metavar="N", help="most packets or pictures lost, of each player")
    report.add_argument("--gap-max", type=float, metavar="SECONDS", help="longest gap allowed")
    rolling = verb(
        "rolling", "restart nodes in turn with SIGTERM, all or these, while the players watch",
        "Prints what the viewers at the other edges lost, for each restart. Exit 1 if it is anything, or if anything",
        "came twice or out of order. An entrypoint that is the only one of a stream is left alone, unless it is named.",
        "", "  tools/netlab run tools/NetLab/networks/regions/rolling --network regions")
    rolling.add_argument("nodes", nargs="*", metavar="NODE")
    rolling.add_argument(
        "--pause", type=float, default=3, metavar="SECONDS", help="from one being ready to the next (3)")
    wait = verb("wait", "wait some seconds, or until every player gets its stream")
    wait.add_argument("what", metavar="SECONDS|flowing")
    wait.add_argument("--within", type=float, default=10, metavar="SECONDS", help="fail after this time (10)")

    run = verb(
        "run", "carry out a script: one verb a line, # for comments; stops at the first that fails",
        "With --network it builds a laboratory of its own, and ends it. Example:",
        "", "  encoder live/news", "  player live/news edge-bos", "  wait flowing", "  report", "  kill nyc-1",
        "  wait 3", "  report --lost-max 0 --gap-max 0.5")
    run.add_argument("script", metavar="SCRIPT")
    run.add_argument("--network", metavar="NETWORK")
    own(run)
    chaos = verb(
        "chaos", "break a network at random, and check that viewers always get what can reach them",
        "A network of its own: 3 entrypoints, 3 set regions of 2, 9 edges, 12 numbered streams, a viewer of each",
        "stream at each edge. Every 5 s a fault: kill -9, SIGSTOP, a cut, a one-way cut, a partition, heal, a zone",
        "edit, a name server that dies and starts again. At the end everything heals.", "",
        "Checked: wherever a path exists (a live entrypoint with its encoder, a live set reflector, the edge, and",
        "nothing cut between them) the stream flows again within 3 s; no viewer gets a packet twice or out of order;",
        "after the last heal every set reflector gets a stream from the same entrypoint.", "",
        "The seed decides all faults, so a run can be repeated. If a check fails, logs and the state of every node",
        "stay in a folder that is named.")
    chaos.add_argument(
        "--for", dest="seconds", type=float, default=120, metavar="SECONDS", help="faults for this time (120)")
    chaos.add_argument("--seed", type=int, default=1, metavar="N", help="seed of all random choices (1)")
    chaos.add_argument("--every", type=float, default=5, metavar="SECONDS", help="from fault to fault (5)")
    chaos.add_argument(
        "--within", type=float, default=3, metavar="SECONDS", help="longest silence where a path exists (3)")
    chaos.add_argument("--network", default="chaos", metavar="NETWORK", help="another network (chaos)")
    chaos.add_argument("--plan", action="store_true", help="only print the faults of this seed")
    own(chaos)
    return parser
