"""Three ways to share out a wrench, each with the proof of its answers."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation import programs
from qiki_allocator.allocation.answers import Certificate
from qiki_allocator.allocation.attainable import range_basis
from qiki_allocator.allocation.certificate import exact_gap, gradient_gap, violation
from qiki_allocator.allocation.task import Scaling, Task
from qiki_allocator.allocation.thrusters import Floats

_MISSED = 1e-7
"""Largest error of an exact answer, relative to the wrench where that is small, else to the reach."""

_PRECEDENCE = 1e5
"""Weight of the first priority's squared error beside the second's."""

_FINE = 1e2
_STEPS = 12
"""The same with less curvature: its weight, and the steps that make up for the smaller weight."""

_NEAR = 1e-3
"""Error of the first priority, scaled, below which it may be the second that pulls at it."""


Starts = npt.NDArray[np.int8] | None


class Found(NamedTuple):
    """Forces, (n,) N; what they give, (8,) as in `Scaling.meter`; their proof; the multipliers of the bounds, (n,), and
    of the power limit, above 0 where they bind."""

    forces: Floats
    given: Floats
    certificate: Certificate
    bounds: Floats
    power: float


def nothing(task: Task, certificate: Certificate) -> Found:
    """Zero thrust."""
    zeros = np.zeros(len(task.upper))
    return Found(zeros, np.zeros(8), certificate, zeros, 0.0)


class Exact:
    """Exactly the wrench with the least thrust."""

    def __init__(self, scaling: Scaling) -> None:
        self._scaling = scaling
        self._cost = scaling.cost
        basis = range_basis(scaling.rows)
        self._to_range = None if basis.shape[1] == 6 else basis.T
        rows = scaling.rows if self._to_range is None else self._to_range @ scaling.rows
        self._program = programs.Program(rows, None, scaling.cost, scaling.power, curvature=programs.REGULARISATION)

    def solve(self, task: Task) -> Found:
        """The answer to an attainable wrench."""
        target = task.target if self._to_range is None else self._to_range @ task.target
        x, multipliers, pushed, ok = self._program.solve(target, task.upper, task.limit)
        forces, given = task.forces(x)
        error = task.error(given)
        if ok and error.dot(error) <= _MISSED**2:
            gap = exact_gap(
                float(given[7]) / task.unit,
                self._cost,
                self._program.rows,
                target,
                multipliers=multipliers,
                upper=task.upper,
                limit=task.limit,
            )
        else:
            gap = math.nan
        return Found(
            forces, given, _certificate(self._scaling, task, forces, given, gap), pushed, float(multipliers[0])
        )


class Closest:
    """The least weighted error of the wrench.

    Args:
        scaling: units.
        weights: (6,) of the error.
        starts: what holds the thrusters on each facet of the attainable set, see `programs.Program`.
    """

    def __init__(self, scaling: Scaling, weights: Floats, starts: Starts = None) -> None:
        self._scaling = scaling
        self._live = scaling.live
        self._size = weights**2
        self._dead = [axis for axis in range(6) if axis not in scaling.live]
        weights = weights[self._live]
        rows = scaling.rows[self._live]
        self._squared = weights**2
        self._weights = weights
        self._rows = weights[:, None] * rows
        cost = programs.ERROR_COST * scaling.cost
        self._program = programs.Program(
            rows, self._squared, cost, scaling.power, curvature=programs.ERROR_CURVATURE, starts=starts
        )
        # Whose error vanishes where a point is attained: nothing but the error is minimised.
        self._fine = programs.Program(rows, self._squared, 0.0 * cost, scaling.power, curvature=1e-9)

    def solve(self, task: Task, facet: int = -1) -> Found:
        """The answer to any wrench; facet: where its direction leaves the attainable set, -1 if not known."""
        aim = task.target[self._live]
        found = self._proven(task, self._program.solve(aim, task.upper, task.limit, facet))
        if found.certificate.holds():
            return found
        # Thrusters that work against each other give a little more where faults have left little: curvature hides it.
        return self._proven(task, self._fine.solve(aim, task.upper, task.limit))

    def _proven(self, task: Task, found: programs.Solution) -> Found:
        forces, given = task.forces(found.x)
        gap = math.nan
        if found.ok:
            coefficients = found.rows.copy()
            coefficients[1:] = self._squared * task.error(given)[self._live]
            x = forces / task.newtons
            gap = gradient_gap(x, coefficients, self._program.rows, upper=task.upper, limit=task.limit)
            gap /= 0.5 * float(self._size.dot(task.target**2))
        certificate = _certificate(self._scaling, task, forces, given, gap)
        return Found(forces, given, certificate, found.upper, float(found.rows[0]))

    def scale(self, task: Task) -> float:
        """The scale where the facets are too many to list: cut the ray by supporting planes until a point is attained.

        The error of the closest attainable point is the normal of a plane that supports the set; the ray leaves it
        at a scale not below the true one, and a polytope has finitely many such planes. Rounded down by 1e-6.
        """
        if task.is_zero:
            return math.inf
        if self._dead and float(np.abs(task.target[self._dead]).max()) > 1e-9:
            return 0.0
        target = task.target[self._live]
        aim = self._weights * target
        normal = aim
        scale = math.inf
        for _ in range(50):
            gain = normal @ self._rows
            scale = min(task.most_gain(gain) / float(normal @ aim), scale)
            found = self._fine.solve(scale * target, task.upper, task.limit)
            if not found.ok:
                return math.nan
            normal = scale * aim - self._rows @ found.x
            if float(normal @ normal) <= 1e-14 * float(aim @ aim) * scale**2 or float(normal @ aim) <= 0.0:
                break
        return scale * (1.0 - 1e-6)


class Priority:
    """The least error of the first axes, then the least of the others, then the least thrust.

    One program with a large weight on the first axes. Where it misses them by little, one step of the method of
    multipliers takes them the rest of the way: the missing part is added to the request, and the second solve starts
    from the first's active set. The multipliers prove both levels.

    Args:
        scaling: units.
        first, second: indices of axes.
        starts: what holds the thrusters on each facet of the attainable set, see `programs.Program`.
    """

    def __init__(self, scaling: Scaling, first: Sequence[int], second: Sequence[int], starts: Starts = None) -> None:
        self._scaling = scaling
        # An axis that nothing reaches has no row of unit length, and nothing to decide.
        levels = [[axis for axis in level if axis in scaling.live] for level in (first, second)]
        self._count = len(levels[0])
        self._axes = np.array(levels[0] + levels[1], dtype=np.intp)
        comes_first = np.arange(len(self._axes)) < self._count
        weights = np.where(comes_first, _PRECEDENCE, 1.0)
        rows = scaling.rows[self._axes]
        cost = programs.ERROR_COST * scaling.cost
        self._program = programs.Program(
            rows, weights, cost, scaling.power, curvature=programs.ERROR_CURVATURE, starts=starts
        )
        weights = np.where(comes_first, _FINE, 1.0)
        self._fine = programs.Program(rows, weights, 0.0 * cost, scaling.power, curvature=1e-8)

    def solve(self, task: Task, facet: int = -1) -> Found:
        """The answer to any wrench; facet: where its direction leaves the attainable set, -1 if not known."""
        wanted = task.target[self._axes]
        found = self._program.solve(wanted, task.upper, task.limit, facet)
        # A soft row misses its target by its multiplier over its weight.
        missed = found.rows[1 : self._count + 1] * (-1.0 / _PRECEDENCE)
        if missed.dot(missed) <= _NEAR**2:
            found = self._program.ask_more(missed)
        answer = self._proven(task, found, _PRECEDENCE)
        if answer.certificate.holds():
            return answer
        # As for Closest; a small curvature allows no large weight, so more steps have to do.
        found = self._fine.solve(wanted, task.upper, task.limit)
        for _ in range(_STEPS):
            missed = wanted[: self._count] - self._fine.rows[1 : self._count + 1].dot(found.x)
            found = self._fine.ask_more(missed)
        return self._proven(task, found, _FINE * (1 + _STEPS))

    def _proven(self, task: Task, found: programs.Solution, precedence: float) -> Found:
        forces, given = task.forces(found.x)
        gap = math.nan
        if found.ok:
            gap = self._gap(task, forces, task.error(given)[self._axes], found.rows, precedence)
        certificate = _certificate(self._scaling, task, forces, given, gap / (0.5 * task.squared))
        return Found(forces, given, certificate, found.upper, float(found.rows[0]))

    def _gap(self, task: Task, forces: Floats, error: Floats, multipliers: Floats, precedence: float) -> float:
        """Of the level that is worse: of the first, and of the second with the first held."""
        x, rows, count = forces / task.newtons, self._program.rows, self._count
        held = multipliers.copy()
        held[count + 1 :] = error[count:]
        gap = gradient_gap(x, held, rows, upper=task.upper, limit=task.limit)
        missed = error[:count]
        # The least error is not below 0: what is left of the first is a bound by itself.
        least = 0.5 * float(missed.dot(missed))
        if least > _NEAR**2:
            alone = multipliers[: count + 1] / precedence
            alone[1:] = missed
            least = gradient_gap(x, alone, rows[: count + 1], upper=task.upper, limit=task.limit)
        return max(gap, least)


def _certificate(scaling: Scaling, task: Task, forces: Floats, given: Floats, gap: float) -> Certificate:
    room = task.room
    outside = violation(forces, room.bounds, scaling.f_max, power=float(given[6]), limit=room.power)
    return Certificate(outside, gap)
