"""Directions as radar and radio give them: bearing clockwise from +y of base_link, elevation from its xy plane."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from qiki_vehicle import quaternion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qiki_sim.readings import Motion

    Floats = NDArray[np.float64]

LIGHT: Final = 299_792_458.0
"""m/s."""


@dataclass(frozen=True)
class Place:
    """A body's frame in world.

    position: (3,) m. velocity: (3,) m/s, in world. axes: (3, 3), its columns are the axes of base_link.
    """

    position: Floats
    velocity: Floats
    axes: Floats

    @classmethod
    def of(cls, motion: Motion, before: float = 0.0) -> Place:
        """The place `before` s ago, if the body has kept its velocity and orientation since."""
        axes = quaternion.matrix(motion.orientation)
        velocity = axes @ motion.velocity
        return cls(motion.position - before * velocity, velocity, axes)


def unit(bearing: Floats, elevation: Floats) -> Floats:
    """(..., 3) unit vectors in base_link; any angles in rad, also beyond the pole."""
    flat = np.cos(elevation)
    return np.stack((flat * np.sin(bearing), flat * np.cos(bearing), np.sin(elevation)), axis=-1)


def angles(vectors: Floats) -> tuple[Floats, Floats]:
    """Bearing (rad, 0 to below 2 pi) and elevation (rad) of vectors (..., 3) in base_link."""
    bearing = np.arctan2(vectors[..., 0], vectors[..., 1]) % (2.0 * math.pi)
    # The remainder of a tiny negative number rounds to the divisor itself.
    bearing = np.where(bearing >= 2.0 * math.pi, 0.0, bearing)
    return bearing, np.arctan2(vectors[..., 2], np.hypot(vectors[..., 0], vectors[..., 1]))


def across(direction: Floats) -> tuple[Floats, Floats]:
    """Unit vectors (3,) of rising bearing and of rising elevation at a unit vector (3,) in base_link."""
    bearing, elevation = angles(direction)
    sine, cosine = np.sin(bearing), np.cos(bearing)
    up = np.array((-np.sin(elevation) * sine, -np.sin(elevation) * cosine, np.cos(elevation)))
    return np.array((cosine, -sine, 0.0)), up
