"""Carries out the verbs that act on a running laboratory."""

import argparse
import pathlib
import signal
import time

import zone
from encoder import Encoder
from ffmpeg_encoder import ffmpeg_command
from identities import Problem
from laboratory import Laboratory
from namespaces import open_socket
from players import HEAD, Player, columns
from rolling import roll
from stream import NumberedStream
from worker import Worker

SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "cont": signal.SIGCONT, "end": signal.SIGTERM}
PICTURES = 10
"""From one random access point to the next."""


class Failed(Exception):
    """A check failed; the text is its whole output."""


class Commands:
    def __init__(self, laboratory: Laboratory):
        self.lab = laboratory
        self.encoders: dict[str, Worker] = {}
        """Encoders of numbered streams, by process name; those of ffmpeg are processes of the laboratory."""
        self.numbered: set[str] = set()
        """Streams whose encoders number their packets."""
        self.players: dict[str, Player] = {}

    def carry_out(self, words: argparse.Namespace) -> str:
        """Returns what to print. Raises `Problem` or `Failed`."""
        if words.verb in SIGNALS:
            return self.send(words.process, SIGNALS[words.verb])
        return getattr(self, words.verb)(words) or ""

    def send(self, name: str, number: signal.Signals) -> str:
        worker = self.encoders.get(name) or name in self.players and self.players[name].worker
        if worker and number in [signal.SIGKILL, signal.SIGTERM]:
            worker.end()
            self.encoders.pop(name, None)
            self.players.pop(name, None)
        elif worker:
            raise Problem(f"{name} can only be killed or ended")
        else:
            self.lab.signal(name, number)
        return ""

    def start(self, words) -> str:
        self.lab.start(words.process)
        return ""

    def cut(self, words):
        self.lab.drops.cut(words.a, words.b, words.one_way)

    def partition(self, words):
        groups = [group.split(",") for group in words.groups]
        if len(groups) < 2:
            raise Problem("a partition has at least two groups")
        for index, group in enumerate(groups):
            for other in groups[:index]:
                for a in group:
                    for b in other:
                        self.lab.drops.cut(a, b, one_way=False)

    def heal(self, words):
        if words.a and not words.b:
            raise Problem("heal takes two places, or none")
        self.lab.drops.heal(words.a, words.b)

    def wait(self, words):
        if words.what != "flowing":
            try:
                return time.sleep(float(words.what))
            except ValueError:
                raise Problem(f"'{words.what}' is neither a number of seconds nor 'flowing'") from None
        end = time.monotonic() + words.within
        while True:
            waiting = [name for name, player in self.players.items() if not player.flows()]
            if not waiting:
                return
            if time.monotonic() > end:
                raise Failed(f"after {words.within:g} s, nothing flows to {', '.join(waiting)}")
            time.sleep(0.05)

    # Encoders and players.

    def encoder(self, words) -> str:
        stream, lab = words.stream, self.lab
        name = f"encoder-{stream.replace('/', '-')}"
        if lab.is_running(name) or name in self.encoders:
            raise Problem(f"{name} runs already")
        hosts = lab.description.hosts
        host = words.host or next((host for host in hosts if host not in lab.description.nodes), None)
        if host not in hosts:
            raise Problem(f"no host '{host}'" if host else "every host has a node; say where: --from HOST")
        names = words.to.split(",") if words.to else zone.candidates(lab.zones, lab.description.zone, stream)
        addresses = [self.address(entrypoint, host) for entrypoint in names]
        path = f"/{stream}?key={lab.keys.of_stream(stream) or ''}"
        if words.numbered or words.serve:
            self.numbered.add(stream)
            self.encoders[name] = Worker(
                Encoder, NumberedStream(1), "", addresses, path, words.serve, 0.1, lambda: open_socket(host))
        else:
            self.numbered.discard(stream)
            bracketed = [f"[{address}]" if ":" in address else address for address in addresses]
            lab.run(name, host, ffmpeg_command(PICTURES, bracketed, path))
        where = f"serves at {hosts[host].public[0]}:{words.serve}" if words.serve else f"pushes to {', '.join(names)}"
        return f"{name} on {host} {where}"

    def player(self, words) -> str:
        stream, edge, lab = words.stream, words.edge, self.lab
        if edge not in lab.description.hosts:
            raise Problem(f"no host '{edge}'")
        host = words.host or edge
        number = 1 + sum(player.stream == stream and player.edge == edge for player in self.players.values())
        name = f"player-{stream.replace('/', '-')}-{edge}" + (f"-{number}" if number > 1 else "")
        address = self.address(edge, host)
        url = f"http://{f'[{address}]' if ':' in address else address}:8080/{stream}.ts"
        player = Player(stream, edge, host, stream not in self.numbered)
        if words.tool == "ffmpeg":
            player.progress = lab.folder / "log" / f"{name}.progress"
            lab.run(name, host, [
                "ffmpeg", "-v", "error", "-nostdin", "-progress", str(player.progress), "-i", url, "-f", "null", "-"])
        else:
            player.url = url
            player.begin()
        self.players[name] = player
        return f"{name} on {host} plays {url}"

    def address(self, name: str, host: str) -> str:
        """The first address of a host in a family that the other one has too."""
        hosts = self.lab.description.hosts
        if name not in hosts:
            raise Problem(f"no host '{name}'")
        families = {":" in address for address in hosts[host].public}
        found = [address for address in hosts[name].public if (":" in address) in families]
        if not found:
            raise Problem(f"{host} and {name} have no family of addresses in common")
        return found[0]

    # Views.

    def report(self, words) -> str:
        lines, problems = [HEAD], []
        for name, player in self.players.items():
            if not player.worker:
                complaints = len((self.lab.folder / "log" / name).read_text(errors="replace").splitlines())
                lines.append([name, player.stream, player.edge, "pictures", str(player.frames), *["-"] * 6])
                if complaints:
                    problems.append(f"{name}: ffmpeg complained {complaints} times: see tools/netlab log {name}")
                continue
            got = player.worker.ask("take", None)
            lines.append([
                name, player.stream, player.edge, "pictures" if player.by_picture else "packets",
                str(got["packets"] - got["lost"]),
                *(str(got[key]) for key in ["lost", "repeated", "disordered", "splices", "disconnected"]),
                f"{got['gap'] * 1e3:.0f} ms"])
            if got["repeated"] or got["disordered"]:
                problems.append(f"{name}: packets came twice or out of order")
            if words.lost_max is not None and got["lost"] > words.lost_max:
                problems.append(f"{name}: {got['lost']} lost, at most {words.lost_max} allowed")
            if words.gap_max is not None and got["gap"] > words.gap_max:
                problems.append(f"{name}: a gap of {got['gap']:.2f} s, at most {words.gap_max:g} s allowed")
        text = "\n".join([columns(lines), *problems])
        if problems:
            raise Failed(text)
        return text

    def rolling(self, words) -> str:
        text, problems = roll(self.lab, self.players, words.nodes, words.pause)
        if problems:
            raise Failed("\n".join([text, *problems]))
        return f"{text}\nnothing lost"

    def log(self, words) -> str:
        path: pathlib.Path = self.lab.folder / "log" / words.process
        if not path.is_file():
            raise Problem(f"no log of '{words.process}'")
        return path.read_text(errors="replace").rstrip()[-100_000:]

    def status(self, _) -> str:
        lab, described = self.lab, self.lab.description
        lines = [["HOST", "SITE", "LAN", "ADDRESSES", "NODE", "STATE"]]
        for host in described.hosts.values():
            node = described.nodes.get(host.name)
            lines.append([
                host.name, host.site or "-", host.lan or "-", " ".join(host.addresses), node.role if node else "-",
                lab.state(host.name) if node else "-"])
        others = [name for name in lab.running if name not in described.nodes]
        text = [columns(lines)]
        for name in [*others, *self.encoders, *(name for name in self.players if name not in others)]:
            where = lab.host_of.get(name) or name in self.players and self.players[name].host
            state = lab.state(name) if name in lab.running else "running"
            text.append(f"{name}{f' on {where}' if where else ''}: {state}")
        drops = lab.drops
        text += [f"cut: all that arrives at {interface} of {name}" for name, interface in sorted(drops.interfaces)]
        both = {pair for pair in drops.pairs if pair[::-1] in drops.pairs}
        text += [f"cut: {a} and {b}" for a, b in sorted(both) if a < b]
        text += [f"cut one way: {a} to {b}" for a, b in sorted(drops.pairs - both)]
        for edge in described.with_role("edge"):
            for stream in lab.status(edge).get("streams", []):
                parents = [path["parent"] for path in stream["paths"] if path["state"] == "live"]
                text.append(
                    f"{edge}: {stream['name']} of {stream.get('source') or 'nobody'}, from "
                    f"{', '.join(parents) or 'nobody'}; {stream['delivered']} delivered, {stream['lost']} lost, "
                    f"{stream['repaired']} repaired")
        return "\n".join(text)
