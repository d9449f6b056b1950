"""A wrench and its limits in the solver's units."""

import math
from typing import NamedTuple

import numpy as np

from qiki_allocator.allocation.programs import NO_LIMIT
from qiki_allocator.allocation.spans import axis_gains, axis_units
from qiki_allocator.allocation.thrusters import Floats, ThrusterArray


class Scaling:
    """The solver's units, and what the thrusters give and cost in them.

    Attributes:
        per_reach: (6,) 1/N and 1/(N m), one over the unit of each axis of the wrench, see `spans`.
        f_max: (n,) N, unit of each thruster's force.
        rows: (6, n) scaled wrench of each thruster at f_max.
        gains: (6, n) of each thruster per newton, in `spans.axis_gains`, the unit of which for the scaled wrench is
            error_units (6,).
        power: (n,) power of each thruster at f_max, in `power_unit`, W.
        cost: (n,) of each thruster at f_max.
        meter: (8, n) per newton: the wrench, N and N m; power, W; cost.
    """

    def __init__(self, array: ThrusterArray, watts_per_newton: Floats, cost: Floats) -> None:
        self.per_reach = 1.0 / axis_units(array)
        self.f_max = array.f_max
        self.rows = self.per_reach[:, None] * array.effectiveness * array.f_max
        gains = axis_gains(array)
        self.gains = array.effectiveness / gains[:, None]
        self.error_units = 1.0 / (self.per_reach * gains)
        power = watts_per_newton * array.f_max
        self.power_unit = float(power.max()) or 1.0
        self.power = power / self.power_unit
        self.cost = cost
        self.meter = np.vstack([array.effectiveness, watts_per_newton, cost / array.f_max])


class Room(NamedTuple):
    """Checked limits: bounds (n,) N and relative to f_max; power, W, or inf."""

    bounds: Floats
    relative: Floats
    power: float


_ZERO = np.zeros(())
_SMALL = 0.1
"""Size of a scaled wrench below which it is blown up."""


class Task:
    """One wrench with its limits.

    Small wrenches are blown up to unit size, so that they are met as exactly, relative to their size, as large ones.

    Attributes:
        wanted: (6,) N and N m. room: its limits.
        target: (6,) the wrench, scaled. upper: (n,) bounds of x. limit: of the power row.
        unit: x * unit * f_max are forces: x * newtons.
    """

    __slots__ = (
        "_per_reach",
        "_scaling",
        "is_zero",
        "limit",
        "newtons",
        "room",
        "target",
        "unit",
        "upper",
        "wanted",
    )

    def __init__(self, scaling: Scaling, wanted: Floats, room: Room) -> None:
        self._scaling = scaling
        self.wanted = wanted
        self.room = room
        self.target = scaling.per_reach * wanted
        size = math.sqrt(self.target.dot(self.target))
        self.is_zero = size == 0.0
        if size >= _SMALL:
            self.unit = 1.0
            self._per_reach, self.upper, self.newtons = scaling.per_reach, room.relative, scaling.f_max
        else:
            self.unit = unit = max(size, 1e-12)
            self._per_reach = scaling.per_reach / unit
            self.target = self._per_reach * wanted
            self.upper = room.relative / unit
            self.newtons = scaling.f_max * unit
        self.limit = min(room.power / (self.unit * scaling.power_unit), NO_LIMIT)

    def forces(self, x: Floats) -> tuple[Floats, Floats]:
        """Forces, (n,) N, of an answer without the solver's rounding errors, inside bounds and power limit; and what
        they give and cost, (8,), see `Scaling.meter`."""
        forces = x * self.newtons
        np.maximum(forces, _ZERO, out=forces)
        np.minimum(forces, self.room.bounds, out=forces)
        given = self._scaling.meter.dot(forces)
        power, limit = float(given[6]), self.room.power
        if limit < power < limit * (1.0 + 1e-6):
            down = limit / power * (1.0 - 1e-15)
            forces *= down
            given *= down
        return forces, given

    def error(self, given: Floats) -> Floats:
        """(6,) what forces give minus the target."""
        excess: Floats = (given[:6] - self.wanted) * self._per_reach
        return excess
