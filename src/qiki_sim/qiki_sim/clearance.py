"""Room between bodies, computed again only when their motion may have used it up."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FARTHEST = 1.0
"""M between hulls, beyond which the distance of the spheres about the bodies will do."""
_MARGIN = 1e-3
"""M that the positions of the last step, and thrust that sets in, are behind."""


class Room:
    """A length that is known to be free, less what bodies have moved since it was computed."""

    def __init__(self, compute: Callable[[], float]) -> None:
        """compute: m that is free now."""
        self._compute = compute
        self._left = 0.0

    def holds(self, path: float) -> bool:
        """True if `path` m, the way that two bodies are about to come nearer, is free. Takes it off then."""
        if self._left <= path:
            self._left = self._compute()
        if self._left <= path:
            self._left = 0.0
            return False
        self._left -= path
        return True

    def forget(self) -> None:
        """Compute it again next time: something else counts now."""
        self._left = 0.0


class Clearance:
    """Smallest distance between the hulls of bodies that are not joined."""

    def __init__(self, model: Any, data: Any, pairs: tuple[Any, Any], reaches: Floats) -> None:
        """pairs: indices of both bodies, 0 for the first body. reaches: (pairs,) m, radii of the spheres about both."""
        self._model, self._data, self._pairs, self._reaches = model, data, pairs, reaches
        self._geoms = [np.flatnonzero(model.geom_bodyid == body).tolist() for body in range(1, model.nbody)]

    def distance(self, places: Floats, joined: NDArray[np.bool_]) -> float:
        """M, at most; hulls that are farther apart than `FARTHEST` count by their spheres.

        places: (bodies, 3) m. joined: (pairs,) pairs that do not count.
        """
        first, second = self._pairs
        gaps = np.linalg.norm(places[first] - places[second], axis=1) - self._reaches
        gaps[joined] = math.inf
        # No nearer than their spheres: the farther of both bounds is the better one.
        for pair in np.flatnonzero(gaps < FARTHEST).tolist():
            gaps[pair] = max(gaps[pair], self._hulls(first[pair], second[pair]))
        return float(gaps.min(initial=math.inf)) - _MARGIN

    def _hulls(self, first: int, second: int) -> float:
        pairs = itertools.product(self._geoms[first], self._geoms[second])
        found = (mujoco.mj_geomDistance(self._model, self._data, *geoms, FARTHEST, None) for geoms in pairs)
        return float(min(found))
