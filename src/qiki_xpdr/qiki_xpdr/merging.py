"""Bodies that the radar cannot tell apart: one return of both."""

import numpy as np
from numpy.typing import NDArray

from qiki_vehicle.radar import Radar
from qiki_xpdr.assignment import NONE, Indices
from qiki_xpdr.filter import Expected
from qiki_xpdr.geometry import Floats, Lines


def pairs(lines: Lines, chosen: Indices, confirmed: NDArray[np.bool_], radar: Radar) -> tuple[Indices, Indices]:
    """Confirmed tracks without a detection, and for each the nearest one with a detection in the same cell.

    The cell is the radar's resolution and a deviation of its measurement. Tracks without such a neighbour are left out.
    """
    missed = np.flatnonzero(confirmed & (chosen == NONE))
    holders = np.flatnonzero(confirmed & (chosen != NONE))
    if not len(missed) or not len(holders):
        return missed[:0], holders[:0]
    along = np.abs(lines.range[missed, None] - lines.range[holders]) / (radar.range_resolution + radar.range)
    cosine = np.clip(lines.sight[missed] @ lines.sight[holders].T, -1.0, 1.0)
    across = np.arccos(cosine) / (radar.angle_resolution + radar.angle)
    apart = np.maximum(along, across)
    nearest = apart.argmin(axis=1)
    close = apart[range(len(missed)), nearest] < 1.0
    return missed[close], holders[nearest[close]]


def share(
    expected: Expected, innovations: Floats, chosen: Indices, missed: Indices, holder: Indices, *, gate: float
) -> NDArray[np.bool_]:
    """Which of the pairs share the holder's detection; their innovation covariances in `expected` grow.

    A common return lies somewhere between both bodies: from each of them a part of the difference D of the two expected
    measurements away, between none and all. Its mean square is D Dᵀ / 3.
    """
    fits = np.zeros(len(missed), dtype=bool)
    for at, (one, other) in enumerate(zip(missed.tolist(), holder.tolist(), strict=True)):
        wider = expected.covariance[one] + _between(expected, one, other)
        innovation = innovations[one, chosen[other]]
        if np.isfinite(innovation).all() and innovation @ np.linalg.solve(wider, innovation) <= gate:
            fits[at] = True
            expected.covariance[one] = wider
            expected.covariance[other] += _between(expected, other, one)
    return fits


def _between(expected: Expected, one: int, other: int) -> Floats:
    lines, shifts = expected.lines, expected.shifts
    apart = np.array(
        (
            lines.range[other] + shifts[other, 0] - lines.range[one] - shifts[one, 0],
            lines.sight[other] @ lines.east[one],
            lines.sight[other] @ lines.up[one],
            lines.rate[other] + shifts[other, 1] - lines.rate[one] - shifts[one, 1],
        )
    )
    found: Floats = np.outer(apart, apart) / 3.0
    return found
