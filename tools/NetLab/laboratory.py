"""A running laboratory: the network, its zone, and the processes on its hosts."""

import os
import pathlib
import signal
import subprocess
import time

import ops
import zone
from cables import Cables
from description import Description
from drops import Drops
from identities import Keys, Problem
from namespaces import bind_file, inside

DNS_PORT = 53
READY = 40
"""Seconds within which every node must be ready, also on a busy machine."""
NAME_SERVERS_FIRST = 0.3
"""Seconds by which they start before the other nodes, which would otherwise retry."""
LOG_LINES = 5


class Laboratory:
    """What it starts ends with the process namespace; what it builds with the network namespaces."""

    def __init__(self, description: Description, program: str, folder: pathlib.Path):
        self.description, self.program, self.folder = description, program, folder
        self.cables = Cables(description)
        self.drops = Drops(description, self.cables)
        self.running: dict[str, subprocess.Popen] = {}
        """Processes by name: nodes have that of their host."""
        self.host_of: dict[str, str] = {}
        self.keys = Keys(program, folder)

    def build(self):
        """The network without processes."""
        for part in ["", "log", "state"]:
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        self.cables.build()
        self.drops.apply()
        self.name_hosts()
        if self.description.zone:
            zone.write_zone(self.description, self.folder / "zones")
            result = subprocess.run([self.program, "zone", "check", self.zones], capture_output=True, text=True)
            if result.returncode != 0:
                raise Problem(f"the zone is wrong:\n{result.stdout}{result.stderr}")
            streams = list(zone.streams(self.zones, self.description.zone))
            self.keys.make(list(self.description.nodes), streams, "netlab")

    def name_hosts(self):
        """Inside the laboratory, hosts are known by their names."""
        lines = ["127.0.0.1 localhost", "::1 localhost"]
        for host in self.description.hosts.values():
            lines += [f"{address} {host.name}" for address in host.public]
            lines += [f"{address.ip} {host.name}-lan" for address in host.lan_addresses if host.site]
        (self.folder / "hosts").write_text("\n".join(lines) + "\n")
        bind_file(str(self.folder / "hosts"), "/etc/hosts")

    @property
    def zones(self) -> pathlib.Path:
        return self.folder / "zones"

    # Processes.

    def start_all(self):
        servers = self.description.with_role("nameserver")
        for name in servers:
            self.start(name)
        time.sleep(NAME_SERVERS_FIRST if servers else 0)
        for name in self.description.nodes:
            if name not in servers:
                self.start(name)
        self.wait_ready(list(self.description.nodes))

    def wait_ready(self, names: list[str], seconds: float = READY):
        end = time.monotonic() + seconds
        waiting = list(names)
        while waiting:
            for name in waiting:
                if self.running[name].poll() is not None:
                    raise Problem(f"{name} has ended; its log ends with\n{self.tail(name)}")
            waiting = [name for name in waiting if self.get(name, "/readyz") is None]
            if waiting and time.monotonic() > end:
                raise Problem(f"{waiting[0]} did not become ready; its log ends with\n{self.tail(waiting[0])}")
            time.sleep(0.05 if waiting else 0)

    def start(self, name: str):
        """Starts the node of a host."""
        if name not in self.description.nodes:
            raise Problem(f"no node '{name}'; there are {', '.join(self.description.nodes)}")
        if self.is_running(name):
            raise Problem(f"{name} runs already")
        (self.folder / "state" / name).mkdir(exist_ok=True)
        self.run(name, name, [self.program, *map(str, self.arguments(name))])

    def run(self, name: str, host: str, command: list[str]):
        """Starts any program on a host; its output goes to a log of that name."""
        with open(self.folder / "log" / name, "ab") as log:
            self.running[name] = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{host}", "--", *command], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)
        self.host_of[name] = host

    def arguments(self, name: str) -> list:
        node, host = self.description.nodes[name], self.description.hosts[name]
        common = ["--identity", self.folder / "identities" / name, "--state", self.folder / "state" / name]
        common += ["--ops", endpoint(host.public[0], ops.PORT)]
        if node.role == "nameserver":
            listen = [word for address in host.public for word in ["--listen", endpoint(address, DNS_PORT)]]
            return ["nameserver", "--zones", self.zones, *listen, "--workers", "1", *common, *node.options]
        words = [node.role, name, "--zone", self.description.zone, *common]
        families = {":" in address for address in host.public}
        for server in self.description.with_role("nameserver"):
            for address in self.description.hosts[server].public:
                if (":" in address) in families:
                    words += ["--server", endpoint(address, DNS_PORT)]
        if node.role == "entrypoint":
            words += ["--keys", self.folder / "keys"]
        return words + node.options

    def is_running(self, name: str) -> bool:
        return name in self.running and self.running[name].poll() is None

    def signal(self, name: str, number: signal.Signals):
        """Ends with the process if it is killed."""
        if not self.is_running(name):
            raise Problem(f"'{name}' does not run; there are {', '.join(filter(self.is_running, self.running))}")
        os.kill(self.running[name].pid, number)
        if number == signal.SIGKILL:
            self.running[name].wait()

    def state(self, name: str) -> str:
        if name not in self.running:
            return "not started"
        code = self.running[name].poll()
        if code is not None:
            return "killed" if code == -signal.SIGKILL else f"ended, {code}"
        with open(f"/proc/{self.running[name].pid}/stat") as file:
            return "stopped" if file.read().rsplit(")", 1)[1].split()[0] == "T" else "running"

    def tail(self, name: str) -> str:
        lines = (self.folder / "log" / name).read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES:])

    # What nodes say.

    def get(self, name: str, path: str) -> bytes | None:
        """The answer of a node's ops endpoint, asked on its own host; None unless it is 200."""
        return ops.get(self.description.hosts[name].public[0], path, inside(name))

    def status(self, name: str) -> dict:
        return ops.status(self.description.hosts[name].public[0], inside(name))


def endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
