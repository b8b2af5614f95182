"""An encoder: one paced stream, pushed to several entrypoints over HTTP, or served to those who pull.

An entrypoint that is gone does not hold up the others: its connection is opened again every quarter of a second, and
one that takes no more data is dropped.
"""

import errno
import selectors
import socket
import time

from stream import CHUNK, CHUNK_INTERVAL, NumberedStream
from worker import Loop

RETRY = 0.25
BACKLOG_MAX = int(CHUNK / CHUNK_INTERVAL)
"""Bytes that may wait for a connection: a second of the stream."""
UNACKNOWLEDGED_MAX = 1_000
"""Milliseconds after which TCP gives up a connection whose peer acknowledges nothing."""
STALL = 0.02
"""The encoder does not catch up after a stall that is longer: no encoder would send such a burst."""


class Connection:
    """One copy of the stream on its way to an entrypoint."""

    def __init__(self, loop: Loop, connection: socket.socket, on_input, on_end):
        self.loop, self.socket, self.on_input, self.on_end = loop, connection, on_input, on_end
        self.waiting = bytearray()
        self.accepted = time.monotonic()
        self.is_answered = False
        """A pull's answer has been sent."""
        self.has_begun = False
        """The stream flows on it, from a random access point on."""
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MAX)
        loop.watch(connection, selectors.EVENT_READ | selectors.EVENT_WRITE, self.on_event)

    def send(self, data: bytes):
        self.waiting += data
        if len(self.waiting) > BACKLOG_MAX:
            self.close()
        else:
            self.flush()

    def flush(self):
        try:
            while self.waiting:
                sent = self.socket.send(self.waiting)
                del self.waiting[:sent]
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                return self.close()
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.waiting else 0)
        self.loop.watch(self.socket, events, self.on_event)

    def on_event(self, events: int):
        if events & selectors.EVENT_READ:
            try:
                received = self.socket.recv(65_536)
            except BlockingIOError:
                received = None
            except OSError:
                received = b""
            if received is not None:
                if not received:
                    return self.close()
                self.on_input(self, received)
        if self.socket.fileno() >= 0:
            self.flush()

    def close(self):
        if self.socket.fileno() < 0:
            return
        self.loop.forget(self.socket)
        self.socket.close()
        self.on_end(self)


class Target:
    """An entrypoint to which the encoder pushes."""

    def __init__(self, loop: Loop, address: str, path: str, source: str, open_socket=socket.socket):
        self.loop, self.address, self.path, self.source = loop, address, path, source
        self.open_socket = open_socket
        self.connection: Connection | None = None
        self.is_closed = False
        self.is_silent = False
        self.since = 0.0
        """When the entrypoint was last connected."""
        self.refusals = 0
        self.open()

    def open(self):
        if self.connection or self.is_closed:
            return
        connection = self.open_socket()
        connection.setblocking(False)
        if self.source:
            connection.bind((self.source, 0))
        connection.connect_ex((self.address, 8000))
        self.since = time.monotonic()
        self.connection = Connection(self.loop, connection, self.answered, self.ended)
        # This may already end the connection.
        self.connection.send(
            f"PUT {self.path} HTTP/1.1\r\nHost: {self.address}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())

    def answered(self, connection: Connection, received: bytes):
        """While the encoder sends, an answer is a refusal."""
        if not received.startswith(b"HTTP/1.1 100"):
            self.refusals += 1
            connection.close()

    def ended(self, connection: Connection):
        self.connection = None
        self.loop.after(RETRY, self.open)

    @property
    def seconds_connected(self) -> float:
        connection = self.connection
        return time.monotonic() - self.since if connection and connection.has_begun else 0


class Encoder:
    """Runs in a `Worker`."""

    def __init__(
        self, loop: Loop, stream: NumberedStream, source: str, addresses: list[str], path: str,
        pull_port: int | None = None, answer: float = 0, open_socket=socket.socket
    ):
        """source: own address, or "" for any; pull_port: serve the stream there instead of pushing it; answer: seconds
        until an answer begins; open_socket: makes a TCP socket, perhaps in another network namespace."""
        self.loop, self.answer, self.stream = loop, answer, stream
        self.targets = [
            Target(loop, address, path, source, open_socket) for address in ([] if pull_port else addresses)]
        self.pulls: list[Connection] = []
        self.answer_longest = 0.0
        self.next_chunk = time.monotonic()
        self.last_sent = time.monotonic_ns()
        self.gap_longest = 0
        if pull_port:
            self.listener = socket.create_server((source, pull_port))
            self.listener.setblocking(False)
            loop.watch(self.listener, selectors.EVENT_READ, self.accept)

    def tick(self) -> float:
        """Sends the chunks that are due. Returns when the next one is."""
        now = time.monotonic()
        if now - self.next_chunk > STALL:
            self.next_chunk = now
        while self.next_chunk <= now:
            self.next_chunk += self.stream.interval
            self.emit()
        return self.next_chunk

    def emit(self):
        now = time.monotonic_ns()
        self.gap_longest = max(self.gap_longest, now - self.last_sent)
        self.last_sent = now
        begins = self.stream.begins_group
        chunk = self.stream.next(now)
        framed = b"%x\r\n%b\r\n" % (len(chunk), chunk)
        for target in self.targets:
            connection = target.connection
            if not connection or target.is_silent:
                continue
            if begins:
                connection.has_begun = True
            if connection.has_begun:
                connection.send(framed)
        for connection in list(self.pulls):
            if begins and connection.is_answered and not connection.has_begun:
                connection.has_begun = True
                self.answer_longest = max(self.answer_longest, time.monotonic() - connection.accepted)
            if connection.has_begun:
                connection.send(chunk)

    def accept(self, _):
        accepted, _ = self.listener.accept()
        self.pulls.append(Connection(self.loop, accepted, self.requested, self.pulls.remove))

    def requested(self, connection: Connection, _: bytes):
        def begin():
            if connection.socket.fileno() >= 0:
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n\r\n")
                connection.is_answered = True
        self.loop.after(self.answer, begin)

    # What others ask.

    def mark(self) -> int:
        """The number sent last."""
        return self.stream.number

    def take(self) -> dict:
        """The longest pause of the encoder and the slowest answer to a pull, in seconds, since the last call."""
        taken = {"gap": self.gap_longest / 1e9, "answer": self.answer_longest}
        self.gap_longest, self.answer_longest = 0, 0.0
        return taken

    def connected(self) -> list[float]:
        """For each entrypoint, seconds for which it has been connected; 0 if it is not."""
        return [target.seconds_connected for target in self.targets]

    def pulling(self) -> int:
        """Number of entrypoints that pull now."""
        return sum(connection.has_begun for connection in self.pulls)

    def close(self, number: int):
        """Ends the connection to an entrypoint, without the end of the request, and opens no other."""
        target = self.targets[number]
        target.is_closed = True
        if target.connection:
            target.connection.close()

    def silence(self, number: int):
        """Sends an entrypoint nothing more, and keeps the connection."""
        self.targets[number].is_silent = True

    def resume(self, number: int):
        """Ends both; a connection that was silent is opened again, as encoders do when they have lost their input."""
        target = self.targets[number]
        if target.is_silent and target.connection:
            target.connection.close()
        target.is_silent = target.is_closed = False
        target.open()
