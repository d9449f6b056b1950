"""Shapes of bodies: collision geometry parameters and the inertia of a uniform solid."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from qiki_sim.loading import Positive, PositiveVector, Section

_PHI = (1.0 + np.sqrt(5.0)) / 2.0


class Sphere(Section):
    kind: Literal["sphere"]
    radius: Positive  # m

    def inertia(self, mass: float) -> tuple[float, float, float]:
        """Principal moments, kg m^2."""
        moment = 0.4 * mass * self.radius**2
        return (moment, moment, moment)


class Box(Section):
    kind: Literal["box"]
    size: PositiveVector  # m, full edge lengths

    def inertia(self, mass: float) -> tuple[float, float, float]:
        """Principal moments, kg m^2."""
        x, y, z = (side**2 for side in self.size)
        return (mass * (y + z) / 12, mass * (x + z) / 12, mass * (x + y) / 12)


class Cylinder(Section):
    kind: Literal["cylinder"]
    radius: Positive  # m
    length: Positive  # m, along z

    def inertia(self, mass: float) -> tuple[float, float, float]:
        """Principal moments, kg m^2."""
        across = mass * (3 * self.radius**2 + self.length**2) / 12
        return (across, across, mass * self.radius**2 / 2)


class Dodecahedron(Section):
    kind: Literal["dodecahedron"]
    circumradius: Positive  # m

    def inertia(self, mass: float) -> tuple[float, float, float]:
        """Principal moments, kg m^2: m a^2 (95 + 39 sqrt 5) / 300 with edge length a."""
        edge = 4.0 * self.circumradius / (np.sqrt(3.0) * (1.0 + np.sqrt(5.0)))
        moment = float(mass * edge**2 * (95.0 + 39.0 * np.sqrt(5.0)) / 300.0)
        return (moment, moment, moment)


Shape = Annotated[Sphere | Box | Cylinder | Dodecahedron, Field(discriminator="kind")]


def dodecahedron_vertices(circumradius: float) -> np.ndarray:
    """Vertices (20, 3) in m of a regular dodecahedron centred at the origin.

    Two of its edges cross the z axis, parallel to y (likewise for x and y in turn).
    """
    signs = (-1.0, 1.0)
    cube = [(x, y, z) for x in signs for y in signs for z in signs]
    rectangle = [(0.0, a / _PHI, b * _PHI) for a in signs for b in signs]
    corners = np.array(cube + rectangle + [(y, z, x) for x, y, z in rectangle] + [(z, x, y) for x, y, z in rectangle])
    return np.asarray(corners * (circumradius / np.sqrt(3.0)))
