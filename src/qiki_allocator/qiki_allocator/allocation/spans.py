"""Units of the wrench's axes, and the directions of wrenches that thrusters span well, barely or not at all.

A planar vehicle whose nozzles are mounted with a tolerance has axes of almost no reach. If their errors were measured
by that reach, they would outweigh all that the vehicle can do. So where thrusters push or turn in some direction with
less than `WEAK` of their effect, newton for newton, force or torque is measured by its strongest axis.
"""

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats, ThrusterArray

WEAK = 0.06
"""Share of the strongest direction's effect per newton, of force or of torque, up to which a direction is weak.
Mounting tolerances of 2 degrees give up to 0.05."""

_NOTHING = 1e-8
"""Share of the largest reach up to which a direction counts as not reached at all."""

OUTSIDE = 1e-7
"""Share of a wrench that may lie in directions that are not reached, as rounding error."""


def axis_units(array: ThrusterArray) -> Floats:
    """(6,) N and N m by which the axes are measured.

    It is the reach of each axis (root of the sum of squares of what each thruster gives). Where some direction of force
    or of torque is weak, it is that of the strongest of the three axes, so that no turn of the frame matters. Where
    thrusters have no lever worth speaking of, torque is measured by force times their distance from the centre of mass.
    """
    return _sizes(array, array.effectiveness * array.f_max)


def axis_gains(array: ThrusterArray) -> Floats:
    """(6,) 1 and m, the same per newton of each thruster."""
    return _sizes(array, array.effectiveness)


def _sizes(array: ThrusterArray, columns: Floats) -> Floats:
    sizes: Floats = np.linalg.norm(columns, axis=1)
    distance = float(np.sqrt(np.mean(np.sum((array.positions - array.com) ** 2, axis=1))))
    pushed = float(sizes[:3].max())
    for axes in (slice(0, 3), slice(3, 6)):
        effect = np.linalg.svd(array.effectiveness[axes])[1]
        largest = float(sizes[axes].max())
        is_leverless = axes.start == 3 and largest <= WEAK * distance * pushed
        if is_leverless:
            largest = distance * pushed or pushed
        if is_leverless or len(effect) < 3 or effect[2] <= WEAK * effect[0]:
            sizes[axes] = largest
    return sizes


def span(rows: Floats, directions: Floats | None = None) -> tuple[Floats, Floats, Floats]:
    """Directions (m, r), orthonormal, that the columns of rows (m, n) span; reach (r,); rows (r, n), orthonormal:
    rows = directions * reach @ result.

    Args:
        directions: (k, m), only these components of the rows: k instead of m above.
    """
    largest = float(np.linalg.norm(rows, 2))
    found, reach, units = np.linalg.svd(rows if directions is None else directions @ rows, full_matrices=False)
    rank = int((reach > _NOTHING * max(largest, 1e-300)).sum())
    return found[:, :rank], reach[:rank], units[:rank]


def strong_and_weak(gains: Floats, alive: npt.NDArray[np.bool_], units: Floats) -> tuple[Floats, Floats]:
    """Orthonormal directions (k, m) of an error that thrusters act on well, and (m - k, m) the others.

    Args:
        gains: (m, n) effect of each thruster per newton, in `axis_gains`.
        alive: (n,) the thrusters that there are.
        units: (m,) of the error, in `axis_gains`.
    """
    directions, effect, _ = np.linalg.svd(gains * alive)
    largest = float(np.linalg.norm(gains, 2))
    well = int((effect > WEAK * largest).sum())
    if well in (0, len(gains)):
        return np.eye(len(gains))[:well], np.eye(len(gains))[well:]
    turned, _, _ = np.linalg.svd(directions[:, :well] * units[:, None])
    return turned.T[:well], turned.T[well:]


def are_surely_strong(gains: Floats, alive: npt.NDArray[np.bool_]) -> bool:
    """True if there is certainly no weak direction, of three; as `strong_and_weak`, but for a fiftieth of its time."""
    kept = gains * alive
    # The largest effect is at most the root of the sum of squares. Positive minors: positive definite.
    shift = WEAK**2 * float(np.vdot(gains, gains))
    (a, b, c), (_, d, e), (_, _, f) = kept.dot(kept.T).tolist()
    a, d, f = a - shift, d - shift, f - shift
    minor = a * d - b * b
    return bool(a > 0.0 and minor > 0.0 and f * minor - a * e * e - d * c * c + 2.0 * b * c * e > 0.0)
