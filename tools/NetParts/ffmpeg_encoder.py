"""A real encoder: one ffmpeg whose `tee` pushes to every entrypoint.

Its packets have no numbers. A viewer counts pictures by their time stamps instead, and lateness is unknown.
"""

import subprocess
import time

from stream import PICTURE_TICKS


def ffmpeg_command(group: int, addresses: list[str], path: str) -> list[str]:
    """An ffmpeg that pushes a test picture; group: pictures from one random access point to the next."""
    rate = 90_000 // PICTURE_TICKS
    # A queue for each entrypoint, which opens its connection again: one that is gone does not hold up the others.
    fifo = "attempt_recovery=1:recover_any_error=1:recovery_wait_time=0.25:drop_pkts_on_overflow=1"
    outputs = "|".join(
        f"[f=mpegts:onfail=ignore:flush_packets=1:method=PUT]http://{address}:8000{path}" for address in addresses)
    return (
        ["ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "warning", "-re"]
        + ["-f", "lavfi", "-i", f"testsrc2=size=160x90:rate={rate}"]
        + ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-bf", "0", "-g", str(group)]
        + ["-map", "0:v", "-f", "tee", "-use_fifo", "1", "-fifo_options", fifo, outputs])


class FFmpegEncoder:
    """Has the methods of a `Worker` with an `Encoder`."""

    def __init__(self, group: int, addresses: list[str], path: str, log):
        self.process = subprocess.Popen(
            ffmpeg_command(group, addresses, path), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.begin = time.monotonic()
        self.count = len(addresses)

    def ask(self, method: str, *_):
        match method:
            case "mark": return None
            case "take": return {"gap": 0.0, "answer": 0.0}
            case "connected": return [time.monotonic() - self.begin] * self.count
            case "pulling": return 0
        raise RuntimeError(f"ffmpeg cannot '{method}'")

    def end(self):
        self.process.kill()
        self.process.wait()
