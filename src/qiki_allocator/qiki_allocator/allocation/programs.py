"""The quadratic programs of the allocator, each set up once and solved warm with daqp.

Variables are x = f / f_max, wrenches are scaled by rows (see `task`), powers by the strongest thruster's. daqp is a
dual active-set solver: on these sizes it is exact to rounding and takes a few microseconds.
"""

from typing import NamedTuple

import daqp
import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats

Power = float | Floats
"""Power limit of all thrusters together, or of each bus, (k,)."""

NO_LIMIT = 1e30
"""Right side of a row that limits nothing."""
EQUALITY = 5  # daqp: active from the start and never released
_SIDES = np.array([0, 1, 3], dtype=np.intc)  # daqp: not active; active at the upper bound; [-1] at the lower one
_SOFT = 8  # daqp: may be violated at a quadratic cost
_SOLVED = (1, 2)  # daqp: optimal; optimal with a soft row violated
SETTINGS = {"primal_tol": 1e-9, "sing_tol": 1e-12}
"""Of daqp. Its own limit of singular sets of rows calls some wrenches infeasible that need hundreds of times their
impulse."""

_JUMP = 0.1
"""Change of a target, scaled units, from which a good guess is nearer to the answer than the last answer is."""

REGULARISATION = 1e-5
"""Curvature added to the nozzle thrust. It picks the evenest of the cheapest answers, and without it the symmetric
geometry is degenerate. The thrust stays that of the linear program; the duality gap shows it as about this number."""

ERROR_COST = 1e-6
"""Weight of the nozzle thrust beside the squared wrench error, scaled units, when the wrench is not attainable."""

ERROR_CURVATURE = 1e-5
"""Curvature added to the squared wrench error; with less the solver takes longer, with more the error grows."""


class Solution(NamedTuple):
    """x (n,), the multipliers of the linear rows (powers first) and of the upper bounds; ok: the solver is content."""

    x: Floats
    rows: Floats
    upper: Floats
    ok: bool


class Program:
    """minimise cost'x + curvature/2 |x|^2 + 1/2 sum_i weights_i (target - wanted x)_i^2, 0 <= x <= u, p x <= P.

    Args:
        wanted: (m, n) rows, none of length 0.
        weights: (m,) of each row's squared error; None: wanted x = target exactly, rows independent.
        cost: (n,).
        power: (k, n) the power rows.
        curvature: > 0.
        starts: (s, n + k) guesses of what holds each x and the power rows: 1 the upper limit, -1 the lower one,
            0 neither.

    Attributes:
        rows: (k + m, n) the power rows and the wanted ones.
    """

    def __init__(
        self,
        wanted: Floats,
        weights: npt.ArrayLike | None,
        cost: Floats,
        power: Floats,
        *,
        curvature: float,
        starts: npt.NDArray[np.int8] | None = None,
    ) -> None:
        self._n = n = len(cost)
        m, self._powers = len(wanted), len(power)
        self._first = first = n + self._powers
        self.rows = np.vstack([power, wanted])
        # daqp scales rows to unit length, and with them what violates a soft one.
        length = np.linalg.norm(wanted, axis=1)
        self._length = None if np.abs(length - 1.0).max(initial=0.0) <= 1e-12 else length
        scaled = np.vstack([power, wanted / length[:, None]])
        self._cost, self._curvature, self._is_step = np.array(cost), curvature, False
        self._limits = np.zeros((2, first + m))
        self._upper, self._lower = self._limits
        self._upper[:n] = 1.0
        self._upper[n:first] = NO_LIMIT
        self._lower[n:first] = -NO_LIMIT
        self._bounds, self._targets = self._upper[:n], self._limits[:, first:]
        self._sense = np.zeros(first + m, dtype=np.intc)
        self._sense[first:] = EQUALITY if weights is None else EQUALITY | _SOFT
        self._starts = None if starts is None else _SIDES[starts]
        self._model = daqp.Model()
        self._model.settings = SETTINGS
        self._model.setup(curvature * np.eye(n), self._cost, scaled, self._upper, self._lower, self._sense)
        if weights is not None:
            softness = np.ones(first + m)
            softness[first:] = 1.0 / (np.asarray(weights) * length**2)
            self._model.soft_weights(rho_l=softness, rho_u=softness)

    def solve(self, target: Floats, upper: Floats, power: Power, start: int = -1) -> Solution:
        """Solve for a target (m,), upper bounds (n,) and power limits, (k,) or one number.

        It starts from where the last solve ended, or, where the target has jumped, from the guess of that index.
        """
        n, first = self._n, self._first
        if self._length is not None:
            target = target / self._length
        if self._is_step:
            self._is_step = False
            self._model.update(f=self._cost)
        guess = None
        if self._starts is not None and start >= 0:
            moved = target - self._targets[0]
            if moved.dot(moved) > _JUMP**2:
                guess = self._starts[start]
        self._bounds[:] = upper
        self._upper[n:first] = power
        self._targets[:] = target
        if guess is None:
            self._model.update(bupper=self._upper, blower=self._lower)
        else:
            self._sense[:first] = guess
            self._model.update(bupper=self._upper, blower=self._lower, sense=self._sense)
        return self._solved()

    def ask_more(self, extra: Floats) -> Solution:
        """Solve again with the first targets raised by extra, (k,)."""
        self._raise(extra)
        self._model.update(bupper=self._upper, blower=self._lower)
        return self._solved()

    def step(self, x: Floats, extra: Floats | None = None) -> Solution:
        """As `ask_more`, with the curvature about x instead of 0: repeated, it vanishes from the answer."""
        self._is_step = True
        if extra is not None:
            self._raise(extra)
        self._model.update(f=self._cost - self._curvature * x, bupper=self._upper, blower=self._lower)
        return self._solved()

    def _raise(self, extra: Floats) -> None:
        count = len(extra)
        self._targets[:, :count] += extra if self._length is None else extra / self._length[:count]

    def _solved(self) -> Solution:
        x, _, flag, info = self._model.solve()
        multipliers = info["lam"]
        rows = multipliers[self._n :]
        if self._length is not None:
            rows[self._powers :] /= self._length
        return Solution(x, rows, multipliers[: self._n], flag in _SOLVED)
