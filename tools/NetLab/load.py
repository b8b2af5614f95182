"""The streams of a chaos run: numbered encoders, and a viewer of each stream at each edge. Both run in a `Worker`."""

import time

from encoder import Encoder
from namespaces import open_socket
from stream import EVIDENCE_MAX, NumberedStream
from viewer import Viewer
from worker import Loop

INTERVAL = 0.08
"""Seconds from chunk to chunk of a stream, which has 132 kb/s: many streams fit on a small machine."""


class Encoders:
    """All encoders, on one host."""

    def __init__(self, loop: Loop, host: str, streams: list[tuple[str, list[str]]]):
        """streams: the path of each with its key, and the addresses of its entrypoints."""
        self.encoders = [
            Encoder(loop, NumberedStream(1, INTERVAL), "", addresses, path, open_socket=lambda: open_socket(host))
            for path, addresses in streams]
        # They do not all send at once.
        for number, encoder in enumerate(self.encoders):
            encoder.next_chunk += INTERVAL * number / len(self.encoders)

    def tick(self) -> float:
        return min(encoder.tick() for encoder in self.encoders)

    def connected(self) -> list[list[bool]]:
        """For each stream, whether it flows to each of its entrypoints."""
        return [[seconds > 0 for seconds in encoder.connected()] for encoder in self.encoders]

    def pause(self) -> float:
        """The longest pause of an encoder since the last call, in seconds."""
        return max(encoder.take()["gap"] for encoder in self.encoders)


class StrictViewer(Viewer):
    """Counts what goes back: numbers must rise for as long as a connection lasts, also across a discontinuity."""

    def __init__(self, *arguments, **named):
        self.packets = self.lost = self.backward = self.marked = 0
        self.evidence: list[str] = []
        """The first things that were wrong."""
        self.damages: list[bytes] = []
        super().__init__(*arguments, **named)

    def open(self):
        if hasattr(self, "reader"):
            self.marked += self.reader.splices
        super().open()
        self.reader.evidence = self.damages
        self.highest = 0

    def note(self, number: int, sent: int, now: int):
        if number <= self.highest:
            self.backward += 1
            if len(self.evidence) < EVIDENCE_MAX:
                marked = ", after a discontinuity" if self.reader.splices else ""
                self.evidence.append(f"{number} after {self.highest}{marked}")
            return
        self.packets += 1
        if self.highest:
            self.lost += number - self.highest - 1
        self.highest, self.last_arrival = number, now


class Viewers:
    def __init__(self, loop: Loop, wanted: list[tuple[str, str, str]]):
        """wanted: the host of each viewer, which is that of its edge, the address of the edge, and the path."""
        self.viewers = [
            StrictViewer(loop, address, path, "", open_socket=lambda host=host: open_socket(host))
            for host, address, path in wanted]

    def tick(self) -> float:
        return time.monotonic() + 1

    def arrivals(self) -> list[float]:
        """When the newest packet of each viewer came, by the monotonic clock; 0 if there was none."""
        return [viewer.last_arrival / 1e9 for viewer in self.viewers]

    def take_wrongs(self) -> list[str]:
        """For each viewer, what was wrong with its stream since the last call; empty if nothing was."""
        wrongs = []
        for viewer in self.viewers:
            wrongs.append("; ".join([*viewer.evidence, *(f"damaged {packet.hex()}" for packet in viewer.damages)]))
            viewer.evidence.clear()
            viewer.damages.clear()
        return wrongs

    def counts(self) -> list[tuple[int, ...]]:
        """For each viewer: packets, lost, twice or out of order, damaged, discontinuities, and disconnections."""
        return [
            (viewer.packets, viewer.lost, viewer.backward, viewer.damaged, viewer.marked + viewer.reader.splices,
             viewer.disconnected)
            for viewer in self.viewers]
