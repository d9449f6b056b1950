"""Relation of two docking ports: where one face lies in the other, and how it moves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qiki_vehicle import Port, mated, quaternion
from qiki_vehicle.quaternion import multiplied, rotated
from qiki_vehicle.vectors import along, crossed, dot

if TYPE_CHECKING:
    from qiki_sim.readings import Motion
    from qiki_vehicle.mechanism import PortHardware


@dataclass(frozen=True)
class Mating:
    """Motion of one port in another.

    Attributes:
        range: m, of the face's centre along the other port's axis.
        gap: m, between the nearest points of the faces; negative: inside.
        closing, lateral_offset, lateral_rate, tilt, tilt_rate, roll, roll_rate: m/s, m, m/s, rad, rad/s, rad, rad/s.
    """

    range: float
    gap: float
    closing: float
    lateral_offset: float
    lateral_rate: float
    tilt: float
    tilt_rate: float
    roll: float
    roll_rate: float


class PortPair:
    """Two ports of different bodies."""

    def __init__(self, own: Port, other: Port) -> None:
        self.own, self.other = own, other
        self.pose = mated(own, other)
        """The other's base_link in ours when mated."""
        self._back = tuple(quaternion.conjugate(mated(other, own).orientation).tolist())
        self._reach = own.radius + other.radius

    def mating(self, own: Motion, other: Motion) -> Mating:
        """From both bodies' motion."""
        axis, theirs = self.other.axis, other.angular_velocity.tolist()
        x, y, z, w = other.orientation.tolist()
        back = -x, -y, -z, w
        turn = multiplied(back, own.orientation.tolist())
        place = rotated(back, (own.position - other.position).tolist())
        spin = along(rotated(turn, own.angular_velocity.tolist()), -1.0, theirs)
        arm = rotated(turn, self.own.position)
        offset = along(along(place, 1.0, arm), -1.0, self.other.position)
        velocity = along(rotated(turn, own.velocity.tolist()), -1.0, other.velocity.tolist())
        velocity = along(along(velocity, -1.0, crossed(theirs, place)), 1.0, crossed(spin, arm))
        turned = multiplied(turn, self._back)
        tilted = rotated(turned, axis)
        range_, closing, twist = dot(offset, axis), -dot(velocity, axis), dot(spin, axis)
        tilt = math.atan2(math.hypot(*crossed(axis, tilted)), dot(axis, tilted))
        return Mating(
            range=range_,
            gap=range_ - min(self.own.radius, self.other.radius) * math.sin(tilt),
            closing=closing,
            lateral_offset=math.hypot(*along(offset, -range_, axis)),
            lateral_rate=math.hypot(*along(velocity, closing, axis)),
            tilt=tilt,
            tilt_rate=math.hypot(*along(spin, -twist, axis)),
            roll=math.remainder(2.0 * math.atan2(dot(turned[:3], axis), turned[3]), math.tau),
            roll_rate=twist,
        )

    def touches(self, mating: Mating, travel: float) -> bool:
        """The faces touch: nearer than the travel of the contact switch, and not inside each other's body."""
        depth = min(self.own.length, self.other.length)
        over = mating.lateral_offset < self._reach and mating.tilt < 0.5
        return over and -depth < mating.gap <= travel


def is_slow(mating: Mating, hardware: PortHardware) -> bool:
    """The magnets, whose field takes time to build up, can follow the motion."""
    magnets = hardware.magnets
    return (
        abs(mating.closing) <= magnets.closing_max
        and mating.lateral_rate <= magnets.lateral_rate_max
        and max(mating.tilt_rate, abs(mating.roll_rate)) <= magnets.rate_max
    )


def catches(mating: Mating, hardware: PortHardware) -> bool:
    """A port that touches lies where the magnets catch it."""
    magnets = hardware.magnets
    return (
        mating.gap <= magnets.gap_max
        and mating.lateral_offset <= magnets.lateral_max
        and mating.tilt <= magnets.tilt_max
        and abs(mating.roll) <= magnets.roll_max
    )


def is_seated(mating: Mating, hardware: PortHardware) -> bool:
    """The latches can lock."""
    latches = hardware.latches
    return (
        max(abs(mating.range), mating.lateral_offset) <= latches.seat_distance
        and max(mating.tilt, abs(mating.roll)) <= latches.seat_angle
    )
