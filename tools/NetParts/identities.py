"""Real identities and stream keys for the nodes of a test network, made by `reflector keys`."""

import pathlib
import subprocess


class Problem(Exception):
    """The work cannot go on; the text says why."""


class Keys:
    """The folders `identities` and `operator` and the file `keys` in a folder that also holds `zones`."""

    def __init__(self, program: str, folder: pathlib.Path):
        self.program, self.folder = program, folder

    def make(self, names: list[str], streams: list[str], operator: str):
        """names: hosts that get an identity; streams: names or patterns that get a key of their own each."""
        identities, secrets, requests = (self.folder / part for part in ["identities", "operator", "requests"])
        requests.mkdir()
        self.run("keys", "init", secrets, "--name", operator)
        for name in names:
            (requests / name).write_text(self.run("keys", "request", name, "--identity", identities / name))
        self.run(
            "keys", "sign", *[requests / name for name in names], "--operator", secrets, "--zones",
            self.folder / "zones", "--out", requests)
        for name in names:
            self.run(
                "keys", "install", requests / f"{name}.certificate", "--identity", identities / name, "--operators",
                secrets / "operators")
        self.run("keys", "streams", self.folder / "keys", *[word for name in streams for word in ["--stream", name]])

    def of_stream(self, stream: str) -> str | None:
        """The key with which an encoder pushes the stream: that of its own line, or of the longest pattern."""
        lines = [line.split() for line in (self.folder / "keys").read_text().splitlines()]
        found = {words[1]: words[2] for words in lines if words[:1] == ["stream"]}
        fitting = [
            name for name in found if name == stream or name.endswith("*") and stream.startswith(name.rstrip("*"))]
        return found[max(fitting, key=lambda name: (name == stream, len(name)))] if fitting else None

    def run(self, *words) -> str:
        result = subprocess.run([self.program, *map(str, words)], capture_output=True, text=True)
        if result.returncode != 0:
            raise Problem(f"reflector {' '.join(map(str, words))}: {result.stderr or result.stdout}")
        return result.stdout
