"""Signed axes, of twelve, along which a body can still be pushed and turned, and how hard.

One-sided thrusters control an axis when some combination of them gives a pure wrench along it: {B f : f >= 0} holds the
axis. All twelve are held exactly when the columns of B positively span the six dimensions; rank 6 alone says nothing.

The largest pure wrench along an axis is a linear program in the levels x = f / f_max of the thrusters. It is solved by
daqp with a small curvature added and the equations removed through their null space, at some 50 us. For a small
enough curvature the answer *is* an optimum of the linear program (Mangasarian and Meyer 1979): the one with the least
sum of squares. It is unique, so that it has every symmetry that geometry, centre of mass and health have.
"""

from collections.abc import Collection
from dataclasses import dataclass

import daqp
import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.spans import axis_units
from qiki_allocator.allocation.thrusters import Floats, ThrusterArray
from qiki_allocator.checks import require
from qiki_vehicle import ConfigurationError

TRANSLATIONS = ("+x", "-x", "+y", "-y", "+z", "-z")
ROTATIONS = ("+roll", "-roll", "+pitch", "-pitch", "+yaw", "-yaw")
AXES = TRANSLATIONS + ROTATIONS

_CURVATURE = 1e-4  # of the levels, where the strongest thruster's share in the wrench counts 1
_ACROSS = 0.05  # largest share of an axis's authority in each other axis, in `spans.axis_units`
_NONE = 1e-6  # share of what all thrusters give to an axis, below which the axis is taken for lost


@dataclass(frozen=True, eq=False)
class Reach:
    """The largest pure force or torque along one axis.

    Attributes:
        axis: one of `AXES`.
        size: N or N m, what the thrusters give along the axis at `levels`; 0 where the axis is lost.
        levels: (n,) 0..1, share of time each valve is open.
    """

    axis: str
    size: float
    levels: Floats


def axis_vector(axis: str) -> Floats:
    """(6,) unit wrench of an axis.

    Raises:
        ValueError: there is no such axis.
    """
    if axis not in AXES:
        raise ValueError(f"axis: {axis!r}; allowed: {', '.join(AXES)}")
    index, negative = divmod(AXES.index(axis), 2)
    vector = np.zeros(6)
    vector[index] = -1.0 if negative else 1.0
    return vector


def controllable_axes(
    array: ThrusterArray, health: npt.ArrayLike | None = None, stuck_open: Collection[int] = ()
) -> tuple[str, ...]:
    """The axes along which a pure wrench is possible, in the order of `AXES`.

    Args:
        array: the thrusters.
        health: (n,) 0..1, share of its thrust that each thruster still gives, 0 = dead; None: all 1.
        stuck_open: thrusters that cannot be closed; the others have to make up for them.

    Raises:
        ConfigurationError: an argument is not allowed.
    """
    return tuple(axis for axis in AXES if largest_wrench(array, axis, health, stuck_open=stuck_open).size > 0.0)


def largest_wrench(
    array: ThrusterArray,
    axis: str,
    health: npt.ArrayLike | None = None,
    *,
    power: float | None = None,
    watts_per_newton: float = 33.333,
    stuck_open: Collection[int] = (),
) -> Reach:
    """The largest pure force or torque along an axis under the bounds and a power limit, in the most even way.

    Args:
        array, health, stuck_open: see `controllable_axes`.
        axis: one of `AXES`.
        power: W, mean electrical power of all thrusters; a weak thruster draws what a healthy one does. None: no limit.
        watts_per_newton: W/N, of nominal thrust.

    Raises:
        ConfigurationError, ValueError: an argument is not allowed.
    """
    wanted = axis_vector(axis)
    share, stuck = checked_health(array, health), _is_stuck(array, stuck_open)
    require("watts_per_newton", watts_per_newton, "W/N", 0.0)
    draw = np.zeros(len(array))
    if power is not None:
        require("power", power, "W", 0.0, above=True)
        draw = array.f_max * watts_per_newton / power
    full = array.effectiveness * (array.f_max * share)
    levels = np.where(stuck, 1.0, 0.0)
    free = (share > 0.0) & ~stuck
    found = _most(full[:, free], full @ levels, wanted, draw[free], 1.0 - float(draw @ levels))
    if found is None:
        return Reach(axis, 0.0, np.zeros(len(array)))
    levels[free] = found
    size = float(wanted @ full @ levels)
    if size <= _NONE * float(np.abs(wanted @ full).sum()):
        return Reach(axis, 0.0, np.zeros(len(array)))
    return Reach(axis, size, levels)


def authority(
    array: ThrusterArray, axis: str, health: npt.ArrayLike | None = None, stuck_open: Collection[int] = ()
) -> float:
    """The largest force, N, or torque, N m, along an axis that is nearly pure; 0 where there is none.

    It is the largest s with force or torque s along the axis and at most 0.05 s u_k / u along each other axis k, under
    the bounds; u and u_k are the `spans.axis_units` of the axes, N and N m. A pure wrench would be too much to ask of
    thrusters mounted with tolerances: faults can leave an axis that is held but for a small fraction of another.

    Args:
        array, axis, health, stuck_open: see `largest_wrench`.

    Raises:
        ConfigurationError, ValueError: an argument is not allowed.
    """
    wanted = axis_vector(axis)
    share, stuck = checked_health(array, health), _is_stuck(array, stuck_open)
    unit = axis_units(array)
    rows = array.effectiveness * (array.f_max * share) / unit[:, None]
    along, across = wanted @ rows, rows[wanted == 0.0]
    most = float(np.abs(along).max())
    if most == 0.0:
        return 0.0
    cone = np.vstack([across - _ACROSS * along, -across - _ACROSS * along])
    cone = cone[np.abs(cone).max(axis=1) > _NONE * most]
    n, m = len(along), len(cone)
    upper = np.concatenate([np.ones(n), np.zeros(m)])
    lower = np.concatenate([stuck.astype(float), np.full(m, -1e30)])
    kinds = np.zeros(n + m, dtype=np.intc)
    levels, _, flag, _ = daqp.solve(
        _CURVATURE * np.eye(n), -along / most, np.ascontiguousarray(cone), upper, lower, kinds, primal_tol=1e-9
    )
    size = float(along @ levels) if flag == 1 else 0.0
    return size * float(np.abs(wanted) @ unit) if size > _NONE * float(np.abs(along).sum()) else 0.0


def _is_stuck(array: ThrusterArray, stuck_open: Collection[int]) -> npt.NDArray[np.bool_]:
    stuck = np.zeros(len(array), dtype=bool)
    for index in stuck_open:
        if index not in range(len(array)):
            raise ConfigurationError(f"stuck_open: thruster {index}; allowed: 0 to {len(array) - 1}")
        stuck[index] = True
    return stuck


def checked_health(array: ThrusterArray, health: npt.ArrayLike | None) -> Floats:
    """(n,) shares of thrust left.

    Raises:
        ConfigurationError: naming the share that is out of range, or the wrong shape.
    """
    if health is None:
        return np.ones(len(array))
    share = np.array(health, dtype=float)
    if share.shape != (len(array),):
        raise ConfigurationError(f"health: shape {share.shape}; allowed: ({len(array)},)")
    for index, value in enumerate(share):
        require(f"health[{index}]", float(value), "", 0.0, 1.0)
    return share


def _most(full: Floats, given: Floats, wanted: Floats, draw: Floats, left: float) -> Floats | None:
    """Levels (n,) that give most along a wanted wrench and nothing across it; None: there are none.

    Args:
        full: (6, n) wrench of each thruster at level 1; given: (6,) wrench that is there anyway.
        draw: (n,) share of the power limit at level 1, of which `left` is left.
    """
    n = full.shape[1]
    scale = np.abs(full).max(axis=1, initial=0.0)
    scale = np.where(scale > 1e-9 * scale.max(initial=1e-300), scale, 1.0)
    rows, offset = full / scale[:, None], given / scale
    across = wanted == 0.0
    start, null = _solutions(rows[across], -offset[across])
    if start is None:
        return None
    along = wanted @ rows
    if null.shape[1] == 0:
        return start if _within(start, draw, left) else None
    upper = np.append(1.0 - start, left - float(draw @ start))
    lower = np.append(-start, -1e30)
    kinds = np.zeros(n + 1, dtype=np.intc)
    hessian = _CURVATURE * np.eye(null.shape[1])
    # the curvature is that of the levels: 1/2 |start + null z|^2
    cost = (_CURVATURE * start - along) @ null
    limits = np.ascontiguousarray(np.vstack([null, draw @ null]))
    z, _, flag, _ = daqp.solve(hessian, cost, limits, upper, lower, kinds, primal_tol=1e-9)
    if flag != 1:
        return None
    levels: Floats = np.clip(start + null @ z, 0.0, 1.0)
    return levels


def _solutions(rows: Floats, right: Floats) -> tuple[Floats | None, Floats]:
    """All x with rows x = right: the shortest one (None: there is none) and an orthonormal basis (n, k) of the rest."""
    left, singular, basis = np.linalg.svd(rows)
    rank = int((singular > 1e-9).sum())
    start = basis[:rank].T @ ((left.T @ right)[:rank] / singular[:rank])
    if float(np.abs(rows @ start - right).max(initial=0.0)) > 1e-9:
        return None, np.zeros((rows.shape[1], 0))
    return start, basis[rank:].T


def _within(levels: Floats, draw: Floats, left: float) -> bool:
    tiny = 1e-9
    return bool((levels >= -tiny).all() and (levels <= 1.0 + tiny).all() and float(draw @ levels) <= left + tiny)
