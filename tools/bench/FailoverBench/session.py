"""The runs of one grade of standby: a fault, its end, and the way back to a steady network, many times."""

import contextlib
import pathlib
import time

from encoder import Encoder
from faults import Fault, faults
from ffmpeg_encoder import FFmpegEncoder
from network import EDGES, ENCODER, PULL_PORT, STREAM, VIEWER, Network, Problem, address
from stream import NumberedStream
from viewer import Viewers
from worker import Worker

STEADY_MAX = 40
"""Seconds within which the network must be steady again after a fault has ended."""
CALM = 1.0
"""Seconds for which everything must have been in order."""
PAUSE = 0.1
"""Longest pause of a viewer's output in that time."""
PLAYED_OUT = 0.7
"""Seconds after its sending when a packet has arrived or is lost: more than the play-out deadline."""


class Session:
    """A running network with its encoder and viewers, as a context manager."""

    def __init__(self, options, grade: str, entrypoints: int, folder: pathlib.Path):
        self.options, self.grade, self.count, self.folder = options, grade, entrypoints, folder

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.network = stack.enter_context(
                Network(self.grade, self.count, self.options.program, self.folder))
            addresses = [address(name) for name in self.network.entrypoints]
            path = f"/{STREAM}?key={self.network.key}"
            if self.options.ffmpeg:
                log = stack.enter_context(open(self.folder / "log" / "ffmpeg", "ab"))
                self.encoder = FFmpegEncoder(self.options.group, addresses, path, log)
            else:
                port = PULL_PORT if self.grade == "cold" else None
                self.encoder = Worker(
                    Encoder, NumberedStream(self.options.group), ENCODER, addresses, path, port,
                    self.options.answer / 1_000)
            stack.callback(self.encoder.end)
            self.viewers = Worker(
                Viewers, [address(f"edge-{number + 1}") for number in range(EDGES)], f"/{STREAM}.ts", VIEWER,
                self.options.ffmpeg)
            stack.callback(self.viewers.end)
            lack = self.wait_until_steady()
            if lack:
                raise Problem(f"{self.grade}: the network did not start: it lacks {lack}; --folder keeps the logs")
            self.forget()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def forget(self):
        """Nothing up to now counts for the next run. Packets on their way must not count as delivered twice."""
        mark = self.encoder.ask("mark")
        time.sleep(PLAYED_OUT)
        self.viewers.ask("take", mark)

    def plan(self, todo: dict[str, int]):
        """Yields the next fault, and the number of its run, while the caller counts down how many are left of each."""
        for fault in faults(self.grade):
            if fault.is_at_encoder and self.options.ffmpeg:
                continue
            while todo.get(fault.name, 0) > 0:
                yield fault, self.options.runs - todo[fault.name] + 1

    def measure(self, fault: Fault, number: int) -> dict:
        """Makes one fault. The outcome covers every packet from the previous run to the end of this one."""
        struck = self.network.leader
        if self.grade == "hot":
            struck = self.network.entrypoints[(number - 1) % self.count]
        if not struck:
            raise Problem(f"{self.grade}: no set reflector says where the stream comes from")
        if fault.prepare:
            fault.prepare(self.network, self.encoder)
            self.forget()
            struck = self.network.leader
        self.encoder.ask("take")
        fault.strike(self.network, self.encoder, struck)
        time.sleep(fault.lasts or self.options.seconds)
        follower = self.network.leader
        during = self.encoder.ask("take")
        fault.heal(self.network, self.encoder, struck)
        lack = self.wait_until_steady()
        mark = self.encoder.ask("mark")
        time.sleep(PLAYED_OUT)
        edges = self.viewers.ask("take", mark)
        after = self.encoder.ask("take")
        return {
            "grade": self.grade, "fault": fault.name, "entrypoints": self.count, "struck": struck,
            "follower": follower, "lack": lack, "edges": edges, "encoder": max(during["gap"], after["gap"]),
            # Only of a pull that the fault caused, not of the one after a restart.
            "answer": during["answer"],
        }

    def wait_until_steady(self) -> str | None:
        """Returns what is still missing when the time is over."""
        end = time.monotonic() + STEADY_MAX
        since = time.monotonic()
        lack = None
        while time.monotonic() < end:
            now_lacking = self.lacking()
            if now_lacking:
                since, lack = time.monotonic(), now_lacking
            elif time.monotonic() - since > CALM:
                return None
            time.sleep(PAUSE)
        return lack or "calm"

    def lacking(self) -> str | None:
        if max(self.viewers.ask("silence")) > PAUSE:
            return "packets at every edge"
        if self.grade == "cold":
            if self.encoder.ask("pulling") == 0:
                return "an entrypoint that pulls"
        elif not all(self.encoder.ask("connected")):
            return "an encoder's connection to every entrypoint"
        for name in self.network.entrypoints:
            if not self.network.is_announced(name):
                return f"links of {name} to all set reflectors"
            if self.grade != "cold" and not self.network.stream(name):
                return f"the stream at {name}"
        if not self.network.leader and self.grade != "hot":
            return "one source of all set reflectors"
        return None
