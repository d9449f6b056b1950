"""Motion of one docking port in another, and the box that first contact must lie in."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt

from qiki_vehicle import Port, Pose, mated, quaternion
from qiki_vehicle.docking import ContactLimits
from qiki_vehicle.quaternion import multiplied, rotated
from qiki_vehicle.vectors import along, cross, crossed, dot

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RelativeMotion:
    """The own body in the frame of the partner's base_link.

    Attributes:
        pose: own base_link.
        velocity: (3,) m/s, change of `pose.position` as the partner sees it, in the partner's axes.
        angular_velocity: (3,) rad/s, of the own body against the partner's, in the partner's axes.
    """

    pose: Pose
    velocity: Floats
    angular_velocity: Floats

    @classmethod
    def between(cls, own: Pose, own_twist: npt.ArrayLike, partner: Pose, partner_twist: npt.ArrayLike) -> Self:
        """From both bodies' odometry.

        own, partner: base_link in one inertial frame. Twists: (6,) velocity of base_link's origin m/s and angular
        velocity rad/s, each in the body's own axes.
        """
        pose = partner.inverse().then(own)
        mine, theirs = np.asarray(own_twist, dtype=float), np.asarray(partner_twist, dtype=float)
        turning = theirs[3:]
        velocity = pose.vector(mine[:3]) - theirs[:3] - cross(turning, pose.position)
        return cls(pose, velocity, pose.vector(mine[3:]) - turning)


@dataclass(frozen=True)
class PortMotion:
    """Motion of the own port against the partner's port.

    Attributes:
        range: m, distance of the faces along the partner's port axis; negative: inside of it.
        closing: m/s, at which `range` falls.
        lateral_offset: m, of the own face from the partner's axis.
        lateral_rate: m/s, across it.
        tilt: rad, between the axes (pitch and yaw, vector sum), 0..pi.
        tilt_rate: rad/s, pitch and yaw, vector sum.
        roll: rad, about the partner's axis, -pi..pi.
        roll_rate: rad/s, about it.
    """

    range: float
    closing: float
    lateral_offset: float
    lateral_rate: float
    tilt: float
    tilt_rate: float
    roll: float
    roll_rate: float

    @classmethod
    def of(cls, motion: RelativeMotion, own: Port, partner: Port, clocking: float = 0.0) -> Self:
        """From the bodies' motion.

        clocking: rad, roll of the own body about the partner's axis at which the ports mate, from the shortest
            rotation that opposes the axes (`qiki_vehicle.mated`).
        """
        axis, spin = partner.axis, motion.angular_velocity.tolist()
        turn = motion.pose.orientation.tolist()
        arm = rotated(turn, own.position)
        offset = along(along(motion.pose.position.tolist(), 1.0, arm), -1.0, partner.position)
        velocity = along(motion.velocity.tolist(), 1.0, crossed(spin, arm))
        turned = multiplied(turn, _unmated(partner, own, clocking))
        tilted = rotated(turned, axis)
        range_, closing, rate = dot(offset, axis), -dot(velocity, axis), dot(spin, axis)
        return cls(
            range=range_,
            closing=closing,
            lateral_offset=math.hypot(*along(offset, -range_, axis)),
            lateral_rate=math.hypot(*along(velocity, closing, axis)),
            tilt=math.atan2(math.hypot(*crossed(axis, tilted)), dot(axis, tilted)),
            tilt_rate=math.hypot(*along(spin, -rate, axis)),
            roll=math.remainder(2.0 * math.atan2(dot(turned[:3], axis), turned[3]), math.tau),
            roll_rate=rate,
        )


@lru_cache(maxsize=64)
def _unmated(partner: Port, own: Port, clocking: float) -> tuple[float, ...]:
    return tuple(quaternion.conjugate(mated(partner, own, clocking).orientation).tolist())


@dataclass(frozen=True)
class Excess:
    """A quantity outside of the box.

    Attributes:
        quantity: its name in `PortMotion`.
        value: m, m/s, rad or rad/s.
        low, high: lowest and highest value allowed, in the same unit.
        by: how far it lies outside, > 0; NaN for a value that is no number.
    """

    quantity: str
    value: float
    low: float
    high: float
    by: float

    def __str__(self) -> str:
        unit = UNITS[self.quantity]
        shown = f"{self.quantity} {_shown(self.value, unit)}"
        if math.isnan(self.by):
            return f"{shown}; allowed: a finite number"
        limit, side = (self.low, "below") if self.value < self.low else (self.high, "above")
        return f"{shown}, {_shown(self.by, unit)} {side} the limit of {_shown(limit, unit)}"


def _shown(value: float, unit: str) -> str:
    degrees = f" ({math.degrees(value):.3g} {unit.replace('rad', 'deg')})" if unit.startswith("rad") else ""
    return f"{value:.4g} {unit}{degrees}"


UNITS = {
    "closing": "m/s",
    "lateral_rate": "m/s",
    "tilt_rate": "rad/s",
    "roll_rate": "rad/s",
    "lateral_offset": "m",
    "tilt": "rad",
    "roll": "rad",
}
"""The seven quantities of the box, each a field of `PortMotion`, with its unit."""


@dataclass(frozen=True)
class Judgement:
    """A contact judged.

    Attributes:
        margins: of the seven quantities, distance to the nearest limit in the quantity's unit; negative: outside;
            NaN: no finite number.
        exceeded: the quantities outside, in the order of `UNITS`.
    """

    margins: dict[str, float]
    exceeded: tuple[Excess, ...]

    @property
    def inside(self) -> bool:
        """All seven quantities hold."""
        return not self.exceeded

    def __str__(self) -> str:
        return "inside the box" if self.inside else "; ".join(map(str, self.exceeded))


class ContactBox:
    """Limits of the motion at first contact.

    box = ContactBox(vehicle.docking.contact_box)
    motion = RelativeMotion.between(own_pose, own_twist, partner_pose, partner_twist)
    box.judge(PortMotion.of(motion, vehicle.port("A"), partner.port("B")))
    """

    def __init__(self, limits: ContactLimits) -> None:
        sizes = {quantity: (-math.inf, float(getattr(limits, quantity))) for quantity in UNITS if quantity != "closing"}
        self.limits = {"closing": (limits.closing_min, limits.closing_max), **sizes}
        """Quantity: lowest and highest value allowed; of all but `closing` the size counts, which has no lowest."""

    def judge(self, motion: PortMotion) -> Judgement:
        """Margins, and the limits that are exceeded. A value that is no finite number is outside."""
        margins, exceeded = {}, []
        for quantity in UNITS:
            low, high = self.limits[quantity]
            value = getattr(motion, quantity)
            if quantity != "closing":
                value = abs(value)
            margins[quantity] = min(value - low, high - value) if math.isfinite(value) else math.nan
            if not low <= value <= high or not math.isfinite(value):
                exceeded.append(Excess(quantity, value, low, high, -margins[quantity]))
        return Judgement(margins, tuple(exceeded))
