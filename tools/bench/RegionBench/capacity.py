"""What a set region of four hosts carries, beside one of a single host, with as many edges for each host."""

import os
import pathlib
import tempfile
import time

from description import Description
from distribution import quantiles
from encoder import Encoder
from laboratory import Laboratory
from namespaces import open_socket
from stream import NumberedStream
from worker import Worker

STREAMS = 4
EDGES_PER_HOST = 4
HOSTS = 4
SETTLE = 8
SPAN = 10
COPIES_MAX = 1.05
"""Of each stream from the entrypoint, repairs included."""
COST_MAX = 1.25
"""CPU of a host for a byte sent, by that of a single host: members also feed each other."""


def measure_capacity(words, with_laboratory) -> int:
    with tempfile.TemporaryDirectory() as folder:
        single = pathlib.Path(folder) / "single.txt"
        code = 0
        for hosts in [1, HOSTS]:
            description = write_network(pathlib.Path(folder) / f"hosts{hosts}", hosts)
            code = max(code, with_laboratory(description, words, lambda lab, hosts=hosts: run(lab, hosts, single)))
            if code == 2:
                break
        return code


def write_network(folder: pathlib.Path, hosts: int) -> Description:
    folder.mkdir()
    edges = hosts * EDGES_PER_HOST
    (folder / "capacity.example.portsets").write_text(
        f"default ttl=5\nsetregion nyc id=r9001 hosts={','.join(f'set-{n}' for n in range(1, hosts + 1))} site=nyc\n"
        + "".join(f"region r{n} hosts=edge-{n}\n" for n in range(1, edges + 1)) + "map s* r* nyc\n")
    (folder / "capacity.example.streams").write_text(
        "".join(f"stream tv/{n} s{n} entrypoints=ep push\n" for n in range(1, STREAMS + 1)))
    path = folder / "capacity.network"
    path.write_text(
        "zone capacity.example files=.\nsite nyc\nlan nyc-lan\nhost encoder site=nyc\nhost ns site=nyc\nhost ep site=nyc\n"
        f"host set-[1-{hosts}] site=nyc lan=nyc-lan\nhost edge-[1-{edges}] site=nyc\n"
        f"node ns nameserver\nnode ep entrypoint\nnode set-[1-{hosts}] set{' members' if hosts > 1 else ''}\n"
        + "".join(f"node edge-{n} edge --region {n}\n" for n in range(1, edges + 1)))
    return Description(path)


def run(lab: Laboratory, hosts: int, single: pathlib.Path) -> int:
    described = lab.description
    address = lambda name: described.hosts[name].public[0]
    edges, sets = described.with_role("edge"), described.with_role("set")
    encoders = [
        Worker(Encoder, NumberedStream(10), "", [address("ep")], f"/tv/{n}?key={lab.keys.of_stream(f'tv/{n}')}", None,
               0.1, lambda: open_socket("encoder"))
        for n in range(1, STREAMS + 1)]
    time.sleep(1)
    for edge in edges:
        for n in range(1, STREAMS + 1):
            lab.run(f"player-{edge}-{n}", edge, ["curl", "-sN", "-o", os.devnull, f"http://{address(edge)}:8080/tv/{n}.ts"])
    time.sleep(SETTLE)
    names = [*sets, "ep"]
    before = {name: counts(lab, name) for name in names}
    lost_before = sum(lost(lab, edge) for edge in edges)
    time.sleep(SPAN)
    after = {name: counts(lab, name) for name in names}
    used = {name: tuple(b - a for a, b in zip(before[name], after[name])) for name in names}
    missing = sum(lost(lab, edge) for edge in edges) - lost_before
    carrying = [edge for edge in edges if len(lab.status(edge).get("streams", [])) == STREAMS]
    sent = {name: used[name][1] * 8 / SPAN / 1e6 for name in names}
    cost = {name: used[name][0] / max(used[name][1], 1) * 1e9 for name in sets}
    copies = used["ep"][1] / max(used["ep"][2], 1)
    total = sum(sent[name] for name in sets)
    print(f"{hosts} host{'s' if hosts > 1 else ''}, {len(edges)} edges with {STREAMS} streams each: "
          f"{total:.0f} Mb/s sent in all, {quantiles(list(map(sent.get, sets)))} Mb/s by a host; "
          f"{copies:.2f} copies from the entrypoint; {missing} lost at {len(carrying)} edges; CPU for each GB sent "
          f"{quantiles(list(cost.values()), 1)} s", flush=True)
    for encoder in encoders:
        encoder.end()
    spent = sum(used[name][0] for name in sets) / max(sum(used[name][1] for name in sets), 1)
    code = int(copies > COPIES_MAX or missing > 0 or carrying != edges)
    if hosts == 1:
        single.write_text(f"{total} {spent}")
        return code
    total_single, spent_single = map(float, single.read_text().split())
    served = total / total_single / hosts
    print(f"by a single host's: {total / total_single:.2f} times the bytes, {spent / spent_single:.2f} times the CPU for "
          f"each byte (figures to reach: {hosts} times the edges, with one copy; at most {COST_MAX})", flush=True)
    return int(code or spent / spent_single > COST_MAX or served < 0.95)


def counts(lab: Laboratory, name: str) -> tuple[float, int, int]:
    """CPU seconds, bytes sent to children, and bytes of streams taken in."""
    with open(f"/proc/{lab.running[name].pid}/stat") as file:
        words = file.read().rsplit(")", 1)[1].split()
    state = lab.status(name)
    taken = sum(stream["bytesIn"] for stream in state["streams"])
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK"), state["counters"]["bytes_sent"], taken


def lost(lab: Laboratory, edge: str) -> int:
    return sum(stream["lost"] for stream in lab.status(edge).get("streams", []))
