"""A wrench and its limits in the solver's units."""

import math
from typing import NamedTuple

import numpy as np

from qiki_allocator.allocation.programs import NO_LIMIT, Power
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
        buses: (k, n) 1 where a thruster draws from a bus, else 0; each from one.
        power: (k, n) power of each thruster at f_max from each bus, in `power_unit`, W.
        cost: (n,) of each thruster at f_max.
        meter: (8, n) per newton: the wrench, N and N m; power, W; cost.
        draw: (k, n) W per newton from each bus.
    """

    def __init__(self, array: ThrusterArray, watts_per_newton: Floats, cost: Floats, buses: Floats) -> None:
        self.buses = buses
        self.draw = buses * watts_per_newton
        self.per_reach = 1.0 / axis_units(array)
        self.f_max = array.f_max
        self.rows = self.per_reach[:, None] * array.effectiveness * array.f_max
        gains = axis_gains(array)
        self.gains = array.effectiveness / gains[:, None]
        self.error_units = 1.0 / (self.per_reach * gains)
        power = watts_per_newton * array.f_max
        self.power_unit = float(power.max()) or 1.0
        self.power = buses * (power / self.power_unit)
        self.cost = cost
        self.meter = np.vstack([array.effectiveness, watts_per_newton, cost / array.f_max])


class Room(NamedTuple):
    """Checked limits: bounds (n,) N and relative to f_max; power, W, or inf; of each bus, (k,), if there are more."""

    bounds: Floats
    relative: Floats
    power: Power


NO_POWER = 1e-6
"""Of the strongest thruster's power; a bus that gives less gives nothing: it is inside of the solver's tolerance."""
_ZERO = np.zeros(())
_SMALL = 0.1
"""Size of a scaled wrench below which it is blown up."""


class Task:
    """One wrench with its limits.

    Small wrenches are blown up to unit size, so that they are met as exactly, relative to their size, as large ones.

    Attributes:
        wanted: (6,) N and N m. room: its limits.
        target: (6,) the wrench, scaled. upper: (n,) bounds of x. limit: of the power rows.
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
        self.limit = as_limit(room.power, self.unit * scaling.power_unit)
        if not isinstance(self.limit, float):
            # The bounds keep the thrusters of such a bus off; a second limit of zero would make the program degenerate.
            self.limit[room.power <= NO_POWER * scaling.power_unit] = 1.0

    def forces(self, x: Floats) -> tuple[Floats, Floats]:
        """Forces, (n,) N, of an answer without the solver's rounding errors, inside bounds and power limit; and what
        they give and cost, (8,), see `Scaling.meter`."""
        forces = x * self.newtons
        np.maximum(forces, _ZERO, out=forces)
        np.minimum(forces, self.room.bounds, out=forces)
        given = self._scaling.meter.dot(forces)
        if isinstance(self.room.power, float):
            down = _inside(float(given[6]), self.room.power)
        else:
            drawn = self._scaling.draw.dot(forces).tolist()
            down = min(map(_inside, drawn, self.room.power.tolist()))
        if down < 1.0:
            forces *= down
            given *= down
        return forces, given

    def error(self, given: Floats) -> Floats:
        """(6,) what forces give minus the target."""
        excess: Floats = (given[:6] - self.wanted) * self._per_reach
        return excess


def as_limit(power: Power, unit: float) -> Power:
    """A power limit, W or inf, in a unit, as the solver takes it."""
    return min(power / unit, NO_LIMIT) if isinstance(power, float) else np.minimum(power / unit, NO_LIMIT)


def _inside(power: float, limit: float) -> float:
    """Factor that takes rounding errors off a power beyond its limit; 1 for one that is inside, or not by rounding."""
    return limit / power * (1.0 - 1e-15) if limit < power < limit * (1.0 + 1e-6) else 1.0
