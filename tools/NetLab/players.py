"""Players with real programs: curl, whose output is measured, and ffmpeg, which decodes and complains."""

import pathlib
import selectors
import subprocess
import time

from stream import NumberReader
from viewer import Record
from worker import Loop, Worker

RETRY = 0.5
FLOWING = 0.5
"""A stream flows if its newest packet is at most this old, in seconds."""


class CurlPlayer(Record):
    """Runs in a `Worker`. Starts curl again when it ends, and counts that."""

    def __init__(self, loop: Loop, host: str, url: str, by_picture: bool):
        super().__init__(by_picture)
        self.loop = loop
        self.command = ["nsenter", f"--net=/run/netns/{host}", "--", "curl", "-sfN", "--connect-timeout", "2", url]
        self.open()

    def open(self):
        self.reader = NumberReader(self.by_picture)
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0)
        self.loop.watch(self.process.stdout, selectors.EVENT_READ, self.on_output)

    def on_output(self, _):
        received = self.process.stdout.read(1 << 20)
        if received:
            return self.read(received)
        self.loop.forget(self.process.stdout)
        self.process.stdout.close()
        self.process.wait()
        self.disconnected += 1
        self.loop.after(RETRY, self.open)

    def tick(self) -> float:
        return time.monotonic() + 1

    def silence(self) -> float | None:
        """Seconds since the newest packet; nil if there was none."""
        return (time.monotonic_ns() - self.last_arrival) / 1e9 if self.last_arrival else None


class Player:
    """What the laboratory knows of a player."""

    def __init__(self, stream: str, edge: str, host: str, by_picture: bool):
        self.stream, self.edge, self.host, self.by_picture = stream, edge, host, by_picture
        self.worker: Worker | None = None
        self.url = ""
        self.progress: pathlib.Path | None = None
        """Of an ffmpeg: the file in which it says how far it is."""

    def begin(self):
        """A viewer comes, who has seen nothing yet; one who was there before has left."""
        if self.worker:
            self.worker.end()
        self.worker = Worker(CurlPlayer, self.host, self.url, self.by_picture)

    def flows(self) -> bool:
        if not self.worker:
            return self.frames > 0
        silence = self.worker.ask("silence")
        return silence is not None and silence < FLOWING

    @property
    def frames(self) -> int:
        """Pictures that an ffmpeg has decoded."""
        text = self.progress.read_text(errors="replace") if self.progress.exists() else ""
        numbers = [line[6:] for line in text.splitlines() if line.startswith("frame=")]
        return int(numbers[-1]) if numbers else 0


HEAD = ["PLAYER", "STREAM", "EDGE", "UNIT", "GOT", "LOST", "TWICE", "UNORDERED", "SPLICES", "DISCONNECTED"]
HEAD += ["LONGEST GAP"]


def columns(lines: list[list[str]]) -> str:
    """Words to the left; columns whose cells are numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    is_number = lambda cell: cell == "-" or all(word.isdigit() or word == "ms" for word in cell.split())
    right = [len(column) > 1 and all(map(is_number, column[1:])) for column in zip(*lines)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, right)).rstrip()
        for line in lines)
