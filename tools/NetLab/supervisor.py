"""The processes of a laboratory, so that nothing of it remains, whatever ends.

    tools/netlab up       what the user started; it answers signals, and its death is everybody's
    └─ init               first process of a process namespace: when it ends, the kernel kills all the others
       └─ laboratory      in mount and network namespaces of its own; it keeps the control socket
          └─ reflector, ffmpeg, …

The mount namespace hides `/run` behind a new file system in memory: names of network namespaces and the laboratory's
files are there. The control socket has an abstract name, which ends with it; it was made before, so that it belongs to
the network of the user.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import select
import signal
import socket
import struct
import sys
import traceback

import namespaces
from verbs import Usage

PREFIX = "netlab-"


def supervise(name: str, body, detach: bool = False) -> int:
    """Runs `body(listener)` as a laboratory. Returns its exit status.

    detach: return when `body` calls `listener.tell_ready()`, and let it go on.
    """
    listener = listen(name)
    control = Listener(listener)
    if detach:
        ready, control.ready = os.pipe()
        child = os.fork()
        if child > 0:
            os.close(control.ready)
            if os.read(ready, 1):
                return 0
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(ready)
        os.setsid()
    signals = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    # Until there is a handler, none may be missed.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    namespaces.unshare(namespaces.NEW_PROCESSES)
    alive, life = os.pipe()
    init = os.fork()
    if init == 0:
        namespaces.die_with_parent()
        os.close(life)
        if select.select([alive], [], [], 0)[0]:
            # The parent has ended before the kernel knew that we end with it.
            os._exit(1)
        run_init(signals, body, control, detach)
    control.forget()
    if detach:
        leave_terminal()
    return wait_for(init, signals)


def run_init(signals, body, control: Listener, detach: bool):
    """Collects the processes that lost their parents, until the laboratory ends."""
    # Keys of the terminal are for the user's process.
    os.setsid()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = run_laboratory(signals, lambda: body(control))
        except Exception:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    control.forget()
    if detach:
        leave_terminal()
    os._exit(wait_for(child, signals))


def leave_terminal():
    """So that nobody waits for more output of this process."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)


def run_laboratory(signals, body) -> int:
    namespaces.unshare(namespaces.NEW_MOUNTS | namespaces.NEW_NETWORK)
    namespaces.keep_mounts_private()
    namespaces.mount("proc", "/proc", "proc")
    namespaces.mount("tmpfs", "/run", "tmpfs")
    os.mkdir("/run/netns")
    for number in signals:
        signal.signal(number, interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    try:
        return body()
    except KeyboardInterrupt:
        return 1


def interrupt(*_):
    raise KeyboardInterrupt


def wait_for(child: int, signals) -> int:
    """Waits for a child, hands signals on to it, and collects other children."""
    for number in signals:
        signal.signal(number, lambda *_: hand_on(child))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def hand_on(child: int):
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGTERM)


# The control socket.


def listen(name: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        listener.bind(f"\0{PREFIX}{name}")
    except OSError:
        raise Usage(f"a laboratory '{name}' runs already; give this one another name: --lab NAME\n") from None
    listener.listen()
    return listener


def running() -> list[str]:
    """The names of the laboratories of this machine."""
    words = [line.split() for line in pathlib.Path("/proc/net/unix").read_text().splitlines()]
    paths = {each[7] for each in words if len(each) == 8}
    return sorted(path.removeprefix(f"@{PREFIX}") for path in paths if path.startswith(f"@{PREFIX}"))


def connect(name: str | None) -> socket.socket:
    found = running()
    if name is None and len(found) > 1:
        raise Usage(f"several laboratories run: {', '.join(found)}; name one: --lab NAME\n")
    if not found or name and name not in found:
        which = f"no laboratory '{name}' runs" if name else "no laboratory runs"
        raise Usage(f"{which}; start one: tools/netlab up NETWORK\n")
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(f"\0{PREFIX}{name or found[0]}")
    return connection


class Listener:
    """The laboratory's end of the control socket."""

    def __init__(self, listener: socket.socket):
        self.socket = listener
        self.ready: int | None = None
        """A pipe to the process that waits until the laboratory is up."""

    def tell_ready(self):
        if self.ready is not None:
            sys.stdout.flush()
            leave_terminal()
            os.write(self.ready, b"r")
            os.close(self.ready)

    def forget(self):
        """In a process that only waits for others."""
        self.socket.close()
        if self.ready is not None:
            os.close(self.ready)

    def accept(self) -> socket.socket | None:
        """The next connection; nil if it is not from root."""
        connection, _ = self.socket.accept()
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        if struct.unpack("3i", credentials)[1] != os.geteuid():
            connection.close()
            return None
        return connection
