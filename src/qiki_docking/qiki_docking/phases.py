"""Phases of docking, their steps, checks and interlocks as types, and the request that they make."""

from dataclasses import dataclass, field
from enum import StrEnum

from qiki_docking.conditions import Condition


class Phase(StrEnum):
    """Phases as operators see them."""

    FREE = "FREE"
    APPROACH = "APPROACH"
    ALIGN = "ALIGN"
    SOFT_DOCK = "SOFT_DOCK"
    HARD_DOCK = "HARD_DOCK"
    BRIDGE = "BRIDGE"
    UNDOCKING = "UNDOCKING"
    ABORT = "ABORT"
    FAULT = "FAULT"
    EMERGENCY_RELEASE = "EMERGENCY_RELEASE"


HELD = frozenset({Phase.SOFT_DOCK, Phase.HARD_DOCK, Phase.BRIDGE})
"""Phases in which the partner is captured or locked."""

MATED = frozenset({Phase.HARD_DOCK, Phase.BRIDGE})
"""Phases in which the latches hold the partner, or are about to."""

UNDER_WAY = frozenset({Phase.APPROACH, Phase.ALIGN, Phase.UNDOCKING, Phase.ABORT, Phase.EMERGENCY_RELEASE})
"""Phases in which the body flies."""


class Guidance(StrEnum):
    """Motion that docking asks of guidance."""

    OFF = "OFF"
    """None: the bot belongs to its pilot."""
    HOLD = "HOLD"
    """Fly to the hold point at `range` on the port axis and stay there."""
    CLOSE = "CLOSE"
    """Close along the axis until contact."""
    STILL = "STILL"
    """No thrust at all."""
    SEAT = "SEAT"
    """Push onto the port with a mean force of `force`."""
    PUSH_OFF = "PUSH_OFF"
    """Push off along the axis."""
    RETREAT = "RETREAT"
    """Back off along the corridor to `range`."""


class Drive(StrEnum):
    """Command to an actuator; KEEP leaves it as it is."""

    KEEP = "KEEP"
    ON = "ON"
    OFF = "OFF"


@dataclass(frozen=True)
class Request:
    """State in which docking wants guidance and actuators now: a level, repeated each cycle, and no edge to be missed.

    Attributes:
        guidance: motion.
        range: m of the hold point, with `HOLD` and `RETREAT`; else NaN.
        force: N, mean, with `SEAT`; else NaN.
        capture: magnets.
        latch: ON locks, OFF unlocks.
        power: conversion of power over the bridge.
        contacts: ON closes the power contacts (through the bridge's supervisor: pre-charge first), OFF opens them.
        data: data over the bridge.
        test: measurement or exchange to be carried out: pull, electrical, umbilical, handshake, passport, clearance.
    """

    guidance: Guidance = Guidance.OFF
    range: float = float("nan")
    force: float = float("nan")
    capture: Drive = Drive.KEEP
    latch: Drive = Drive.KEEP
    power: Drive = Drive.KEEP
    contacts: Drive = Drive.KEEP
    data: Drive = Drive.KEEP
    test: str = ""


@dataclass(frozen=True)
class Step:
    """A step of a phase.

    Attributes:
        done: all hold: the step is complete.
        keep: fails for one of them: the phase fails.
        trip: the same, answered by opening the bridge.
        blind: setting, s without a valid sample after which a condition of `keep` or `trip` fails.
        timeout: setting, s.
        attempts: setting, number of times the step is tried; None: once.
        ends: complete, it ends the phase.
        goes_on: timed out, the next step is tried.
    """

    name: str
    request: Request
    done: tuple[Condition, ...] = ()
    keep: tuple[Condition, ...] = ()
    trip: tuple[Condition, ...] = ()
    blind: str | None = None
    timeout: str | None = None
    attempts: str | None = None
    ends: bool = False
    goes_on: bool = False


@dataclass(frozen=True)
class Check:
    """An ordered check of hard docking.

    Attributes:
        standing: true after the check as well, until the contacts close; the others are measured once.
    """

    name: str
    once: tuple[Condition, ...] = ()
    standing: tuple[Condition, ...] = ()
    timeout: str = ""
    request: Request = field(default_factory=Request)


@dataclass(frozen=True)
class Interlock:
    """A command that leaves the machine only while conditions hold; else the actuator is left as it is.

    Attributes:
        field, value: of a `Request`.
        conditions: all must hold.
        checked: every check of hard docking must have passed too.
        waived: phases in which it does not apply.
    """

    field: str
    value: str
    conditions: tuple[Condition, ...]
    checked: bool = False
    waived: frozenset[Phase] = frozenset()
