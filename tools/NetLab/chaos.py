"""`tools/netlab chaos`: faults at random, and what must hold all the same."""

import collections
import contextlib
import json
import os
import signal
import sys
import time

import supervisor
from description import Description
from faults import Fault, Plan
from identities import Problem
from laboratory import Laboratory
from leadership import leadership
from load import Encoders, Viewers
from sessions import keep_logs, own_folder
from supervisor import Listener
from worker import Worker
from zone import streams

PAUSE = 0.1
"""Seconds from look to look."""
START_MAX = 20
"""Seconds within which every viewer must get its stream at first."""
SETTLED_MAX = 30
"""Seconds after the last heal within which every stream has one source: a returned entrypoint leads after 10 s."""
STALLED_SETTLED_MAX = 45
"""The same on a machine that stalls."""
STALL = 0.3
"""The machine stalls if a look takes this long, or an encoder pauses for it: a silence begins to count again."""
AFTER_STALL = 10.0
"""For so many seconds after a stall, a jump at a change of the source is excused: that source was seconds behind."""
STALLED_MAX = 0.3
"""Share of the time; with more stalls, the run shows little."""
VIOLATIONS_MAX = 20


class Chaos:
    def __init__(self, words, laboratory: Laboratory):
        self.words, self.lab = words, laboratory
        described = laboratory.description
        self.streams = streams(laboratory.zones, described.zone)
        self.edges, self.sets = described.with_role("edge"), described.with_role("set")
        self.studio = next(name for name in described.hosts if name not in described.nodes)
        self.plan = make_plan(described, words.seed, laboratory.zones)
        self.starting: set[str] = set()
        """Restarted nodes that do not answer yet."""
        self.begin = time.monotonic()
        self.event = self.begin
        """When the last fault began or ended."""
        self.since: dict[tuple[str, str], float] = {}
        """Stream and edge: since when a path has existed."""
        self.slowest = self.stalled = 0.0
        """The longest silence where a path existed, and how long the machine stalled, in seconds."""
        self.last_stall = float("-inf")
        self.excused = 0
        """Viewers that got something twice or out of order at a stall, and streams that did not settle for it."""
        self.counts = collections.Counter()
        self.violations: list[str] = []
        self.reported: set = set()

    def run(self) -> int:
        with contextlib.ExitStack() as stack:
            self.start_load(stack)
            self.wait_for_all(START_MAX)
            self.begin = self.event = time.monotonic()
            self.encoders.ask("pause")
            faults = 0
            while time.monotonic() - self.begin < self.words.seconds:
                if time.monotonic() >= self.begin + faults * self.words.every:
                    faults += 1
                    self.strike(self.plan.next())
                self.look()
            self.strike(self.plan.heal_all())
            self.settle()
            return self.conclude()

    def start_load(self, stack):
        lab = self.lab
        address = lambda name: lab.description.hosts[name].public[0]
        feeds = [
            (f"/{name}?key={lab.keys.of_stream(name)}", [address(entrypoint) for entrypoint in candidates])
            for name, candidates in self.streams.items()]
        # By the first order: edits of the zone change it.
        self.fed = list(self.streams.values())
        self.encoders = Worker(Encoders, self.studio, feeds)
        stack.callback(self.encoders.end)
        self.wanted = [(stream, edge) for edge in self.edges for stream in self.streams]
        self.viewers = Worker(Viewers, [(edge, address(edge), f"/{stream}.ts") for stream, edge in self.wanted])
        stack.callback(self.viewers.end)

    def wait_for_all(self, seconds: float):
        end = time.monotonic() + seconds
        while not all(self.viewers.ask("arrivals")):
            if time.monotonic() > end:
                missing = [
                    f"{stream} at {edge}"
                    for (stream, edge), at in zip(self.wanted, self.viewers.ask("arrivals")) if not at]
                raise Problem(f"after {seconds:g} s, viewers still wait for {', '.join(missing[:5])}")
            time.sleep(PAUSE)

    # Faults.

    def strike(self, fault: Fault):
        self.say(str(fault))
        self.counts[fault.kind] += 1
        match fault.kind:
            case "kill":
                self.starting.discard(fault.places[0])
                self.lab.signal(fault.places[0], signal.SIGKILL)
            case "stop": self.lab.signal(fault.places[0], signal.SIGSTOP)
            case "nameserver":
                self.lab.signal(fault.places[0], signal.SIGKILL)
                self.lab.start(fault.places[0])
            case "edit": self.edit(*fault.places)
        for healed in fault.heals:
            if healed.kind == "kill":
                self.lab.start(healed.places[0])
                self.starting.add(healed.places[0])
            elif healed.kind == "stop":
                self.lab.signal(healed.places[0], signal.SIGCONT)
        self.lab.drops.pairs = self.plan.pairs
        self.lab.drops.interfaces = {
            end for host, place in self.plan.cables for end in self.lab.cables.ends(host, place)}
        self.lab.drops.apply()
        self.event = time.monotonic()

    def edit(self, kind: str, *words: str):
        """Changes the line of a map or a stream, and puts the new file in the place of the old one at once."""
        path = self.lab.zones / f"{self.lab.description.zone}.{kind}"
        fixed = 3 if kind == "portsets" else 2
        lines = []
        for line in path.read_text().splitlines():
            old = line.split()
            if tuple(old[:fixed]) == words[:fixed]:
                line = " ".join([*words, *(old[len(words):])])
                if kind == "streams":
                    rest = [word for word in old[fixed:] if not word.startswith("entrypoints=")]
                    line = " ".join([*old[:fixed], rest[0], words[-1], *rest[1:]])
            lines.append(line)
        new = self.lab.folder / "edited"
        new.write_text("\n".join(lines) + "\n")
        os.replace(new, path)

    # Checks.

    def look(self):
        """One look at all viewers."""
        begin = time.monotonic()
        time.sleep(PAUSE)
        for name in list(self.starting):
            if self.lab.get(name, "/healthz") is not None:
                self.starting.discard(name)
        for name, process in self.lab.running.items():
            if process.poll() is not None and name not in self.plan.hosts("kill") and name not in self.reported:
                self.reported.add(name)
                self.violate(f"{name} ended by itself, {process.returncode}: {self.lab.tail(name)}")
        connected = self.encoders.ask("connected")
        sources = {
            stream: {name for name, is_connected in zip(fed, flags) if is_connected}
            for stream, fed, flags in zip(self.streams, self.fed, connected)}
        arrivals = self.viewers.ask("arrivals")
        wrongs = self.viewers.ask("take_wrongs")
        now = time.monotonic()
        stall = max(now - begin, self.encoders.ask("pause"))
        if stall > STALL:
            self.stalled += stall
            self.event = self.last_stall = now
        for (stream, edge), wrong in zip(self.wanted, wrongs):
            if wrong and now - self.last_stall > AFTER_STALL:
                self.violate(f"{stream} at {edge}: {wrong}")
            self.excused += bool(wrong) and now - self.last_stall <= AFTER_STALL
        reach = self.reach()
        for (stream, edge), arrival in zip(self.wanted, arrivals):
            if not any((source, edge) in reach for source in sources[stream]):
                self.since.pop((stream, edge), None)
                continue
            since = self.since.setdefault((stream, edge), now)
            silence = now - max(arrival, since, self.event)
            self.slowest = max(self.slowest, silence)
            key = (stream, edge, self.event)
            if silence > self.words.within and key not in self.reported:
                self.reported.add(key)
                self.violate(f"{stream} at {edge}: nothing for {silence:.1f} s, although a path exists")

    def reach(self) -> set[tuple[str, str]]:
        """Entrypoints that the encoder reaches, each with an edge that it reaches.

        By a set reflector, which may fetch from another one of its region, and the same at the edge.
        """
        described = self.lab.description
        gone = self.plan.hosts("kill") | self.plan.hosts("stop") | self.starting
        pairs, cables = self.plan.pairs, set(self.plan.cables)

        def joined(a: str, b: str) -> bool:
            place = (lambda host: host.lan) if b in described.fellows(a) else (lambda host: host.site)
            return not ({a, b} & gone or {(a, b), (b, a)} & pairs
                        or any((name, place(described.hosts[name])) in cables for name in [a, b]))

        def spread(near: set[str], nodes: list[str]) -> set[str]:
            """The nodes that those nearer to the source reach, also by way of a member of their region."""
            reached = {node for node in nodes if any(joined(parent, node) for parent in near)}
            return reached | {
                node for node in nodes if any(joined(other, node) for other in described.fellows(node) if other in reached)}
        return {
            (source, edge)
            for source in described.with_role("entrypoint") if joined(self.studio, source)
            for edge in spread(spread({source}, self.sets), self.edges)}

    def settle(self):
        """After the last heal: everything flows, and each stream has one source everywhere."""
        healed = time.monotonic()
        # A stall delays an election: it gets its time again, to a limit.
        end = lambda: max(healed, min(self.last_stall, healed + STALLED_SETTLED_MAX - SETTLED_MAX)) + SETTLED_MAX
        wrong = ["not looked at"]
        while wrong and time.monotonic() < end():
            for _ in range(10):
                self.look()
            states = {name: self.lab.status(name) for name in self.sets + self.edges}
            wrong = self.streams_with_several_sources(states) + self.streams_with_several_leaders(states)
        self.settled = time.monotonic() - healed
        stalled = time.monotonic() - self.last_stall < SETTLED_MAX
        for text in wrong:
            if stalled:
                self.say(f"{text}; the machine stalled meanwhile")
            else:
                self.violate(f"{self.settled:.0f} s after the last heal: {text}")
        self.excused += len(wrong) if stalled else 0

    def streams_with_several_sources(self, states: dict[str, dict]) -> list[str]:
        sources: dict[str, dict[str, list[str]]] = {}
        for name, state in states.items():
            for stream in state.get("streams", []):
                if stream["name"] in self.streams:
                    found = sources.setdefault(stream["name"], {})
                    found.setdefault(stream.get("source") or "nobody", []).append(name)
        return [
            f"{stream} comes from " + "; ".join(f"{source} at {', '.join(at)}" for source, at in sorted(found.items()))
            for stream, found in sorted(sources.items()) if len(found) != 1]

    def streams_with_several_leaders(self, states: dict[str, dict]) -> list[str]:
        """Regions whose members do not agree who leads a stream, or of which not one member alone fetches it."""
        described = self.lab.description
        wrong = []
        for lan in described.lans:
            members = described.hosts_of(lan)
            for stream in self.streams:
                leaders, fetching = leadership(states, members, stream)
                is_wanted = members[0] in self.edges or leaders or fetching
                if is_wanted and not (len(leaders) == 1 and fetching == list(leaders)):
                    wrong.append(f"{stream} at {lan} has the leaders {', '.join(sorted(leaders)) or 'none'}, "
                                 f"and is fetched by {', '.join(fetching) or 'none'}")
        return wrong

    def violate(self, text: str):
        self.violations.append(text)
        if len(self.violations) <= VIOLATIONS_MAX:
            self.say(f"VIOLATION: {text}")
        if len(self.violations) == 1:
            for name in self.lab.description.nodes:
                state = json.dumps(self.lab.status(name), indent=1)
                (self.lab.folder / "log" / f"{name}.status.json").write_text(state)

    def conclude(self) -> int:
        totals = [sum(column) for column in zip(*self.viewers.ask("counts"))]
        packets, lost, backward, damaged, marked, disconnected = totals
        names = {"kill": "kill", "stop": "stop", "cut": "cut", "one-way": "one-way cut", "partition": "partition",
                 "wan": "WAN cut", "lan": "LAN cut", "split": "LAN partition", "heal": "heal", "edit": "zone edit",
                 "nameserver": "name server restart"}
        faults = ", ".join(
            f"{count} {name}{'s' if count > 1 else ''}" for kind, name in names.items() if (count := self.counts[kind]))
        print(f"{len(self.wanted)} viewers got {packets} packets; {lost} lost, {backward} twice or out of order, "
              f"{damaged} damaged; {marked} discontinuities, {disconnected} disconnections")
        print(f"longest silence where a path existed: {self.slowest:.1f} s; one source for each stream, and one "
              f"leader in each region, {self.settled:.0f} s after the last heal")
        if self.stalled:
            is_much = self.stalled > STALLED_MAX * (time.monotonic() - self.begin)
            print(f"the machine stalled for {self.stalled:.1f} s in all; {self.excused} violations are excused by that"
                  + ("; too much to show anything" if is_much else ""))
        verdict = f"{len(self.violations)} violation{'s' if len(self.violations) > 1 else ''}" if self.violations else "nothing violated"
        print(f"chaos: seed {self.words.seed}, {self.words.seconds:g} s: {faults}; {verdict}", flush=True)
        return 1 if self.violations else 0

    def say(self, text: str):
        print(f"{time.monotonic() - self.begin:6.1f} s  {text}", flush=True)


def make_plan(description: Description, seed: int, folder) -> Plan:
    maps = {}
    for line in (folder / f"{description.zone}.portsets").read_text().splitlines():
        words = line.split("#")[0].split()
        if words[:2] == ["map", "s*"]:
            maps[words[2]] = [word for word in words[3:] if "=" not in word]
    return Plan(description, seed, maps, streams(folder, description.zone))


def print_plan(words, description: Description) -> int:
    plan = make_plan(description, words.seed, description.files)
    at = 0.0
    while at < words.seconds:
        print(f"{at:6.1f} s  {plan.next()}")
        at += words.every
    print(f"{at:6.1f} s  {plan.heal_all()}")
    return 0


def run_chaos(words, description: Description, program: str) -> int:
    if words.plan:
        return print_plan(words, description)
    folder = own_folder(words)

    def body(_: Listener) -> int:
        laboratory = Laboratory(description, program, folder)
        begin = time.monotonic()
        try:
            laboratory.build()
            laboratory.start_all()
            print(f"chaos: seed {words.seed}; {len(description.nodes)} nodes on {len(description.hosts)} hosts are up "
                  f"after {time.monotonic() - begin:.0f} s", flush=True)
            code = Chaos(words, laboratory).run()
        except (Problem, RuntimeError) as problem:
            print(f"netlab: {problem}", flush=True)
            code = 2
        if code or words.folder:
            print(f"the logs and the states of the nodes are in {keep_logs(laboratory)}", file=sys.stderr, flush=True)
        return code

    return supervisor.supervise(words.lab or description.name, body)
