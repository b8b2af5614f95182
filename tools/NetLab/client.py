"""Talks to a running laboratory: one request a connection, words there, an exit status and a text back."""

import json
import os
import shlex
import signal
import socket

import namespaces
import supervisor
from verbs import Usage, make_parser

ANSWER_MAX = 1 << 20
FAREWELL = 20
"""Seconds that a laboratory may take to end."""


def ask(parsed, words: list[str]) -> int:
    """Sends one verb, and prints the answer."""
    connection = supervisor.connect(parsed.lab)
    connection.send(json.dumps({"words": words}).encode())
    code, text = receive(connection)
    if text:
        print(text)
    return code


def receive(connection: socket.socket) -> tuple[int, str]:
    received = connection.recv(ANSWER_MAX)
    if not received:
        raise Usage("the laboratory has ended\n")
    answer = json.loads(received)
    return answer["code"], answer["text"]


def down(parsed) -> int:
    connection = supervisor.connect(parsed.lab)
    connection.settimeout(FAREWELL)
    connection.send(json.dumps({"words": ["down"]}).encode())
    connection.recv(ANSWER_MAX)
    # The connection ends when the last process of the laboratory has ended.
    connection.recv(ANSWER_MAX)
    return 0


def run_script(parsed) -> int:
    """Sends the verbs of a script, one after the other."""
    def carry_out(words: list[str]) -> tuple[int, str]:
        connection = supervisor.connect(parsed.lab)
        connection.send(json.dumps({"words": words}).encode())
        return receive(connection)
    return play_script(parsed.script, read_script(parsed.script), carry_out)


def read_script(path: str) -> list[tuple[int, str, list[str]]]:
    """The number, the text and the words of each verb. Raises `Usage` with all mistakes."""
    lines, mistakes = [], []
    try:
        with open(path) as file:
            text = file.read()
    except OSError as error:
        raise Usage(f"{path}: {error.strerror}\n") from None
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
            if words:
                verb = make_parser().parse_args(words).verb
                if verb in ["up", "down", "run", "chaos", "check", "shell", "exec"]:
                    raise Usage(f"'{verb}' does not go into a script")
                lines.append((number, line.strip(), words))
        except (Usage, ValueError) as error:
            mistakes.append(f"{path}:{number}:1: {str(error).splitlines()[0]}")
    if mistakes:
        raise Usage("\n".join(["the script is wrong", *mistakes, ""]))
    return lines


def play_script(path: str, lines: list[tuple[int, str, list[str]]], carry_out) -> int:
    """Stops at the first verb that fails, and returns its status."""
    for number, line, words in lines:
        print(f"> {line}", flush=True)
        code, text = carry_out(words)
        if text:
            print(text, flush=True)
        if code != 0:
            print(f"{path}:{number}:1: failed", flush=True)
            return code
    return 0


def enter(parsed) -> int:
    """Runs a command on a host, as a process of the laboratory, which ends with it."""
    connection = supervisor.connect(parsed.lab)
    connection.send(json.dumps({"enter": parsed.host}).encode())
    received, descriptors, _, _ = socket.recv_fds(connection, ANSWER_MAX, 4)
    answer = json.loads(received)
    if answer["code"] != 0:
        raise Usage(answer["text"] + "\n")
    folder = os.getcwd()
    kinds = [namespaces.NEW_PROCESSES, namespaces.NEW_NETWORK, namespaces.NEW_MOUNTS]
    for descriptor, kind in zip(descriptors, kinds):
        namespaces.enter(descriptor, kind)
        os.close(descriptor)
    connection.close()
    os.environ |= answer["environment"]
    if parsed.verb == "shell":
        os.environ["PS1"] = f"{parsed.host}# "
        command = ["bash", "--norc", "-i"]
    else:
        command = parsed.command[1:] if parsed.command[:1] == ["--"] else parsed.command
    if not command:
        raise Usage("exec needs a command: tools/netlab exec HOST -- COMMAND\n")
    child = os.fork()
    if child == 0:
        try:
            os.chdir(folder)
        except OSError:
            os.chdir("/")
        try:
            os.execvp(command[0], command)
        except OSError as error:
            os.write(2, f"netlab: {command[0]}: {error.strerror}\n".encode())
            os._exit(127)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code
