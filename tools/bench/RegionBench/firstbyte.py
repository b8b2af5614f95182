"""From a viewer's request to the first byte of the stream, at a member that another member can give the stream."""

import pathlib
import shutil
import tempfile
import time

from description import Description
from distribution import quantiles
from laboratory import Laboratory
from load import INTERVAL, Encoders, Viewers
from namespaces import open_socket
from worker import Worker

TARGET = 0.010
STREAMS_MAX = 30
"""Each has a viewer at the first member, and later one at each of the two others."""
SETTLE = 3
PAUSE = 0.1


def measure_first_byte(network: pathlib.Path, words, with_laboratory) -> int:
    count = min((words.runs + 1) // 2, STREAMS_MAX)
    names = [f"tv/{number}" for number in range(1, count + 1)]
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(shutil.copytree(network, pathlib.Path(folder) / "region"))
        path = copy / "region.example.streams"
        path.write_text("".join(f"stream  {name}  s{number}  entrypoints=ep-nyc  push\n"
                                for number, name in enumerate(names, 1)))
        description = Description(copy / "region.network")
        return with_laboratory(description, words, lambda lab: run(lab, names))


def run(lab: Laboratory, names: list[str]) -> int:
    described = lab.description
    address = lambda name: described.hosts[name].public[0]
    edges = described.with_role("edge")
    feeds = [(f"/{name}?key={lab.keys.of_stream(name)}", [address("ep-nyc")]) for name in names]
    encoders = Worker(Encoders, "encoder", feeds)
    first = Worker(Viewers, [(edges[0], address(edges[0]), f"/{name}.ts") for name in names])
    end = time.monotonic() + 20
    while not all(first.ask("arrivals")):
        if time.monotonic() > end:
            raise RuntimeError("the first viewers do not get their streams")
        time.sleep(PAUSE)
    time.sleep(SETTLE)
    times, open_sockets = [], []
    for edge in edges[1:]:
        for name in names:
            socket = open_socket(edge)
            socket.connect((address(edge), 8080))
            begin = time.perf_counter()
            socket.sendall(f"GET /{name}.ts HTTP/1.1\r\nHost: {edge}\r\n\r\n".encode())
            received = b""
            while b"\x47" not in received.partition(b"\r\n\r\n")[2]:
                part = socket.recv(1 << 16)
                if not part:
                    raise RuntimeError(f"{edge} closed the connection of a viewer of {name}: {received[:200]!r}")
                received += part
            times.append(time.perf_counter() - begin)
            open_sockets.append(socket)
            time.sleep(PAUSE)
    print(f"request to first byte at a member, stream at another one, ms: minimum, median, 90 %, worst; "
          f"{len(times)} viewers, pictures every {INTERVAL * 4e3:.0f} ms")
    print(f"{quantiles([each * 1e3 for each in times], 1)} ms; figure to reach: {TARGET * 1e3:.0f} ms", flush=True)
    for worker in [encoders, first]:
        worker.end()
    return int(sorted(times)[round((len(times) - 1) * 0.9)] > TARGET)
