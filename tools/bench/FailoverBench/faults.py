"""What can happen to an entrypoint or to its encoder, and what each grade of standby promises then."""

import dataclasses
import signal
import time

TIME_OUT = 2.0
"""Seconds after which an encoder that sends nothing counts as lost."""
FOLLOWED_MAX = 10
"""Seconds within which another candidate leads."""
RETURNED = 15
"""Seconds after its restart within which the first candidate leads again: its data must have advanced for 10 s."""


@dataclasses.dataclass(frozen=True)
class Target:
    """The figures to reach, in seconds. A gap is that of the edge that is worse off."""

    median: float | None
    worst: float
    is_lossless: bool = False
    """No packet may be lost or late, and the encoder's own longest pause is subtracted from the gap."""
    is_pull: bool = False
    """The encoder's own time to answer is subtracted from the gap."""


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    what: str
    target: Target
    strike: object
    heal: object
    is_at_encoder: bool = False
    prepare: object = None
    """What happens before the run and does not count."""
    lasts: float | None = None
    """Seconds, instead of those that the user gives."""


KILLED = Target(median=1.2, worst=1.8)
CUT = Target(median=1.5, worst=1.8)
LOSSLESS = Target(median=None, worst=0.05, is_lossless=True)
PULLED = Target(median=1.5, worst=2.5, is_pull=True)


def restart(network, encoder, name):
    network.start(name)
    network.wait_ready(name)


def replace_first(network, encoder):
    """The first candidate dies and comes back; the next one leads for some more seconds."""
    first = network.entrypoints[0]
    network.kill(first)
    end = time.monotonic() + FOLLOWED_MAX
    while network.leader in (None, first) and time.monotonic() < end:
        time.sleep(0.1)
    restart(network, encoder, first)


def faults(grade: str) -> list[Fault]:
    """All faults of a grade. `strike` and `heal` take the network, the encoder and the entrypoint's name."""
    kill = {"hot": LOSSLESS, "warm": KILLED, "cold": PULLED}[grade]
    cut = {"hot": LOSSLESS, "warm": CUT, "cold": PULLED}[grade]
    heal = lambda network, encoder, name: network.heal()
    found = [
        Fault(
            "kill", "kill -9", kill, lambda network, encoder, name: network.kill(name), restart),
        Fault(
            "stop", "SIGSTOP", cut, lambda network, encoder, name: network.signal(name, signal.SIGSTOP),
            lambda network, encoder, name: network.signal(name, signal.SIGCONT)),
        Fault(
            "cut", "cut, both ways", cut,
            lambda network, encoder, name: network.cut(name, "saddr {}", "daddr {}"), heal),
        Fault(
            "mute", "cut, what it sends", cut, lambda network, encoder, name: network.cut(name, "saddr {}"), heal),
    ]
    if grade != "warm":
        return found
    number = lambda network, name: network.entrypoints.index(name)
    resume = lambda network, encoder, name: encoder.ask("resume", number(network, name))
    return found + [
        Fault(
            "close", "encoder closes", Target(median=None, worst=0.3),
            lambda network, encoder, name: encoder.ask("close", number(network, name)), resume, is_at_encoder=True),
        Fault(
            "silence", "encoder is silent", Target(median=None, worst=TIME_OUT + 0.3),
            lambda network, encoder, name: encoder.ask("silence", number(network, name)), resume, is_at_encoder=True),
        Fault(
            "return", "the first returns", Target(median=None, worst=0.3), lambda network, encoder, name: None,
            lambda network, encoder, name: None, prepare=replace_first, lasts=RETURNED),
    ]
