"""Relation of two docking ports: where one face lies in the other, and how it moves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qiki_vehicle import Port, Pose, mated, quaternion
from qiki_vehicle.vectors import cross

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qiki_sim.readings import Motion
    from qiki_vehicle.mechanism import PortHardware

    Floats = NDArray[np.float64]


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
        self._axis = np.array(other.axis)
        self._face = np.array(other.position)
        self._back = quaternion.conjugate(mated(other, own).orientation)
        self._reach = own.radius + other.radius

    def mating(self, own: Motion, other: Motion) -> Mating:
        """From both bodies' motion."""
        axis = self._axis
        theirs, mine = Pose(other.position, other.orientation), Pose(own.position, own.orientation)
        pose = theirs.inverse().then(mine)
        spin = pose.vector(own.angular_velocity) - other.angular_velocity
        arm = pose.vector(self.own.position)
        offset = pose.position + arm - self._face
        velocity = pose.vector(own.velocity) - other.velocity - cross(other.angular_velocity, pose.position)
        velocity = velocity + cross(spin, arm)
        turned = quaternion.product(pose.orientation, self._back)
        tilted = quaternion.rotate(turned, axis)
        along, closing, twist = float(offset @ axis), -float(velocity @ axis), float(spin @ axis)
        tilt = math.atan2(_length(cross(axis, tilted)), float(axis @ tilted))
        return Mating(
            range=along,
            gap=along - min(self.own.radius, self.other.radius) * math.sin(tilt),
            closing=closing,
            lateral_offset=_length(offset - along * axis),
            lateral_rate=_length(velocity + closing * axis),
            tilt=tilt,
            tilt_rate=_length(spin - twist * axis),
            roll=math.remainder(2.0 * math.atan2(float(turned[:3] @ axis), float(turned[3])), math.tau),
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


def _length(vector: Floats) -> float:
    return math.hypot(*vector.tolist())
