"""The faults of a chaos run: chosen by a seed alone, so that a run can be repeated."""

import dataclasses
import random

from description import Description

WEIGHTS = {
    "kill": 3, "stop": 2, "cut": 3, "one-way": 3, "partition": 2, "wan": 1, "lan": 2, "split": 2, "heal": 6, "edit": 2,
    "nameserver": 2}
ACTIVE_MAX = 4
"""With more faults at once, most viewers have no path, and little is checked."""


@dataclasses.dataclass(frozen=True)
class Fault:
    kind: str
    places: tuple = ()
    """Hosts; of a partition, two groups of hosts and its name; of an edit, what the file says afterwards."""
    heals: tuple = ()
    """Faults that a heal ends."""

    def __str__(self) -> str:
        match self.kind:
            case "kill": return f"kill -9 {self.places[0]}"
            case "stop": return f"stop {self.places[0]}"
            case "cut": return f"cut {self.places[0]} and {self.places[1]}"
            case "one-way": return f"cut what {self.places[0]} sends to {self.places[1]}"
            case "partition": return f"partition {self.places[2]} from the others"
            case "wan": return f"cut {self.places[0]} from its site"
            case "lan": return f"cut {self.places[0]} from its LAN"
            case "split": return f"split {self.places[2]}: {', '.join(self.places[0])} from {', '.join(self.places[1])}"
            case "heal": return "heal " + (", ".join(map(str, self.heals)) or "nothing")
            case "edit": return f"edit the zone: {' '.join(self.places[1:])}"
        return f"kill -9 {self.places[0]}, and start it again"

    @property
    def pairs(self) -> set[tuple[str, str]]:
        """Between which hosts nothing passes, sender first."""
        match self.kind:
            case "cut": return {self.places[:2], self.places[1::-1]}
            case "one-way": return {self.places}
            case "partition" | "split":
                one, other = self.places[:2]
                return {pair for a in one for b in other for pair in [(a, b), (b, a)]}
        return set()


class Plan:
    """Draws faults, and knows which of them are active."""

    def __init__(
        self, description: Description, seed: int, maps: dict[str, list[str]], candidates: dict[str, list[str]]
    ):
        """maps: set regions of each edge region, in order; candidates: entrypoints of each stream, in order."""
        self.random = random.Random(seed)
        self.description = description
        self.maps, self.candidates = dict(maps), dict(candidates)
        self.servers = description.with_role("nameserver")
        self.entrypoints, self.sets = description.with_role("entrypoint"), description.with_role("set")
        self.edges = description.with_role("edge")
        self.active: list[Fault] = []

    @property
    def pairs(self) -> set[tuple[str, str]]:
        return set().union(*(fault.pairs for fault in self.active))

    @property
    def cables(self) -> list[tuple[str, str]]:
        """The hosts that are cut from their site or LAN, each with the place."""
        hosts = self.description.hosts
        return [
            (fault.places[0], hosts[fault.places[0]].site if fault.kind == "wan" else hosts[fault.places[0]].lan)
            for fault in self.active if fault.kind in ["wan", "lan"]]

    def hosts(self, kind: str) -> set[str]:
        return {fault.places[0] for fault in self.active if fault.kind == kind}

    def next(self) -> Fault:
        """Draws a fault. It is active from now on."""
        kinds = dict(WEIGHTS)
        if not self.active:
            del kinds["heal"]
        if len(self.active) >= ACTIVE_MAX:
            kinds = {"heal": 1}
        kind = self.random.choices(list(kinds), list(kinds.values()))[0]
        drawn = {"heal": self.heal, "edit": self.edit, "partition": self.partition, "split": self.split}
        fault = drawn.get(kind, lambda: self.draw(kind))()
        if kind == "heal":
            self.active = [each for each in self.active if each not in fault.heals]
        elif kind not in ["edit", "nameserver"]:
            self.active.append(fault)
        return fault

    def heal_all(self) -> Fault:
        fault = Fault("heal", heals=tuple(self.active))
        self.active = []
        return fault

    def heal(self) -> Fault:
        everything = self.random.random() < 0.5
        return Fault("heal", heals=tuple(self.active if everything else [self.random.choice(self.active)]))

    def draw(self, kind: str) -> Fault:
        if kind == "nameserver":
            return Fault(kind, (self.random.choice(self.servers),))
        if kind in ["kill", "stop"]:
            gone = self.hosts("kill") | self.hosts("stop")
            group = self.random.choice([self.entrypoints, self.sets, self.edges])
            alive = [name for name in group if name not in gone] or self.sets
            return Fault(kind, (self.random.choice([name for name in alive if name not in gone] or self.edges),))
        if kind in ["wan", "lan"]:
            return Fault(kind, (self.random.choice(self.random.choice([self.sets, self.edges])),))
        # Neighbours in the tree, mostly; members of one region; a name server now and then.
        ends = self.random.choice([
            (self.entrypoints, self.sets), (self.sets, self.edges), (self.sets, self.sets), (self.edges, None),
            (self.servers, self.sets), (self.servers, self.edges)])
        a = self.random.choice(ends[0])
        b = self.random.choice([name for name in ends[1] or self.description.fellows(a) if name != a])
        return Fault(kind, (a, b) if self.random.random() < 0.5 else (b, a))

    def partition(self) -> Fault:
        sites = list(self.description.sites)
        chosen = sorted(self.random.sample(sites, self.random.randint(1, len(sites) // 2)))
        one = tuple(host.name for host in self.description.hosts.values() if host.site in chosen)
        other = tuple(name for name in self.description.hosts if name not in one)
        return Fault("partition", (one, other, ", ".join(chosen)))

    def split(self) -> Fault:
        name = self.random.choice(list(self.description.lans))
        hosts = self.description.hosts_of(name)
        one = tuple(sorted(self.random.sample(hosts, self.random.randint(1, len(hosts) - 1))))
        return Fault("split", (one, tuple(host for host in hosts if host not in one), name))

    def edit(self) -> Fault:
        if self.random.random() < 0.5:
            key = self.random.choice(sorted(self.maps))
            self.maps[key] = self.random.sample(self.maps[key], len(self.maps[key]))
            return Fault("edit", ("portsets", "map", "s*", key, *self.maps[key]))
        key = self.random.choice(sorted(self.candidates))
        self.candidates[key] = self.random.sample(self.candidates[key], len(self.candidates[key]))
        return Fault("edit", ("streams", "stream", key, f"entrypoints={','.join(self.candidates[key])}"))
