"""Frames: where one body's frame lies in another."""

from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from qiki_vehicle import quaternion

Floats = npt.NDArray[np.float64]


class Face(Protocol):
    """Face of a docking port, as a `Port` has one."""

    @property
    def position(self) -> tuple[float, float, float]:
        """m, its centre in base_link."""

    @property
    def axis(self) -> tuple[float, float, float]:
        """Unit vector outward."""


@dataclass(frozen=True, eq=False)
class Pose:
    """A frame in a reference frame.

        partner = mated(vehicle.port("A"), vehicle.port("B"))
        partner.point(other.com)        # of the partner's base_link, in ours

    Attributes:
        position: (3,) m of its origin.
        orientation: (4,) x, y, z, w, from its axes to those of the reference.
    """

    position: Floats = field(default_factory=lambda: np.zeros(3))
    orientation: Floats = field(default_factory=lambda: np.array(quaternion.IDENTITY))

    def point(self, point: npt.ArrayLike) -> Floats:
        """(3,) m, a point of this frame in the reference frame."""
        return self.position + self.vector(point)

    def vector(self, vector: npt.ArrayLike) -> Floats:
        """(3,), a direction of this frame in the reference frame."""
        return quaternion.rotate(self.orientation, np.asarray(vector, dtype=float))

    def then(self, inner: Self) -> "Pose":
        """A frame that is given in this one, in the reference frame."""
        return Pose(self.point(inner.position), quaternion.product(self.orientation, inner.orientation))

    def inverse(self) -> "Pose":
        """The reference frame in this one."""
        back = quaternion.conjugate(self.orientation)
        return Pose(-quaternion.rotate(back, self.position), back)


def mated(own: Face, partner: Face, roll: float = 0.0) -> Pose:
    """The partner's base_link in ours when two ports are mated: faces together, axes opposed.

    roll: rad, of the partner about the axis of `own`, from the shortest rotation that opposes the axes.
    """
    axis = np.array(own.axis)
    turn = quaternion.product(quaternion.from_rotation_vector(roll * axis), quaternion.between(partner.axis, -axis))
    return Pose(np.array(own.position) - quaternion.rotate(turn, partner.position), turn)
