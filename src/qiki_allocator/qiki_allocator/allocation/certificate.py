"""Bounds on how far an answer is from the optimum, by weak duality, and on how far it is outside its limits.

Any multipliers give a valid bound: wrong ones give a bad bound, never a false proof. x, u, p, P as in `programs`;
multipliers are pi of the k power rows (cut off at 0) and mu of the equality rows, in that order; rows are (k + m, n),
the power rows first.
"""

import math

import numpy as np

from qiki_allocator.allocation.programs import Power
from qiki_allocator.allocation.thrusters import Floats

_FREE = 1e3
"""Ease of changing the coefficient of a row that is held, beside one of the gradient, which costs."""
_SPOILS = 1e-3
"""Share of the bound from which a column spoils it."""
_ROUNDS = 3
_SHARP = 1e-4
"""Relative gap that needs no sharper bound."""
_ZERO = np.zeros(())
"""An array: a number would be converted in each call."""


def exact_gap(
    used: float, cost: Floats, rows: Floats, right: Floats, *, multipliers: Floats, upper: Floats, powers: int = 1
) -> float:
    """Bound on (cost'x - least cost) / cost'x for rows[k:] @ x = right[k:], rows[:k] @ x <= right[:k], used = cost'x,
    with k = `powers`.

    The least cost is at least min over the box of the Lagrangian: sum_j u_j min(0, r_j) - mu'target - pi'P with the
    reduced costs r = cost + rows'mu + p'pi. The optimum costs no more than x, so no component of it exceeds
    cost'x / cost_j: where the bounds leave the proof open the box is cut off there, which keeps the bound sharp for
    wrenches far smaller than the bounds.
    """
    if powers > 1:
        np.maximum(multipliers[:powers], _ZERO, out=multipliers[:powers])
    elif not multipliers[0] > 0.0:
        multipliers[0] = 0.0
    reduced = multipliers.dot(rows)
    reduced += cost
    pushed = np.minimum(reduced, _ZERO, out=reduced)
    fixed = used + float(multipliers.dot(right))
    scale = max(used, 1e-9)
    gap = abs(fixed - float(pushed.dot(upper))) / scale
    if gap <= _SHARP:
        return gap
    return abs(fixed - float(pushed.dot(np.minimum(upper, used / cost)))) / scale


def gradient_gap(
    x: Floats, coefficients: Floats, rows: Floats, _gradient: int = 0, *, upper: Floats, limit: Power, powers: int = 1
) -> float:
    """Bound on phi(x) - min phi for a convex phi whose gradient at x is a sum of rows.

    phi(x) - phi(y) <= gradient'(x - y) <= sum_j max over the box of r_j (x_j - y_j) + pi'(P - p x)
    with r = gradient + rows'mu + p'pi for all y that hold the rows of mu as x does; the largest of a component is
    r_j x_j - u_j min(0, r_j).

    Args:
        coefficients: (k + m,) of the rows in r: pi first, cut off at 0; then, for each row, what the gradient has of it
            or, where y holds it, mu.
        limit: (k,), or one number for k = 1.
        powers: k.
    """
    pushing = [0.0] * powers
    for i in range(powers):
        coefficients[i] = pushing[i] = max(float(coefficients[i]), 0.0)
    reduced = coefficients.dot(rows)
    bound = float(reduced.dot(x)) - float(np.minimum(reduced, _ZERO).dot(upper))
    for i, pi in enumerate(pushing):
        if pi > 0.0:
            most = limit if isinstance(limit, float) else float(limit[i])
            bound += pi * max(most - float(rows[i].dot(x)), 0.0)
    return bound


def sharpened_gap(
    x: Floats, coefficients: Floats, rows: Floats, gradient: int, *, upper: Floats, limit: Power, powers: int = 1
) -> float:
    """The same bound as `gradient_gap` for phi = 1/2 |rows[gradient:] x - target|^2, with better coefficients.

    What spoils the bound are reduced costs that are zero but for rounding, times bounds that are large beside x. They
    are made zero by the least change d of the coefficients. For the gradient's coefficients v + d instead of v,
    phi(y) >= (v + d)'(rows y - target) - |v + d|^2 / 2 gives the same bound with |d|^2 / 2 more.

    Args:
        gradient: index of the first row of the gradient; the rows before it are held, or those of the power.
    """
    best = gradient_gap(x, coefficients, rows, upper=upper, limit=limit, powers=powers)
    changes = np.where(np.arange(len(coefficients)) < gradient, _FREE, 1.0)
    changes[:powers] = np.where(coefficients[:powers] > 0.0, _FREE, 0.0)
    changed, spoils = coefficients, np.zeros(len(x), dtype=bool)
    for _ in range(_ROUNDS):
        reduced = changed.dot(rows)
        share = reduced * x - np.minimum(reduced, 0.0) * upper
        spoils |= share > _SPOILS * max(best, 1e-300)
        columns = changes[:, None] * rows[:, spoils]
        least, *_ = np.linalg.lstsq(columns.T, coefficients.dot(rows)[spoils], rcond=1e-12)
        changed = coefficients - changes * least
        moved = changed[gradient:] - coefficients[gradient:]
        bound = gradient_gap(x, changed.copy(), rows, upper=upper, limit=limit, powers=powers)
        bound += 0.5 * float(moved.dot(moved))
        best = min(best, bound)
    return best


def violation(forces: Floats, bounds: Floats, f_max: Floats, *, power: float, limit: float) -> float:
    """Largest violation of a bound, relative to f_max, or of the power limit, relative to it; NaN if a force is."""
    inside = (bounds - forces) * forces  # a factor is negative where a force is out of bounds, never both
    lowest = float(inside[inside.argmin()])
    worst = 0.0
    if not lowest >= 0.0:
        if math.isnan(lowest):
            return math.nan
        worst = float((np.maximum(forces - bounds, -forces) / f_max).max())
    if power > limit:
        worst = max(worst, power / max(limit, 1e-9) - 1.0)
    return worst
