"""Wide-area links with a delay: two TAP devices each, and a process that passes the frames on later.

`netem`, which would do this in the kernel, is missing on many of them. The frames of one direction keep their order.
A frame costs about 25 µs of a core, so these links suit some ten thousand packets a second.
"""

import fcntl
import heapq
import os
import random
import selectors
import struct
import time

from description import Link
from namespaces import inside
from worker import Loop

SET_INTERFACE = 0x4004_54CA
TAP, NO_HEADER = 0x0002, 0x1000
FRAME_MAX = 65_536
BURST = 64
"""Frames read at once from one device."""
WAITING_MAX = 20_000
"""Frames that may be on their way in one direction; more are dropped."""
IDLE = 1.0
NUDGE = 0.0004
"""The kernel counts waits in milliseconds; a frame may leave this much early, in seconds."""


def open_tap(network: str, interface: str) -> int:
    """Makes a TAP device, which exists as long as the descriptor is open."""
    with inside(network):
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(descriptor, SET_INTERFACE, struct.pack("16sH22x", interface.encode(), TAP | NO_HEADER))
    return descriptor


class Direction:
    """What goes from one end of a link to the other."""

    def __init__(self, link: Link, source: int, target: int, generator: random.Random):
        self.link, self.source, self.target, self.random = link, source, target, generator
        self.last_due = 0.0
        self.waiting = 0


class Wires:
    """Runs in a `Worker`."""

    def __init__(self, loop: Loop, links: list[tuple[Link, int, int]]):
        self.due: list[tuple[float, int, Direction, bytes]] = []
        self.count = 0
        self.dropped = 0
        generator = random.Random(1)
        for link, a, b in links:
            for source, target in [(a, b), (b, a)]:
                direction = Direction(link, source, target, generator)
                loop.watch(source, selectors.EVENT_READ, lambda _, direction=direction: self.read(direction))

    def read(self, direction: Direction):
        link = direction.link
        for _ in range(BURST):
            try:
                frame = os.read(direction.source, FRAME_MAX)
            except OSError:
                return
            if direction.waiting >= WAITING_MAX:
                self.dropped += 1
                continue
            delay = link.delay + (direction.random.uniform(-link.jitter, link.jitter) if link.jitter else 0)
            direction.last_due = max(direction.last_due, time.monotonic() + delay)
            direction.waiting += 1
            self.count += 1
            heapq.heappush(self.due, (direction.last_due, self.count, direction, frame))

    def tick(self) -> float:
        """Passes on the frames that are due. Returns when the next one is."""
        now = time.monotonic() + NUDGE
        while self.due and self.due[0][0] <= now:
            _, _, direction, frame = heapq.heappop(self.due)
            direction.waiting -= 1
            try:
                os.write(direction.target, frame)
            except OSError:
                # The device is down, or takes no more.
                self.dropped += 1
        return self.due[0][0] if self.due else now + IDLE
