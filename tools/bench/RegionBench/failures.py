"""Members of a region fail, one at a time, and viewers at the others count what they miss."""

import dataclasses
import signal
import time

import zone
from distribution import quantiles
from encoder import Encoder
from identities import Problem
from laboratory import Laboratory
from leadership import leadership
from namespaces import open_socket
from players import Player
from stream import NumberedStream
from worker import Worker

SPAN = 2.5
"""How long a failure lasts, in seconds."""
STEADY_MAX = 40
STEADY_LOOKS = 4
"""So many looks in a row, a quarter of a second apart, must find nothing late."""
STALL = 0.1


@dataclasses.dataclass(frozen=True)
class Failure:
    what: str
    kind: str
    """kill, stop, end, lan or wan."""
    hits_leader: bool = True
    without_names: bool = False
    """The name servers have stopped before."""


EDGE_FAILURES = [
    Failure("kill -9 of the leader", "kill"), Failure("SIGSTOP of the leader", "stop"),
    Failure("SIGTERM of the leader", "end"), Failure("LAN cut of the leader", "lan"),
    Failure("WAN cut of the leader", "wan"), Failure("kill -9, no name server", "kill", without_names=True),
]
SET_FAILURES = [
    Failure("kill -9 of the lead set", "kill"), Failure("SIGSTOP of the lead set", "stop"),
    Failure("LAN cut of the lead set", "lan"), Failure("kill -9 of a serving set", "kill", hits_leader=False),
    Failure("kill -9, no name server", "kill", without_names=True),
]


class Region:
    """The region whose members fail, and the viewers at the edges."""

    def __init__(self, laboratory: Laboratory):
        self.lab, described = laboratory, laboratory.description
        self.stream = next(iter(zone.streams(laboratory.zones, described.zone)))
        self.members = next(described.hosts_of(name) for name in described.lans)
        self.servers = described.with_role("nameserver")
        studio = next(name for name in described.hosts if name not in described.nodes)
        address = lambda name: described.hosts[name].public[0]
        candidates = zone.candidates(laboratory.zones, described.zone, self.stream)
        path = f"/{self.stream}?key={laboratory.keys.of_stream(self.stream)}"
        self.encoder = Worker(
            Encoder, NumberedStream(1), "", list(map(address, candidates)), path, None, 0.1,
            lambda: open_socket(studio))
        self.viewers: dict[str, Player] = {}
        for edge in described.with_role("edge"):
            self.viewers[edge] = Player(self.stream, edge, edge, False)
            self.viewers[edge].url = f"http://{address(edge)}:8080/{self.stream}.ts"
            self.viewers[edge].begin()

    def leader(self) -> str | None:
        """The member that leads the stream, if all that run agree on it, and it alone fetches from outside."""
        states = {name: self.lab.status(name) for name in self.members}
        leaders, fetching = leadership(states, self.members, self.stream)
        return fetching[0] if len(fetching) == 1 and leaders == set(fetching) else None

    def wait_steady(self):
        """Until one member leads, and every viewer gets the stream without delay: a new one begins with the past."""
        end, steady = time.monotonic() + STEADY_MAX, 0
        while steady < STEADY_LOOKS:
            if time.monotonic() > end:
                raise Problem(f"{STEADY_MAX} s after a failure, the region is not steady again")
            time.sleep(0.25)
            got = [viewer.worker.ask("take", None) for viewer in self.viewers.values()]
            is_steady = self.leader() is not None and all(each["packets"] and not each["late"] for each in got)
            steady = steady + 1 if is_steady else 0

    def target(self, failure: Failure) -> str:
        leader = self.leader()
        if leader is None:
            raise Problem("no member leads the stream")
        if failure.hits_leader:
            return leader
        # Those that serve an edge come first: the failure of the others would show nothing.
        parents = [
            path["parent"] for edge in self.viewers for each in self.lab.status(edge).get("streams", [])
            for path in each["paths"] if path["state"] == "live"]
        others = [name for name in self.members if name != leader]
        return max(others, key=parents.count)

    def run(self, failure: Failure) -> dict:
        """One failure. Packets lost or late, and the longest gap, of the viewers that could get the stream."""
        target = self.target(failure)
        lab, place = self.lab, self.lab.description.hosts[target]
        if failure.without_names:
            for server in self.servers:
                lab.signal(server, signal.SIGSTOP)
        self.encoder.ask("take")
        for viewer in self.viewers.values():
            viewer.worker.ask("take", None)
        match failure.kind:
            case "kill": lab.signal(target, signal.SIGKILL)
            case "stop": lab.signal(target, signal.SIGSTOP)
            case "end": lab.signal(target, signal.SIGTERM)
            case "lan": lab.drops.cut(target, place.lan, one_way=False)
            case "wan": lab.drops.cut(target, place.site, one_way=False)
        time.sleep(SPAN)
        is_down = failure.kind in ["kill", "stop", "end"]
        counted = [
            viewer.worker.ask("take", None) for edge, viewer in self.viewers.items() if not (is_down and edge == target)]
        stall = self.encoder.ask("take")["gap"]
        if failure.without_names:
            for server in self.servers:
                lab.signal(server, signal.SIGCONT)
        if failure.kind == "stop":
            lab.signal(target, signal.SIGCONT)
        elif is_down:
            lab.running[target].wait(20)
            lab.start(target)
            lab.wait_ready([target])
        else:
            lab.drops.heal()
        if is_down and target in self.viewers:
            self.viewers[target].begin()
        self.wait_steady()
        return {
            "lost": sum(got["lost"] + got["late"] for got in counted),
            "twice": sum(got["repeated"] + got["disordered"] for got in counted),
            "gap": max(got["gap"] for got in counted), "stall": stall}


def measure_failures(laboratory: Laboratory, failures: list[Failure], runs: int) -> int:
    region = Region(laboratory)
    region.wait_steady()
    time.sleep(2)
    print(f"{'':26}  longest gap of a viewer, ms: minimum, median, 90 %, worst", flush=True)
    code = 0
    for failure in failures:
        good, repeats, done = 0, max(3, runs // 5), []
        while len(done) < runs:
            got = region.run(failure)
            if got["stall"] > STALL and repeats:
                repeats -= 1
                continue
            done.append(got)
            good += not got["lost"] and not got["twice"]
        lost, twice = (sum(got[key] for got in done) for key in ["lost", "twice"])
        gaps = quantiles([got["gap"] * 1e3 for got in done])
        print(f"{failure.what:26}  {gaps} ms; nothing lost in {good} of {runs} runs"
              + (f"; {lost} lost or late, {twice} twice or out of order" if good < runs else ""), flush=True)
        code = max(code, good < runs)
    return code
