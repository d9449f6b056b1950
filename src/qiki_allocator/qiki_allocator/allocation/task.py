"""A wrench and its limits in the solver's units."""

import math
from typing import NamedTuple

import numpy as np

from qiki_allocator.allocation.attainable import row_norms
from qiki_allocator.allocation.programs import NO_LIMIT
from qiki_allocator.allocation.thrusters import Floats, ThrusterArray


class Scaling:
    """The solver's units, and what the thrusters give and cost in them.

    Attributes:
        per_reach: (6,) 1/N and 1/(N m), scale of the wrench's axes: one over the reach of each.
        f_max: (n,) N, unit of each thruster's force.
        rows: (6, n) scaled wrench of each thruster at f_max.
        power: (n,) power of each thruster at f_max, in `power_unit`, W.
        cost: (n,) of each thruster at f_max.
        meter: (8, n) per newton: the wrench, N and N m; power, W; cost.
        live: the axes that anything reaches; their rows are of unit length.
    """

    def __init__(self, array: ThrusterArray, watts_per_newton: Floats, cost: Floats) -> None:
        columns = array.effectiveness * array.f_max
        self.per_reach = 1.0 / row_norms(columns)
        self.f_max = array.f_max
        self.rows = self.per_reach[:, None] * columns
        power = watts_per_newton * array.f_max
        self.power_unit = float(power.max()) or 1.0
        self.power = power / self.power_unit
        self.cost = cost
        self.meter = np.vstack([array.effectiveness, watts_per_newton, cost / array.f_max])
        self.live = [axis for axis in range(6) if self.rows[axis].dot(self.rows[axis]) > 0.5]


class Room(NamedTuple):
    """Checked limits: bounds (n,) N and relative to f_max; power, W, or inf."""

    bounds: Floats
    relative: Floats
    power: float


_SMALL = 0.1
"""Size of a scaled wrench below which it is blown up."""


class Task:
    """One wrench with its limits.

    Small wrenches are blown up to unit size, so that they are met as exactly, relative to their size, as large ones.

    Attributes:
        wanted: (6,) N and N m. room: its limits.
        target: (6,) the wrench, scaled. squared: target'target. upper: (n,) bounds of x. limit: of the power row.
        unit: x * unit * f_max are forces: x * newtons.
    """

    __slots__ = (
        "_per_reach",
        "_scaling",
        "is_zero",
        "limit",
        "newtons",
        "room",
        "squared",
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
        self.squared = float(self.target.dot(self.target))
        size = math.sqrt(self.squared)
        self.is_zero = size == 0.0
        if size >= _SMALL:
            self.unit = 1.0
            self._per_reach, self.upper, self.newtons = scaling.per_reach, room.relative, scaling.f_max
        else:
            self.unit = unit = max(size, 1e-12)
            self._per_reach = scaling.per_reach / unit
            self.target = self._per_reach * wanted
            self.squared = float(self.target.dot(self.target))
            self.upper = room.relative / unit
            self.newtons = scaling.f_max * unit
        self.limit = min(room.power / (self.unit * scaling.power_unit), NO_LIMIT)

    def forces(self, x: Floats) -> tuple[Floats, Floats]:
        """Forces, (n,) N, of an answer without the solver's rounding errors, inside bounds and power limit; and what
        they give and cost, (8,), see `Scaling.meter`."""
        forces = x * self.newtons
        np.maximum(forces, 0.0, out=forces)
        np.minimum(forces, self.room.bounds, out=forces)
        given = self._scaling.meter.dot(forces)
        if self.room.power < given[6] < self.room.power * (1.0 + 1e-6):
            down = self.room.power / given[6] * (1.0 - 1e-15)
            forces *= down
            given *= down
        return forces, given

    def error(self, given: Floats) -> Floats:
        """(6,) what forces give minus the target."""
        excess: Floats = (given[:6] - self.wanted) * self._per_reach
        return excess

    def power_multiplier(self, gain: Floats) -> float:
        """Worth of a unit of power where gain'x is to be large: that of the last thruster that gets power."""
        power = self._scaling.power
        worth = gain / np.maximum(power, 1e-12)
        order = worth.argsort()[::-1]
        last = int((power * self.upper)[order].cumsum().searchsorted(self.limit))
        return 0.0 if last == len(order) else max(float(worth[order[last]]), 0.0)

    def most_gain(self, gain: Floats) -> float:
        """Largest gain'x that bounds and power limit allow: the fractional knapsack, by its dual."""
        multiplier = self.power_multiplier(gain)
        most = float(np.maximum(gain - multiplier * self._scaling.power, 0.0).dot(self.upper))
        return most + multiplier * self.limit if multiplier > 0.0 else most
