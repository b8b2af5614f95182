"""Namespaces of Linux: what Python 3.11 has no functions for, and sockets in another network."""

import contextlib
import ctypes
import os
import signal
import socket

NEW_MOUNTS, NEW_PROCESSES, NEW_NETWORK = 0x0002_0000, 0x2000_0000, 0x4000_0000
DEATH_SIGNAL = 1
RECURSIVE, PRIVATE = 0x4000, 1 << 18

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def unshare(kinds: int):
    check(libc.unshare(kinds), "unshare")


def enter(descriptor: int, kind: int = 0):
    """Moves this thread into a namespace; into one of processes, only its future children."""
    check(libc.setns(descriptor, kind), "setns")


def die_with_parent():
    """The kernel kills this process when its parent ends, however that ends."""
    check(libc.prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0), "prctl")


def mount(what: str, where: str, kind: str, flags: int = 0):
    check(libc.mount(what.encode(), where.encode(), kind.encode(), flags, None), f"mount {where}")


def keep_mounts_private():
    check(libc.mount(None, b"/", None, RECURSIVE | PRIVATE, None), "mount --make-rprivate /")


def bind_file(source: str, target: str):
    check(libc.mount(source.encode(), target.encode(), None, 4096, None), f"mount --bind {target}")


@contextlib.contextmanager
def inside(network: str):
    """Runs the body in the network namespace `/run/netns/NAME`. Sockets made there stay there."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    other = os.open(f"/run/netns/{network}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(other, NEW_NETWORK)
        yield
    finally:
        enter(own, NEW_NETWORK)
        os.close(own)
        os.close(other)


def open_socket(network: str) -> socket.socket:
    """A TCP socket in that network namespace."""
    with inside(network):
        return socket.socket()
