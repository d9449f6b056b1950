"""Ways to share out a wrench, each with the proof of its answers."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation import programs
from qiki_allocator.allocation.answers import Certificate
from qiki_allocator.allocation.certificate import exact_gap, gradient_gap, sharpened_gap, violation
from qiki_allocator.allocation.spans import span
from qiki_allocator.allocation.task import Scaling, Task
from qiki_allocator.allocation.thrusters import Floats

_MISSED = 1e-7
"""Largest error of an exact answer, relative to the wrench where that is small, else to the reach."""

_HARD = 1e3
"""Weight of the squared error where steps make it vanish."""

_PRECEDENCE = 1e5
"""Weight of the first priority's squared error beside the second's."""

_FINE = 1e4
_FINE_CURVATURE = 1e-6
"""The same for proximal steps, and the curvature of each."""

_STEPS = 30
_STILL = 1e-9
"""Largest number of steps, and the change of x, relative, that ends them."""

_NEAR = 1e-3
"""Error of the first priority, scaled, below which it may be the second that pulls at it."""


Starts = npt.NDArray[np.int8] | None


class Found(NamedTuple):
    """Forces, (n,) N; what they give, (8,) as in `Scaling.meter`; their proof; the multipliers of the bounds, (n,), and
    of the power limits, (k,), above 0 where they bind."""

    forces: Floats
    given: Floats
    certificate: Certificate
    bounds: Floats
    power: Floats


def nothing(task: Task, certificate: Certificate) -> Found:
    """Zero thrust."""
    zeros = np.zeros(len(task.upper))
    return Found(zeros, np.zeros(8), certificate, zeros, zeros[:0])


class Exact:
    """Exactly the wrench with the least thrust.

    Attributes:
        units: (r, n) orthonormal rows that span those of the wrench.
    """

    def __init__(self, scaling: Scaling) -> None:
        self._scaling = scaling
        self._cost = scaling.cost
        directions, reach, self.units = span(scaling.rows)
        # Of the right sides: those of the power limits, and the wrench in units.
        self._powers = powers = len(scaling.power)
        self._to_right = np.vstack([np.zeros((powers, 6)), (directions / reach).T])
        curvature = programs.REGULARISATION
        self._program = programs.Program(self.units, None, scaling.cost, scaling.power, curvature=curvature)
        self._rounder = programs.Program(self.units, None, scaling.cost, scaling.power, curvature=10.0 * curvature)
        self._soft = programs.Program(
            self.units, np.full(len(reach), _HARD), scaling.cost, scaling.power, curvature=curvature
        )

    def solve(self, task: Task) -> Found:
        """The answer to an attainable wrench."""
        right = self._to_right.dot(task.target)
        powers = self._powers
        right[:powers] = task.limit
        found = self._program.solve(right[powers:], task.upper, task.limit)
        answer = self._proven(task, right, found)
        return answer if answer.certificate.holds() else self._stepwise(task, right, found)

    def _stepwise(self, task: Task, right: Floats, found: programs.Solution) -> Found:
        """The answer by proximal steps: bounds that are large beside the wrench leave room for the curvature to count.
        Hard rows look infeasible to the solver in some degenerate geometries, or send it in circles: there with another
        curvature, or by the method of multipliers."""
        answer = self._stepped(self._program, task, right, found)
        for program in (self._rounder, self._soft):
            if answer.certificate.holds():
                break
            answer = self._stepped(program, task, right, program.solve(right[self._powers :], task.upper, task.limit))
        return answer

    def _stepped(self, program: programs.Program, task: Task, right: Floats, found: programs.Solution) -> Found:
        answer = self._proven(task, right, found)
        for _ in range(_STEPS):
            if not found.ok or answer.certificate.holds():
                break
            missed = None
            if program is self._soft:
                # Of the forces, which the solver leaves outside their bounds by its tolerance.
                missed = right[self._powers :] - self.units.dot(answer.forces / task.newtons)
            found = program.step(found.x, missed)
            answer = self._proven(task, right, found)
        return answer

    def _proven(self, task: Task, right: Floats, found: programs.Solution) -> Found:
        forces, given = task.forces(found.x)
        error = task.error(given)
        gap = math.nan
        if found.ok and error.dot(error) <= _MISSED**2:
            used = float(given[7]) / task.unit
            rows = self._program.rows
            gap = exact_gap(
                used, self._cost, rows, right, multipliers=found.rows, upper=task.upper, powers=self._powers
            )
        certificate = _certificate(self._scaling, task, forces, given, gap)
        return Found(forces, given, certificate, found.upper, found.rows[: self._powers])


class Levels:
    """The least error in the first directions, then the least in the others, then the least thrust.

    One program with a large weight on the first directions. Where it misses them by little, one step of the method of
    multipliers takes them the rest of the way: the missing part is added to the request, and the second solve starts
    from the first's active set. The multipliers prove both levels.

    Args:
        scaling: units.
        first, second: (k, 6) directions of the scaled error; first may be empty.
        weights: (6,) of the scaled error, in the certificate.
        starts: what holds the thrusters on each facet of the attainable set, see `programs.Program`.
    """

    def __init__(
        self, scaling: Scaling, first: Floats, second: Floats, *, weights: Floats, starts: Starts = None
    ) -> None:
        self._scaling = scaling
        self._squared = weights**2
        self._powers = len(scaling.power)
        first, second = (_reached(level, scaling) for level in (first, second))
        self._count = count = len(first)
        self._axes = np.vstack([first, second])
        rows = self._axes @ scaling.rows
        is_first = np.arange(len(rows)) < count
        cost = programs.ERROR_COST * scaling.cost
        self._program = programs.Program(
            rows,
            np.where(is_first, _PRECEDENCE, 1.0),
            cost,
            scaling.power,
            curvature=programs.ERROR_CURVATURE,
            starts=starts,
        )
        self._fine = programs.Program(
            rows, np.where(is_first, _FINE, 1.0), 0.0 * cost, scaling.power, curvature=_FINE_CURVATURE
        )
        self._first = programs.Program(
            rows[:count], np.ones(count), 0.0 * cost, scaling.power, curvature=_FINE_CURVATURE
        )

    def solve(self, task: Task, facet: int = -1) -> Found:
        """The answer to any wrench; facet: where its direction leaves the attainable set, -1 if not known."""
        wanted, count = self._axes.dot(task.target), self._count
        found = self._program.solve(wanted, task.upper, task.limit, facet)
        # A soft row misses its target by its multiplier over its weight.
        missed = found.rows[self._powers : self._powers + count] * (-1.0 / _PRECEDENCE)
        if count and missed.dot(missed) <= _NEAR**2:
            found = self._program.ask_more(missed)
        answer = self._proven(task, found)
        return answer if answer.certificate.holds() else self._stepwise(task, wanted, answer)

    def _stepwise(self, task: Task, wanted: Floats, answer: Found) -> Found:
        """The answer by proximal steps, which leave no trace of curvature and thrust: faults may have left thrusters
        that give a little more at the price of much thrust."""
        count, powers, pull = self._count, self._powers, np.zeros(self._powers)
        given = wanted.copy()
        if count:
            # The first level alone, so that the second asks for what it attains.
            first = self._first.solve(wanted[:count], task.upper, task.limit)
            for _ in range(_STEPS):
                before = first.x
                first = self._first.step(before)
                if not first.ok or np.abs(first.x - before).max() <= _STILL * max(float(first.x.max()), 1.0):
                    break
            given[:count] = self._first.rows[powers:].dot(first.x)
            if not first.ok:
                return answer
            pull = first.rows[:powers].copy()
        found = self._fine.solve(given, task.upper, task.limit)
        for _ in range(_STEPS):
            if not found.ok:
                break
            answer = self._proven(task, found, pull=pull)
            if answer.certificate.holds():
                break
            missed = given[:count] - self._fine.rows[powers : powers + count].dot(found.x)
            found = self._fine.step(found.x, missed)
        return answer

    def _proven(self, task: Task, found: programs.Solution, *, pull: Floats | None = None) -> Found:
        forces, given = task.forces(found.x)
        gap = math.nan
        if found.ok:
            gap = self._gap(task, forces / task.newtons, self._axes.dot(task.error(given)), found.rows, pull)
            gap /= 0.5 * float(self._squared.dot(task.target * task.target))
        certificate = _certificate(self._scaling, task, forces, given, gap)
        return Found(forces, given, certificate, found.upper, found.rows[: self._powers])

    def _gap(self, task: Task, x: Floats, error: Floats, multipliers: Floats, pull: Floats | None) -> float:
        """Of the level that is worse: of the first, and of the second with the first held.

        Args:
            pull: (k,) of the power rows on the first level alone; None: known from both levels together.
        """
        rows, powers, upper, limit = self._program.rows, self._powers, task.upper, task.limit
        count, first = self._count, powers + self._count
        bound = gradient_gap if pull is None else sharpened_gap
        held = multipliers.copy()
        held[first:] = error[count:]
        gap = bound(x, held, rows, first, upper=upper, limit=limit, powers=powers)
        missed = error[:count]
        # The least error is not below 0: what is left of the first is a bound by itself.
        least = 0.5 * float(missed.dot(missed))
        if least > _NEAR**2:
            alone = np.empty(first)
            alone[:powers] = multipliers[:powers] / _PRECEDENCE if pull is None else pull
            alone[powers:] = missed
            least = bound(x, alone, rows[:first], powers, upper=upper, limit=limit, powers=powers)
        return max(gap, least)


def _reached(directions: Floats, scaling: Scaling) -> Floats:
    """The directions of a level, turned so that their rows are orthogonal, without those that nothing reaches."""
    turned, _, _ = span(scaling.rows, directions)
    return turned.T @ directions


def _certificate(scaling: Scaling, task: Task, forces: Floats, given: Floats, gap: float) -> Certificate:
    room = task.room
    if isinstance(room.power, float):
        return Certificate(violation(forces, room.bounds, scaling.f_max, power=float(given[6]), limit=room.power), gap)
    drawn = zip(scaling.draw.dot(forces).tolist(), room.power.tolist(), strict=True)
    outside = [violation(forces, room.bounds, scaling.f_max, power=power, limit=limit) for power, limit in drawn]
    return Certificate(max(outside), gap)
