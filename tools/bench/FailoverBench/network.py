"""The network of the benchmark: one name server, entrypoints, three set reflectors in two set regions, and two edges.

It lives on loopback addresses in a network namespace of its own, in which nftables drop packets for cuts.
"""

import os
import pathlib
import signal
import subprocess
import time

import ops
from identities import Keys, Problem

ZONE = "bench.example"
STREAM = "bench/1"
SETS, EDGES = 3, 2
ENCODER, VIEWER = "127.0.4.1", "127.0.5.1"
PULL_PORT = 7000
SERVER = "127.0.0.1:5300"
READY = 60
"""Seconds within which a node must be ready, also on a busy host."""
LOG_LINES = 5


def address(name: str) -> str:
    """The address of a node."""
    role, _, number = name.partition("-")
    return f"127.0.{['ep', 'set', 'edge'].index(role) + 1}.{number}"


class Network:
    """Use it as a context manager: everything that it started ends with it."""

    def __init__(self, grade: str, entrypoints: int, program: str, folder: pathlib.Path):
        self.grade, self.program, self.folder = grade, program, folder
        self.entrypoints = [f"ep-{number + 1}" for number in range(entrypoints)]
        self.sets = [f"set-{number + 1}" for number in range(SETS)]
        self.edges = [f"edge-{number + 1}" for number in range(EDGES)]
        self.nodes = self.entrypoints + self.sets + self.edges
        self.running: dict[str, subprocess.Popen] = {}
        folder.mkdir(parents=True)
        (folder / "log").mkdir()
        self.write_zone()
        keys = Keys(program, folder)
        keys.make(self.nodes + ["ns1"], [STREAM], "bench")
        self.key = keys.of_stream(STREAM)

    def __enter__(self):
        try:
            self.start("ns1")
            time.sleep(0.5)
            for name in self.nodes:
                self.start(name)
            for name in self.nodes:
                self.wait_ready(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.heal()
        for process in self.running.values():
            process.kill()
        for process in self.running.values():
            process.wait()
        self.running = {}

    # Files.

    def write_zone(self):
        """The options of issue 13 are left out if the program does not know them."""
        zones = self.folder / "zones"
        zones.mkdir()
        names = "".join(f"{name} A {address(name)}\n" for name in self.nodes)
        (zones / f"{ZONE}.zone").write_text(
            "$TTL 5\n@ SOA ns1 hostmaster ( 1 3600 600 604800 5 )\n@ NS ns1\nns1 A 127.0.0.1\n" + names)
        (zones / f"{ZONE}.portsets").write_text(
            "default ttl=5\nsetregion east id=r9001 hosts=set-1,set-2\nsetregion west id=r9002 hosts=set-3\n"
            "region r1 hosts=edge-1\nregion r2 hosts=edge-2\nmap s* r1 east west\nmap s* r2 west east\n")
        source = f"pull=http://{ENCODER}:{PULL_PORT}/1.ts" if self.grade == "cold" else "push"
        line = f"stream {STREAM} s4 entrypoints={','.join(self.entrypoints)} {source}"
        streams = zones / f"{ZONE}.streams"
        self.has_standby = True
        for option in [f" standby={self.grade}", ""]:
            streams.write_text(line + option + "\n")
            check = subprocess.run([self.program, "zone", "check", zones], capture_output=True, text=True)
            if check.returncode == 0:
                self.has_standby = bool(option)
                return
        raise Problem(check.stdout + check.stderr)

    # Processes.

    def arguments(self, name: str) -> list[str]:
        common = ["--identity", self.folder / "identities" / name, "--state", self.folder / "state" / name]
        if name == "ns1":
            return ["nameserver", "--zones", self.folder / "zones", "--listen", SERVER, "--workers", "1"] + common
        role = {"ep": "entrypoint", "set": "set", "edge": "edge"}[name.partition("-")[0]]
        words = [role, name, "--zone", ZONE, "--server", SERVER, "--ops", f"{address(name)}:{ops.PORT}"] + common
        if role == "entrypoint":
            words += ["--keys", self.folder / "keys"]
            if self.grade == "cold":
                words += ["--pull", f"{STREAM}=http://{ENCODER}:{PULL_PORT}/1.ts"]
        if role == "edge":
            words += ["--region", name.partition("-")[2]]
        return words

    def start(self, name: str):
        (self.folder / "state" / name).mkdir(parents=True, exist_ok=True)
        with open(self.folder / "log" / name, "ab") as log:
            self.running[name] = subprocess.Popen(
                [self.program, *map(str, self.arguments(name))], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_ready(self, name: str):
        end = time.monotonic() + READY
        while time.monotonic() < end:
            if self.running[name].poll() is not None:
                break
            if self.get(name, "/readyz") is not None:
                return
            time.sleep(0.05)
        last = (self.folder / "log" / name).read_text(errors="replace").splitlines()[-LOG_LINES:]
        raise Problem("\n".join([f"{name} did not become ready; its log (--folder keeps it) ends with", *last]))

    def get(self, name: str, path: str) -> bytes | None:
        return ops.get(address(name), path)

    def status(self, name: str) -> dict:
        return ops.status(address(name))

    def stream(self, name: str) -> dict:
        return next((stream for stream in self.status(name).get("streams", []) if stream["name"] == STREAM), {})

    @property
    def leader(self) -> str | None:
        """The entrypoint from which the set reflectors get the stream; nil if they have none, or differ."""
        sources = set()
        for name in self.sets:
            live = [path["parent"] for path in self.stream(name).get("paths", []) if path["state"] == "live"]
            sources.update(parent for parent in live[:1] if parent in self.entrypoints)
        return sources.pop() if len(sources) == 1 else None

    def is_announced(self, entrypoint: str) -> bool:
        """True if the entrypoint has a link to every set reflector, over which it announces its streams."""
        links = self.status(entrypoint).get("links", [])
        return sum(link["part"] == "announce" and link["state"] == "alive" for link in links) >= SETS

    # Faults.

    def kill(self, name: str):
        self.running[name].kill()
        self.running[name].wait()

    def signal(self, name: str, number: signal.Signals):
        os.kill(self.running[name].pid, number)

    def cut(self, name: str, *conditions: str):
        """Drops, on arrival, the packets that meet one of the conditions: a sender is not told."""
        where = address(name)
        rules = "".join(f"ip {condition.format(where)} drop\n" for condition in conditions)
        chain = "chain input {\ntype filter hook input priority 0\n" + rules + "}"
        subprocess.run(["nft", "-f", "-"], input=f"table inet bench {{\n{chain}\n}}\n", text=True, check=True)

    def heal(self):
        subprocess.run(["nft", "delete", "table", "inet", "bench"], stderr=subprocess.DEVNULL)
