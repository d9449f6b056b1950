"""Switchgear between two mated ports: one set of contacts, that of the end that commands it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qiki_sim.faults import POLARITY, RESISTANCE, WELDED

if TYPE_CHECKING:
    from qiki_sim.docking.joint import End, Joint


def switch_ends(joint: Joint) -> list[End]:
    """The ends whose switchgear has the main contacts of a joint closed: commanded, or welded."""
    return [end for end in joint.ends if end.actuators.main or end.fault(WELDED) is not None]


def is_closed(joint: Joint, name: str) -> bool:
    """A contact (ground, precharge) of either end is closed."""
    return any(getattr(end.actuators, name) for end in joint.ends)


def is_reversed(joint: Joint) -> bool:
    """One end, not both, has its polarity reversed."""
    return len([end for end in joint.ends if end.fault(POLARITY) is not None]) == 1


def resistance(joint: Joint) -> float:
    """Ohm, of the line with what faults add."""
    return joint.first.hardware.vehicle.bridge.resistance + sum(end.fault(RESISTANCE) or 0.0 for end in joint.ends)
