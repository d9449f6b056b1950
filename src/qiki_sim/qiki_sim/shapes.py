"""Shapes of bodies: collision geometry, the inertia of a uniform solid, and the mean area that radar sees.

The mean shadow of a convex body over all directions is a quarter of its surface (Cauchy).
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from qiki_vehicle.files import Positive, PositiveVector, Section


class Sphere(Section):
    kind: Literal["sphere"]
    radius: Positive  # m

    @property
    def area(self) -> float:
        """m^2, mean shadow."""
        return math.pi * self.radius**2

    def inertia(self, mass: float) -> tuple[float, float, float]:
        """Principal moments, kg m^2."""
        moment = 0.4 * mass * self.radius**2
        return (moment, moment, moment)


class Box(Section):
    kind: Literal["box"]
    size: PositiveVector  # m, full edge lengths

    @property
    def area(self) -> float:
        """m^2, mean shadow."""
        x, y, z = self.size
        return 0.5 * (x * y + y * z + z * x)

    def inertia(self, mass: float) -> tuple[float, float, float]:
        """Principal moments, kg m^2."""
        x, y, z = (side**2 for side in self.size)
        return (mass * (y + z) / 12, mass * (x + z) / 12, mass * (x + y) / 12)


class Cylinder(Section):
    kind: Literal["cylinder"]
    radius: Positive  # m
    length: Positive  # m, along z

    @property
    def area(self) -> float:
        """m^2, mean shadow."""
        return 0.5 * math.pi * self.radius * (self.radius + self.length)

    def inertia(self, mass: float) -> tuple[float, float, float]:
        """Principal moments, kg m^2."""
        across = mass * (3 * self.radius**2 + self.length**2) / 12
        return (across, across, mass * self.radius**2 / 2)


class Dodecahedron(Section):
    kind: Literal["dodecahedron"]
    circumradius: Positive  # m

    @property
    def _edge(self) -> float:
        return 4.0 * self.circumradius / (math.sqrt(3.0) * (1.0 + math.sqrt(5.0)))

    @property
    def area(self) -> float:
        """m^2, mean shadow."""
        return 0.75 * math.sqrt(25.0 + 10.0 * math.sqrt(5.0)) * self._edge**2

    def inertia(self, mass: float) -> tuple[float, float, float]:
        """Principal moments, kg m^2: m a^2 (95 + 39 sqrt 5) / 300 with edge length a."""
        moment = float(mass * self._edge**2 * (95.0 + 39.0 * np.sqrt(5.0)) / 300.0)
        return (moment, moment, moment)


Shape = Annotated[Sphere | Box | Cylinder | Dodecahedron, Field(discriminator="kind")]
