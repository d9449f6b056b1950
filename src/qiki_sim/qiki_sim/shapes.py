"""Shapes of bodies: collision geometry parameters and the inertia of a uniform solid."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from qiki_vehicle.files import Positive, PositiveVector, Section


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
