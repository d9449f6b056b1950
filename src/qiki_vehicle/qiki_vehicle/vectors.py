"""Products of single vectors."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


Triple = tuple[float, float, float]


def crossed(a: Triple, b: Triple) -> Triple:
    """As `cross`, of and as Python's numbers, for long formulas of single vectors."""
    (ax, ay, az), (bx, by, bz) = a, b
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx


def dot(a: Triple, b: Triple) -> float:
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def along(a: Triple, scale: float, b: Triple) -> Triple:
    """a + scale b."""
    return a[0] + scale * b[0], a[1] + scale * b[1], a[2] + scale * b[2]


def cross(a: npt.NDArray[np.floating[Any]], b: npt.NDArray[np.floating[Any]]) -> Floats:
    """Cross product of two vectors, (3,); np.cross takes ten times as long for one pair."""
    return np.array(crossed(a.tolist(), b.tolist()))


def skew(a: npt.NDArray[np.floating[Any]]) -> Floats:
    """(3, 3) matrix of the cross product a x."""
    x, y, z = a.tolist()
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
