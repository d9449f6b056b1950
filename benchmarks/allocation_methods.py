"""The methods that benchmarks/allocation.py compares: each shares out a wrench among one-sided thrusters.

A method is made for a vehicle's thrusters and has `solve(wrench, bounds, power)`: (6,) N and N m, (n,) N, W; the answer
is (n,) N. All that can be prepared is prepared, and what can start warm does. All quadratic programs are the same:
least squared error of the wrench, each axis relative to its reach, plus 1e-5 of the thrust, inside bounds and power.
"""

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from scipy.optimize import lsq_linear, nnls  # type: ignore[import-untyped]
from scipy.sparse import csc_matrix  # type: ignore[import-untyped]

from qiki_allocator import Allocator, Limits, ThrusterArray
from qiki_allocator.allocation import programs
from qiki_allocator.allocation.thrusters import Floats

THRUST_WEIGHT = 1e-5
CURVATURE = 1e-6

Solve = Callable[[Floats, Floats, float], Floats]


class Problem:
    """The quadratic program in x = f / f_max: 1/2 x'Hx + g'x, 0 <= x <= u, p'x <= P."""

    def __init__(self, array: ThrusterArray, watts_per_newton: float) -> None:
        self.n = len(array)
        self.f_max = array.f_max
        columns = array.effectiveness * array.f_max
        self.per_reach = 1.0 / np.linalg.norm(columns, axis=1)
        self.rows = self.per_reach[:, None] * columns
        self.hessian = self.rows.T @ self.rows + CURVATURE * np.eye(self.n)
        self.power_unit = watts_per_newton * float(array.f_max.max())
        self.power = watts_per_newton * array.f_max / self.power_unit
        self.cost = THRUST_WEIGHT * array.f_max / array.f_max.max()
        self._columns = np.ascontiguousarray(self.rows.T)

    def scaled(self, wrench: Floats, bounds: Floats, power: float) -> tuple[Floats, Floats, float, Floats]:
        """(target, u, P, newtons) of a wrench: the target of the rows; x * newtons are forces.

        Small wrenches are blown up to unit size, or the thrust's weight would leave their error large beside them.
        """
        target = self.per_reach * wrench
        unit = min(math.sqrt(target.dot(target)) + 1e-12, 1.0)
        newtons = self.f_max * unit
        return target / unit, bounds / newtons, power / (self.power_unit * unit), newtons

    def at(self, wrench: Floats, bounds: Floats, power: float) -> tuple[Floats, Floats, float, Floats]:
        """(g, u, P, newtons) of a wrench, with the gradient in place of the target."""
        target, upper, limit, newtons = self.scaled(wrench, bounds, power)
        return self.cost - self._columns.dot(target), upper, limit, newtons


def ours(array: ThrusterArray, watts: float, policy: str) -> Solve:
    """`Allocator.solve` with all it answers: certificate, margin, scale, names of the limits that bind."""
    allocator = Allocator(array, watts, policy)

    def solve(wrench: Floats, bounds: Floats, power: float) -> Floats:
        return allocator.solve(wrench, Limits(power, bounds)).forces

    return solve


def ours_bare(array: ThrusterArray, watts: float) -> Solve:
    """The quadratic program alone, with the allocator's own solver."""
    problem = Problem(array, watts)
    program = programs.Program(problem.rows, np.ones(6), problem.cost, problem.power, curvature=CURVATURE)

    def solve(wrench: Floats, bounds: Floats, power: float) -> Floats:
        target, upper, limit, newtons = problem.scaled(wrench, bounds, power)
        return program.solve(target, upper, limit).x * newtons

    return solve


def nnls_exact(array: ThrusterArray, watts: float) -> Solve:
    """The program as a least-distance problem and that as non-negative least squares (Lawson and Hanson, ch. 23)."""
    problem = Problem(array, watts)
    n = problem.n
    factor = np.linalg.cholesky(problem.hessian)
    inverse = np.linalg.inv(factor)
    # G x >= h with the lower bounds, the upper ones and the power row
    g = np.vstack([np.eye(n), -np.eye(n), -problem.power])
    inverse_hessian = inverse.T @ inverse
    unconstrained = g @ inverse_hessian
    e = np.empty((n + 1, 2 * n + 1))
    e[:n] = (g @ inverse.T).T
    f = np.zeros(n + 1)
    f[n] = 1.0
    h = np.zeros(2 * n + 1)
    to_x = inverse.T

    def solve(wrench: Floats, bounds: Floats, power: float) -> Floats:
        gradient, upper, limit, newtons = problem.at(wrench, bounds, power)
        h[n : 2 * n] = -upper
        h[2 * n] = -limit
        e[n] = h + unconstrained.dot(gradient)
        y, _ = nnls(e, f)
        residual = e.dot(y) - f
        x = to_x.dot(-residual[:n] / residual[n]) - inverse_hessian.dot(gradient)
        return np.asarray(x * newtons)

    return solve


def nnls_clipped(array: ThrusterArray, watts: float) -> Solve:
    """Non-negative least squares, then cut off at the bounds."""
    problem = Problem(array, watts)

    def solve(wrench: Floats, bounds: Floats, _power: float) -> Floats:
        x, _ = nnls(problem.rows, problem.per_reach * wrench)
        return np.asarray(np.minimum(x * problem.f_max, bounds))

    return solve


def bounded_least_squares(array: ThrusterArray, watts: float) -> Solve:
    """scipy's lsq_linear (BVLS): bounds, no power."""
    problem = Problem(array, watts)

    def solve(wrench: Floats, bounds: Floats, _power: float) -> Floats:
        # It refuses bounds that are equal.
        upper = np.maximum(bounds / problem.f_max, 1e-9)
        answer = lsq_linear(problem.rows, problem.per_reach * wrench, (0.0, upper), method="bvls", lsmr_tol=None)
        return np.asarray(np.minimum(answer.x * problem.f_max, bounds))

    return solve


def pinv_clipped(array: ThrusterArray, watts: float) -> Solve:
    """Least-norm answer, cut off at 0 and at the bounds."""
    problem = Problem(array, watts)
    inverse = np.linalg.pinv(problem.rows) * problem.per_reach

    def solve(wrench: Floats, bounds: Floats, _power: float) -> Floats:
        return np.asarray(np.minimum(np.maximum(inverse.dot(wrench) * problem.f_max, 0.0), bounds))

    return solve


def pinv_redistributed(array: ThrusterArray, watts: float) -> Solve:
    """Least-norm answer; thrusters out of bounds are fixed there and the rest shared out again among the others."""
    problem = Problem(array, watts)

    def solve(wrench: Floats, bounds: Floats, _power: float) -> Floats:
        upper = bounds / problem.f_max
        target = problem.per_reach * wrench
        x = np.zeros(problem.n)
        free = upper > 0.0
        for _ in range(problem.n):
            rows = problem.rows[:, free]
            x[free] = np.linalg.pinv(rows) @ (target - problem.rows[:, ~free] @ x[~free])
            outside = free & ((x < 0.0) | (x > upper))
            if not outside.any():
                break
            x = np.minimum(np.maximum(x, 0.0), upper)
            free &= ~outside
            if not free.any():
                break
        return x * problem.f_max

    return solve


def osqp(array: ThrusterArray, watts: float) -> Solve:
    """OSQP, tolerances 1e-6, warm."""
    package = import_module("osqp")

    problem = Problem(array, watts)
    n = problem.n
    rows = csc_matrix(np.vstack([np.eye(n), problem.power]))
    solver = package.OSQP()
    lower = np.append(np.zeros(n), -np.inf)
    upper = np.ones(n + 1)
    options = {"eps_abs": 1e-6, "eps_rel": 1e-6, "max_iter": 20000, "verbose": False, "polishing": False}
    solver.setup(csc_matrix(np.triu(problem.hessian)), np.zeros(n), rows, lower, upper, **options)

    def solve(wrench: Floats, bounds: Floats, power: float) -> Floats:
        gradient, upper[:n], upper[n], newtons = problem.at(wrench, bounds, power)
        solver.update(q=gradient, u=upper)
        return np.asarray(solver.solve().x) * newtons

    return solve


def piqp(array: ThrusterArray, watts: float) -> Solve:
    """PIQP, dense, its own tolerances."""
    package = import_module("piqp")

    problem = Problem(array, watts)
    n = problem.n
    solver = package.DenseSolver()
    row = np.asfortranarray(problem.power[None])
    solver.setup(
        np.asfortranarray(problem.hessian), np.zeros(n), None, None, row, None, np.ones(1), np.zeros(n), np.ones(n)
    )

    def solve(wrench: Floats, bounds: Floats, power: float) -> Floats:
        gradient, upper, limit, newtons = problem.at(wrench, bounds, power)
        solver.update(c=gradient, h_u=np.array([limit]), x_u=upper)
        solver.solve()
        return np.array(solver.result.x) * newtons

    return solve


def clarabel(array: ThrusterArray, watts: float) -> Solve:
    """Clarabel, its own tolerances."""
    package = import_module("clarabel")

    problem = Problem(array, watts)
    n = problem.n
    settings = package.DefaultSettings()
    settings.verbose = False
    settings.presolve_enable = False
    rows = csc_matrix(np.vstack([-np.eye(n), np.eye(n), problem.power]))
    right = np.append(np.zeros(n), np.ones(n + 1))
    cones = [package.NonnegativeConeT(2 * n + 1)]
    hessian = csc_matrix(np.triu(problem.hessian))
    solver = package.DefaultSolver(hessian, np.zeros(n), rows, right, cones, settings)

    def solve(wrench: Floats, bounds: Floats, power: float) -> Floats:
        gradient, right[n : 2 * n], right[2 * n], newtons = problem.at(wrench, bounds, power)
        solver.update(q=gradient, b=right)
        return np.array(solver.solve().x) * newtons

    return solve


def proxqp(array: ThrusterArray, watts: float) -> Solve:
    """ProxQP, dense with box, warm; with a tolerance of 1e-6 most warm answers are far off."""
    package = import_module("proxsuite").proxqp

    problem = Problem(array, watts)
    n = problem.n
    solver = package.dense.QP(n, 0, 1, True)
    solver.settings.eps_abs = 1e-9
    solver.settings.initial_guess = package.InitialGuess.WARM_START_WITH_PREVIOUS_RESULT
    row, low, zeros = problem.power[None], np.full(1, -1e20), np.zeros(n)
    none: dict[str, Any] = {"A": None, "b": None}
    solver.init(problem.hessian, zeros, **none, C=row, l=low, u=np.ones(1), l_box=zeros, u_box=np.ones(n))

    def solve(wrench: Floats, bounds: Floats, power: float) -> Floats:
        gradient, upper, limit, newtons = problem.at(wrench, bounds, power)
        # It must be given a matrix and all of its box, or it crashes.
        solver.update(g=gradient, C=row, l=low, u=np.array([limit]), l_box=zeros, u_box=upper)
        solver.solve()
        return np.array(solver.results.x) * newtons

    return solve


METHODS: dict[str, Callable[[ThrusterArray, float], Solve]] = {
    "exact NNLS (scipy)": nnls_exact,
    "ours, bare": ours_bare,
    "ours, priority": lambda array, watts: ours(array, watts, "priority"),
    "ours, weighted": lambda array, watts: ours(array, watts, "weighted"),
    "NNLS clipped (scipy)": nnls_clipped,
    "lsq_linear bvls (scipy)": bounded_least_squares,
    "pseudo-inverse clipped": pinv_clipped,
    "pseudo-inverse redistributed": pinv_redistributed,
    "OSQP": osqp,
    "PIQP": piqp,
    "Clarabel": clarabel,
    "ProxQP": proxqp,
}
"""By name; the first is what the times of the others are compared with."""
