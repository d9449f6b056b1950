"""The largest multiple of a wrench that thrusters give, where the facets of the attainable set are too many to list."""

import math

import daqp
import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.programs import EQUALITY, NO_LIMIT, SETTINGS, Power
from qiki_allocator.allocation.spans import OUTSIDE, axis_units, span
from qiki_allocator.allocation.task import as_limit
from qiki_allocator.allocation.thrusters import Floats, ThrusterArray

_CURVATURE = 1e-4
"""Of x, where the commanded direction's row has unit length. Small enough for the quadratic program to end in an
optimum of the linear one (Mangasarian and Meyer 1979); the second step shows whether it has. With 1e-3 it did not where
slopes are slight, in 1 of 500 arrays of 22 to 40 thrusters."""

_TOLERANCE = 1e-10
"""Of daqp. With less of both, levels came out of their bounds, and the scale above the true one."""

_STEPS = 20
_SAME = 1e-9
_DOWN = 1.0 - 1e-9
_LIFTS = 64


class Ray:
    """maximise s with units x = s target, 0 <= x <= u, p x <= P; solved warm.

    Args:
        units: (r, n) orthonormal rows.
        power: (k, n) the power rows.
    """

    def __init__(self, units: Floats, power: Floats) -> None:
        rank, n = units.shape
        self._units, self._n, self._first = units, n, n + len(power)
        first = self._first
        self._rows = np.vstack([power, units[1:]])
        self._limits = np.zeros((2, first + rank - 1))
        self._upper, self._lower = self._limits
        self._upper[:n] = 1.0
        self._upper[n:first], self._lower[n:first] = NO_LIMIT, -NO_LIMIT
        sense = np.zeros(first + rank - 1, dtype=np.intc)
        sense[first:] = EQUALITY
        self._model = daqp.Model()
        self._model.settings = {**SETTINGS, "primal_tol": _TOLERANCE}
        self._model.setup(_CURVATURE * np.eye(n), np.zeros(n), self._rows, self._upper, self._lower, sense)

    def longest(self, target: Floats, upper: Floats, limit: Power) -> tuple[float, Floats]:
        """(s, x (n,)) for a target (r,) that is not zero; NaN if the solver finds none.

        s is that of x and so never above the true one, rounding errors aside. A proximal step from x that does not move
        proves that x is an optimum of the linear program.
        """
        size = math.sqrt(float(target.dot(target)))
        # A reflection of the target onto the first axis leaves the rows across it.
        mirror = target / size
        along = mirror.dot(self._units)
        mirror[0] += math.copysign(1.0, mirror[0])
        mirror /= math.sqrt(float(mirror.dot(mirror)))
        across = self._rows[self._first - self._n :]
        np.subtract(self._units[1:], np.multiply.outer(2.0 * mirror[1:], mirror.dot(self._units)), out=across)
        self._upper[: self._n] = upper
        self._upper[self._n : self._first] = limit
        self._model.update(f=-along, A=self._rows, bupper=self._upper, blower=self._lower)
        x, _, flag, _ = self._model.solve()
        for _ in range(_STEPS):
            if flag != 1:
                return math.nan, x
            before = x
            self._model.update(f=-along - _CURVATURE * before)
            x, _, flag, _ = self._model.solve()
            moved = x - before
            if moved.dot(moved) <= _SAME**2:
                break
        return float(along.dot(x)) / size, x


class RaySet:
    """The set of attainable wrenches without its facets: scale by `Ray`, and a lower bound of the margin.

    The set is convex and holds 0. With Z all wrenches of the healthy thrusters, and m Z inside the set, a wrench w of
    scale s >= 1 has the margin m (1 - 1/s) or more, as w + (1 - 1/s) m Z lies between s w and m Z. For s < 1 it has
    -(1 - s) g or more, where w lies in g Z. m comes from opening all thrusters alike, dead ones replaced by others; g
    from some forces that give w.

    Args:
        array: the thrusters.
        watts: (n,) W per newton.
        buses: (k, n) 1 where a thruster draws from a bus, else 0; None: all from one.
    """

    sides = None

    def __init__(self, array: ThrusterArray, watts: Floats, buses: Floats | None = None) -> None:
        self._watts = watts
        self._buses = np.ones((1, len(array))) if buses is None else buses
        self._per_unit = 1.0 / axis_units(array)
        self._directions, reach, self._units = span(self._per_unit[:, None] * array.effectiveness * array.f_max)
        self._to_units = (self._directions / reach).T * self._per_unit
        self._power_unit = float((watts * array.f_max).max()) or 1.0
        self._power = self._buses * (watts * array.f_max / self._power_unit)
        self._ray = Ray(self._units, self._power)
        self._even = self._opened(np.zeros(len(self._units)), np.ones(len(array)))
        self._lifts: dict[bytes, Floats | None] = {}
        self.limit(np.ones(len(array)), math.inf)

    def moved(self, array: ThrusterArray) -> "RaySet":
        """The set of the same thrusters with another centre of mass."""
        return RaySet(array, self._watts, self._buses)

    def limit(self, bounds: Floats, power: Power) -> None:
        """Set the bounds, (n,) relative to f_max, and the power limit, W or inf, or those of the buses, (k,)."""
        self._upper = bounds
        self._limit = as_limit(power, self._power_unit)
        alive = bounds > 0.0
        key = alive.tobytes()
        if key not in self._lifts:
            if len(self._lifts) >= _LIFTS:
                self._lifts.clear()
            self._lifts[key] = self._lift(alive)
        lift = self._lifts[key]
        self._at_rest = 0.0
        if lift is not None:
            used = self._power.dot(lift)
            by_power = np.divide(self._limit, used, out=np.ones(len(used)), where=used > 0.0)
            self._at_rest = min(float((bounds[alive] / lift[alive]).min()), float(by_power.min()))

    def scale_and_margin(self, wrench: Floats) -> tuple[float, float, int]:
        """(scale, margin, -1) of a wrench, (6,): see `Allocation`. The margin is a lower bound."""
        if not wrench.any():
            return math.inf, self._at_rest, -1
        if len(self._units) < 6:
            scaled = self._per_unit * wrench
            whole = float(np.linalg.norm(scaled))
            outside = float(np.linalg.norm(scaled - self._directions @ (self._directions.T @ scaled)))
            if outside > OUTSIDE * whole:
                return 0.0, -outside / whole, -1
        target = self._to_units.dot(wrench)
        scale, _ = self._ray.longest(target, self._upper, self._limit)
        if scale * math.sqrt(float(target.dot(target))) <= _SAME:
            scale = 0.0
        scale *= _DOWN
        if scale >= 1.0:
            return scale, self._at_rest * (1.0 - 1.0 / scale), -1
        return scale, -(1.0 - scale) * self._needed(target, scale), -1

    def _needed(self, target: Floats, scale: float) -> float:
        """Share of the healthy thrusters' forces with which a wrench is in reach, not the least."""
        most = 1.0 / scale if scale > 0.0 else math.inf
        if self._even is None:
            return most
        forces = target.dot(self._units)
        forces += float(np.max(-forces / self._even)) * self._even
        return min(float(forces.max()), most)

    def _lift(self, alive: npt.NDArray[np.bool_]) -> Floats | None:
        """(n,) forces, relative, of living thrusters that give what all give at full force, whichever of these fire;
        None: there are none."""
        lift = alive.astype(float)
        least = np.where(alive, 0.0, math.nan)
        for dead in np.flatnonzero(~alive):
            instead = self._opened(self._units[:, dead], least)
            if instead is None:
                return None
            lift += instead
        return lift

    def _opened(self, target: Floats, least: Floats) -> Floats | None:
        """The most even x >= least, NaN: x = 0, with units x = target; None: there is none."""
        n = len(least)
        closed = np.isnan(least)
        upper = np.concatenate([np.where(closed, 0.0, NO_LIMIT), target])
        lower = np.concatenate([np.where(closed, 0.0, least), target])
        sense = np.zeros(n + len(target), dtype=np.intc)
        sense[n:] = EQUALITY
        x, _, flag, _ = daqp.solve(np.eye(n), np.zeros(n), self._units, upper, lower, sense)
        return np.maximum(x, 0.0) if flag == 1 else None
