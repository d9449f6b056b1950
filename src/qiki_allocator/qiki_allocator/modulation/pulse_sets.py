"""Search for the few pulses that come closest to a wanted change of the motion."""

import itertools
import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats

LARGEST = 4
"""Thrusters that may open together."""

MOST_SETS = 6500
"""Number of sets searched: all of up to 4 of 20 thrusters, of up to 3 of 33, of up to 2 of 113."""

_SWEEPS = 3
"""Passes over the thrusters of a set: its least squares inside bounds, coordinate by coordinate."""

_RIDGE = 1e-9
"""1, relative; keeps sets of parallel thrusters solvable."""


def largest_size(n: int) -> int:
    """Largest size of the sets of n thrusters that are searched: up to `LARGEST`, at most `MOST_SETS` in all."""
    size = 1
    while size < LARGEST and sum(math.comb(n, k) for k in range(1, size + 2)) <= MOST_SETS:
        size += 1
    return size


@lru_cache(maxsize=256)
def _sets(n: int, size: int) -> npt.NDArray[np.intp]:
    return np.array(list(itertools.combinations(range(n), size)), dtype=np.intp).reshape(-1, size)


class PulseSets:
    """All small sets of n thrusters.

    Args:
        effect: (6, n) change of the motion per second that each thruster is open, in units of the tolerances.
    """

    def __init__(self, effect: Floats) -> None:
        self._effect = effect
        gram = effect.T @ effect
        n = len(gram)
        gram[np.diag_indices(n)] *= 1.0 + _RIDGE
        gram[np.diag_indices(n)] += np.finfo(float).tiny
        self._by_size = []
        for size in range(1, min(largest_size(n), n) + 1):
            sets = _sets(n, size)
            grams = gram[sets[:, :, None], sets[:, None, :]]
            self._by_size.append((sets, grams, np.linalg.inv(grams)))

    def best(self, wanted: Floats, shortest: float, longest: Floats) -> tuple[Floats, float]:
        """On-times, (n,) s, each 0 or from `shortest` to its longest, of the set that leaves the least of a wanted
        change, (6,), and the norm of what is left."""
        along = self._effect.T @ wanted
        on = np.zeros(len(along))
        least, best = 0.0, None
        for sets, grams, inverses in self._by_size:
            goal, most = along[sets], longest[sets]
            times = np.clip((inverses @ goal[:, :, None])[:, :, 0], shortest, most)
            for _ in range(_SWEEPS if sets.shape[1] > 1 else 0):
                for j in range(sets.shape[1]):
                    slope = (grams[:, j] * times).sum(axis=1) - goal[:, j]
                    times[:, j] = np.clip(times[:, j] - slope / grams[:, j, j], shortest, most[:, j])
            gain = ((np.einsum("mij,mj->mi", grams, times) - 2.0 * goal) * times).sum(axis=1)
            index = int(gain.argmin())
            if gain[index] < least:
                least, best = float(gain[index]), (sets[index], times[index])
        if best is not None:
            on[best[0]] = best[1]
        return on, float(np.linalg.norm(wanted - self._effect @ on))
