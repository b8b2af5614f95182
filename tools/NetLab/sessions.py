"""Laboratories from begin to end: `up`, and `run` with a network of its own."""

import contextlib
import json
import pathlib
import selectors
import shutil
import socket
import tempfile
import time

import client
import supervisor
from commands import Commands, Failed
from description import Description
from identities import Problem
from laboratory import Laboratory
from supervisor import Listener
from verbs import Usage, make_parser
from zone import streams

TABLE_EVERY = 5
"""Seconds from one table of `up --feed` to the next."""
MEMORY = pathlib.Path("/run/netlab")
"""In the laboratory's own file system, which ends with it."""
CLIENT_VERBS = ["up", "down", "run", "chaos", "check", "exec", "shell"]


class Ended(Exception):
    """Somebody asked the laboratory to end."""


class Server:
    """Answers requests at the control socket, one after the other."""

    def __init__(self, listener: Listener, laboratory: Laboratory):
        self.listener, self.lab = listener, laboratory
        self.commands = Commands(laboratory)
        self.farewell: socket.socket | None = None
        """Stays open until the end, for which the peer waits."""

    def carry_out(self, words: list[str]) -> tuple[int, str]:
        try:
            parsed = make_parser().parse_args(words)
            if parsed.verb in CLIENT_VERBS:
                return 2, f"netlab: '{parsed.verb}' is not for a running laboratory"
            return 0, self.commands.carry_out(parsed)
        except Failed as failed:
            return 1, str(failed)
        except (Problem, Usage, OSError, RuntimeError) as problem:
            return 2, f"netlab: {problem}"
        except SystemExit:
            return 0, ""

    def serve(self, seconds: float):
        """Answers for some time. Raises `Ended`."""
        end = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.listener.socket, selectors.EVENT_READ)
            while (left := end - time.monotonic()) > 0:
                if selector.select(left):
                    connection = self.listener.accept()
                    if connection:
                        self.answer(connection)

    def answer(self, connection: socket.socket):
        connection.settimeout(2)
        with contextlib.suppress(OSError, ValueError):
            request = json.loads(connection.recv(client.ANSWER_MAX))
            if "enter" in request:
                self.let_in(connection, request["enter"])
            elif request["words"] == ["down"]:
                connection.send(json.dumps({"code": 0, "text": ""}).encode())
                self.farewell = connection
                raise Ended
            else:
                code, text = self.carry_out(request["words"])
                connection.settimeout(None)
                connection.send(json.dumps({"code": code, "text": text}).encode())
        connection.close()

    def let_in(self, connection: socket.socket, host: str):
        """Hands over the namespaces of a host."""
        if host not in self.lab.description.hosts:
            text = f"no host '{host}'; there are {', '.join(self.lab.description.hosts)}"
            connection.send(json.dumps({"code": 2, "text": text}).encode())
            return
        environment = {"LAB": str(self.lab.folder), "REFLECTOR": self.lab.program}
        with contextlib.ExitStack() as stack:
            files = [
                stack.enter_context(open(path))
                for path in ["/proc/self/ns/pid", f"/run/netns/{host}", "/proc/self/ns/mnt"]]
            answer = json.dumps({"code": 0, "text": "", "environment": environment}).encode()
            socket.send_fds(connection, [answer], [file.fileno() for file in files])


def own_folder(words) -> pathlib.Path:
    if not words.folder:
        return MEMORY
    folder = pathlib.Path(words.folder).absolute()
    if folder.exists() and any(folder.iterdir()):
        raise Usage(f"--folder: {folder} is not empty\n")
    return folder


def keep_logs(laboratory: Laboratory) -> pathlib.Path:
    """Copies the logs out of the laboratory, if they would end with it."""
    if laboratory.folder != MEMORY:
        return laboratory.folder / "log"
    kept = pathlib.Path(tempfile.mkdtemp(prefix="netlab-"))
    shutil.copytree(laboratory.folder / "log", kept / "log")
    return kept / "log"


def run_up(words, description: Description, program: str) -> int:
    folder = own_folder(words)
    if words.feed is not None and (words.bare or not description.nodes):
        raise Usage("--feed needs nodes\n")

    def body(listener: Listener) -> int:
        laboratory = Laboratory(description, program, folder)
        server = Server(listener, laboratory)
        try:
            laboratory.build()
            if not words.bare:
                laboratory.start_all()
            print(welcome(laboratory), flush=True)
            if words.feed is not None:
                feed(server, words.feed)
            listener.tell_ready()
            code = stay(server, words)
        except Ended:
            return 0
        except Problem as problem:
            print(f"netlab: {problem}", flush=True)
            if laboratory.running:
                print(f"netlab: the logs are in {keep_logs(laboratory)}", flush=True)
            return 2
        return code

    return supervisor.supervise(words.lab or description.name, body, words.detach)


def stay(server: Server, words) -> int:
    """Until the time is over, or a signal. With viewers, a table now and then, and a verdict."""
    end = time.monotonic() + words.seconds if words.seconds else float("inf")
    worst = 0
    while (left := end - time.monotonic()) > 0:
        server.serve(min(left, TABLE_EVERY if words.feed is not None else 3_600))
        if words.feed is not None and not words.detach:
            code, text = server.carry_out(["report", "--lost-max", "0"])
            worst = max(worst, code)
            print(text + "\n", flush=True)
    return worst


def feed(server: Server, stream: str):
    """An encoder, a player at each edge, and the wait until all play."""
    lab = server.lab
    if not stream:
        known = [name for name in streams(lab.zones, lab.description.zone) if "*" not in name]
        if not known:
            raise Problem("the zone has no stream that could be fed; name one: --feed STREAM")
        stream = known[0]
    edges = lab.description.with_role("edge")
    players = [["player", stream, edge] for edge in edges]
    for words in [["encoder", stream], *players, ["wait", "flowing", "--within", "20"], ["report"]]:
        code, text = server.carry_out(words)
        if code == 2 or words[0] == "wait" and code:
            raise Problem(text.removeprefix("netlab: "))
        if text and words[0] != "report":
            print(text, flush=True)


def welcome(laboratory: Laboratory) -> str:
    described = laboratory.description
    edges = described.with_role("edge")
    lines = [f"{described.name}: {len(described.hosts)} hosts at {len(described.sites)} sites are up"]
    lines.append("In another terminal: tools/netlab status | exec HOST -- COMMAND | kill HOST | cut A B | --help")
    if edges:
        lines.append(f"A viewer's machine: tools/netlab exec {edges[0]} -- ffprobe http://{edges[0]}:8080/STREAM.ts")
    return "\n".join(lines)


def run_script(words, description: Description, program: str) -> int:
    folder, lines = own_folder(words), client.read_script(words.script)

    def body(listener: Listener) -> int:
        laboratory = Laboratory(description, program, folder)
        server = Server(listener, laboratory)
        try:
            laboratory.build()
            laboratory.start_all()
        except Problem as problem:
            print(f"netlab: {problem}", flush=True)
            return 2
        code = client.play_script(words.script, lines, server.carry_out)
        if code:
            print(f"netlab: the logs are in {keep_logs(laboratory)}", flush=True)
        return code

    return supervisor.supervise(words.lab or description.name, body)
