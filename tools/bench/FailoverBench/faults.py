"""What can happen to an entrypoint or to its encoder, and what each grade of standby promises then."""

import dataclasses
import signal

TIME_OUT = 2.0
"""Seconds after which an encoder that sends nothing counts as lost."""


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


KILLED = Target(median=1.2, worst=1.8)
CUT = Target(median=1.5, worst=1.8)
LOSSLESS = Target(median=None, worst=0.05, is_lossless=True)
PULLED = Target(median=1.5, worst=2.5, is_pull=True)


def restart(network, encoder, name):
    network.start(name)
    network.wait_ready(name)


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
    ]
