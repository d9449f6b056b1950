"""Radar geometry: bearing clockwise from +y of base_link, elevation up, radial velocity negative when closing."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LIGHT: Final = 299_792_458.0
"""m/s."""
_EYE: Final = np.eye(3)
_ORTHONORMAL: Final = 1e-6


@dataclass(frozen=True)
class Own:
    """Own motion at one time, in world.

    Attributes:
        position: (3,) m. velocity: (3,) m/s. axes: (3, 3), columns are the axes of base_link.
    """

    position: Floats
    velocity: Floats
    axes: Floats

    def __post_init__(self) -> None:
        for name, shape in (("position", (3,)), ("velocity", (3,)), ("axes", (3, 3))):
            value = np.asarray(getattr(self, name), dtype=np.float64)
            if value.shape != shape or not np.isfinite(value).all():
                raise ValueError(f"{name} {value.tolist()}; allowed: {shape} finite numbers")
            object.__setattr__(self, name, value)
        if not np.abs(self.axes.T @ self.axes - _EYE).max() <= _ORTHONORMAL:
            raise ValueError(f"axes {self.axes.tolist()}; allowed: orthonormal")


AT_ORIGIN: Final = Own(np.zeros(3), np.zeros(3), np.eye(3))
"""At rest in the origin of world."""


def unit(bearing: Floats, elevation: Floats) -> Floats:
    """Unit vectors (..., 3) of directions, in base_link."""
    flat = np.cos(elevation)
    return np.stack((flat * np.sin(bearing), flat * np.cos(bearing), np.sin(elevation)), axis=-1)


def spherical(vectors: Floats) -> tuple[Floats, Floats, Floats]:
    """Range (m), bearing (rad, 0 to below 2π) and elevation (rad) of vectors (..., 3) in base_link."""
    distance = np.linalg.norm(vectors, axis=-1)
    bearing = np.arctan2(vectors[..., 0], vectors[..., 1]) % (2.0 * math.pi)
    # The remainder of a tiny negative number rounds to the divisor itself.
    bearing = np.where(bearing >= 2.0 * math.pi, 0.0, bearing)
    elevation = np.arctan2(vectors[..., 2], np.hypot(vectors[..., 0], vectors[..., 1]))
    return distance, bearing, elevation


@dataclass(frozen=True)
class Lines:
    """Lines of sight from the own position to N points, in world axes.

    Attributes:
        range: (N,) m. sight, east, up: (N, 3), unit vectors along the line, of rising bearing and of rising elevation.
        flat: (N,) cosine of the elevation. rate: (N,) m/s, radial velocity. slip: (N, 3) m/s, velocity across the line.
    """

    range: Floats
    sight: Floats
    east: Floats
    up: Floats
    flat: Floats
    rate: Floats
    slip: Floats

    @property
    def axes(self) -> tuple[Floats, Floats, Floats]:
        """Along the line, of rising bearing, of rising elevation."""
        return self.sight, self.east, self.up

    @classmethod
    def to(cls, positions: Floats, velocities: Floats, own: Own) -> "Lines":
        """Lines to points (N, 3) m with velocities (N, 3) m/s."""
        offset = positions - own.position
        distance = np.maximum(np.linalg.norm(offset, axis=1), 1e-6)
        sight = offset / distance[:, None]
        body = sight @ own.axes
        flat = np.hypot(body[:, 0], body[:, 1])
        safe = np.maximum(flat, 1e-9)
        # Straight above or below, bearing is any direction.
        sine = np.where(flat > 1e-9, body[:, 0] / safe, 0.0)
        cosine = np.where(flat > 1e-9, body[:, 1] / safe, 1.0)
        level = np.zeros_like(sine)
        east = np.stack((cosine, -sine, level), axis=1) @ own.axes.T
        up = np.stack((-body[:, 2] * sine, -body[:, 2] * cosine, flat), axis=1) @ own.axes.T
        relative = velocities - own.velocity
        rate = np.einsum("ij,ij->i", relative, sight)
        return cls(distance, sight, east, up, flat, rate, relative - rate[:, None] * sight)
