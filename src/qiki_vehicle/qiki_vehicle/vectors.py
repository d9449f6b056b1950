"""Products of single vectors."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def cross(a: npt.NDArray[np.floating[Any]], b: npt.NDArray[np.floating[Any]]) -> Floats:
    """Cross product of two vectors, (3,); np.cross takes ten times as long for one pair."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def skew(a: npt.NDArray[np.floating[Any]]) -> Floats:
    """(3, 3) matrix of the cross product a x."""
    x, y, z = a.tolist()
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
