"""Progressive `.ts` viewers, which record the number and time of each packet.

A viewer that is disconnected comes back at once, and that is counted: viewers should not notice a fail-over.
"""

import selectors
import socket
import time

from stream import NumberReader
from worker import Loop

RETRY = 0.1
LATE = 500_000_000
"""Nanoseconds after its sending when a packet is late: the play-out deadline of the edges."""


class ChunkedBody:
    """Reads the body of an answer with `Transfer-Encoding: chunked`, or of one that lasts as long as its connection."""

    def __init__(self):
        self.buffer = b""
        self.left = 0
        """Bytes of the current chunk that are still to come, with the two that end it."""
        self.status = 0
        self.is_chunked = False

    def read(self, received: bytes) -> bytes:
        self.buffer += received
        if not self.status:
            head, end, rest = self.buffer.partition(b"\r\n\r\n")
            if not end:
                return b""
            self.status = int(head.split(b" ", 2)[1])
            self.is_chunked = b"transfer-encoding: chunked" in head.lower()
            self.buffer = rest
        if not self.is_chunked:
            body, self.buffer = self.buffer, b""
            return body
        parts = []
        while True:
            if self.left == 0:
                size, end, rest = self.buffer.partition(b"\r\n")
                if not end:
                    break
                self.left, self.buffer = int(size.split(b";")[0], 16) + 2, rest
            part = self.buffer[:self.left]
            if not part:
                break
            self.left -= len(part)
            self.buffer = self.buffer[len(part):]
            # The last two bytes of a chunk are its line end.
            parts.append(part[:len(part) - max(2 - self.left, 0)])
        return b"".join(parts)


class Record:
    """What one viewer got since the last `take`."""

    def __init__(self, by_picture: bool):
        self.by_picture = by_picture
        self.seen: set[int] = set()
        self.begin = 0
        """Numbers before this one were counted by an earlier `take`."""
        self.highest = 0
        self.last_arrival = 0
        self.reader = NumberReader(by_picture)
        self.restart()

    def restart(self):
        self.gap_longest = self.late = self.repeated = self.disordered = self.splices = self.damaged = 0
        self.disconnected = 0
        self.latest = 0

    def read(self, payload: bytes):
        """Notes the packets in the next bytes of the stream."""
        now = time.monotonic_ns()
        splices, damaged = self.reader.splices, self.reader.damaged
        for number, sent in self.reader.read(payload):
            self.note(number, sent, now)
        self.splices += self.reader.splices - splices
        self.damaged += self.reader.damaged - damaged

    def note(self, number: int, sent: int, now: int):
        if number in self.seen or number < self.begin:
            self.repeated += 1
            return
        self.seen.add(number)
        if number < self.highest:
            self.disordered += 1
        self.highest = max(self.highest, number)
        if sent:
            self.latest = max(self.latest, now - sent)
            self.late += now - sent > LATE
        if self.last_arrival:
            self.gap_longest = max(self.gap_longest, now - self.last_arrival)
        self.last_arrival = now

    def take(self, mark: int | None) -> dict:
        """The output since the last call, up to the number `mark` (nil: up to the newest). Times in seconds."""
        mark = mark or self.highest
        # The first call begins with the first number that came.
        wanted = range(self.begin or min(self.seen, default=mark + 1), mark + 1)
        outcome = {
            "packets": len(wanted), "lost": sum(number not in self.seen for number in wanted), "late": self.late,
            "repeated": self.repeated, "disordered": self.disordered, "splices": self.splices, "damaged": self.damaged,
            "disconnected": self.disconnected, "gap": self.gap_longest / 1e9, "delay": self.latest / 1e9,
        }
        self.begin = mark + 1
        self.seen = {number for number in self.seen if number > mark}
        self.restart()
        return outcome


class Viewer(Record):
    """One viewer over HTTP."""

    def __init__(
        self, loop: Loop, address: str, path: str, source: str, by_picture: bool = False, open_socket=socket.socket
    ):
        """source: own address, or "" for any; open_socket: makes a TCP socket, perhaps in another network namespace."""
        super().__init__(by_picture)
        self.loop, self.address, self.path, self.source = loop, address, path, source
        self.open_socket = open_socket
        self.open()

    def open(self):
        self.reader, self.body = NumberReader(self.by_picture), ChunkedBody()
        self.socket = self.open_socket()
        self.socket.setblocking(False)
        if self.source:
            self.socket.bind((self.source, 0))
        self.socket.connect_ex((self.address, 8080))
        self.request = f"GET {self.path} HTTP/1.1\r\nHost: {self.address}\r\n\r\n".encode()
        self.loop.watch(self.socket, selectors.EVENT_WRITE, self.on_event)

    def on_event(self, events: int):
        try:
            if events & selectors.EVENT_WRITE:
                self.socket.send(self.request)
                self.loop.watch(self.socket, selectors.EVENT_READ, self.on_event)
                return
            received = self.socket.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        payload = self.body.read(received)
        if not received or self.body.status >= 300:
            self.loop.forget(self.socket)
            self.socket.close()
            self.disconnected += 1
            self.loop.after(RETRY, self.open)
            return
        self.read(payload)


class Viewers:
    """Runs in a `Worker`."""

    def __init__(self, loop: Loop, addresses: list[str], path: str, source: str, by_picture: bool):
        self.viewers = [Viewer(loop, address, path, source, by_picture) for address in addresses]

    def tick(self) -> float:
        return time.monotonic() + 1

    def take(self, mark: int | None) -> list[dict]:
        return [viewer.take(mark) for viewer in self.viewers]

    def silence(self) -> list[float]:
        """For each viewer, seconds since its newest packet; a large number if it has none."""
        now = time.monotonic_ns()
        return [(now - viewer.last_arrival) / 1e9 for viewer in self.viewers]

    def longest_gap(self) -> float:
        """The longest gap of all viewers since the last `take`, in seconds."""
        return max(viewer.gap_longest for viewer in self.viewers) / 1e9
