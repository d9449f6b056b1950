"""Sequential tests for a change, over many rows at once: a mean that shifts, and a rate of faults that rises.

`Offset`: whitened residuals are standard normal until, at some look, their mean shifts by an unknown vector. The
generalised likelihood ratio over the newest L looks, with S their sum, is |S|² / (2 L); the test takes the largest over
a set of lengths. A cumulative sum of one direction and size would not do: neither is known.

`Fault`: each look shows a fault or none; the cumulative sum of the logarithm of the likelihood ratio.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chdtrc

from qiki_xpdr.geometry import Floats

_LARGE = 1e100
"""Beyond any residual, with squares and products that are finite."""


def threshold(arl: float, dimensions: int, windows: Sequence[int]) -> float:
    """Threshold of `Offset` for a mean of at least `arl` looks between two false alarms.

    A window of L looks exceeds h with the tail probability of chi squared at 2 h; windows that follow on each other
    overlap, so that their exceedances come in clumps, of which there are 2 h / L in a look (Aldous). The sum over the
    lengths bounds the rate.
    """

    def rate(h: float) -> float:
        clumps = sum(min(1.0, 2.0 * h / length) for length in windows)
        return math.log(clumps * float(chdtrc(dimensions, 2.0 * h)) * arl)

    return float(brentq(rate, 0.5, 300.0))


class Offset:
    """Windowed generalised likelihood ratio of rows of residuals.

    Args:
        dimensions: of a residual. windows: lengths, rising. clip: of one look's |x|² / 2.
    """

    def __init__(self, dimensions: int, windows: Sequence[int], clip: float, rows: int = 0) -> None:
        self._dimensions, self._clip = dimensions, clip
        self._windows = np.array(windows)
        # Of residuals, and of margins behind them: running sums after each of the newest looks.
        self._sums = np.zeros((rows, int(self._windows[-1]) + 1, 2 * dimensions))
        self._looks = np.zeros(rows, dtype=np.int64)
        self.statistic: Floats = np.zeros(rows)
        """(N,) largest ratio over the windows, after each row's newest look."""
        self.length: NDArray[np.int64] = np.zeros(rows, dtype=np.int64)
        """(N,) looks of that window."""

    def add(self, count: int) -> None:
        """Append rows that begin."""
        size = self._sums.shape[1]
        self._sums = np.concatenate((self._sums, np.zeros((count, size, 2 * self._dimensions))))
        self._looks = np.concatenate((self._looks, np.zeros(count, dtype=np.int64)))
        self.statistic = np.concatenate((self.statistic, np.zeros(count)))
        self.length = np.concatenate((self.length, np.zeros(count, dtype=np.int64)))

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop all other rows."""
        self._sums, self._looks = self._sums[rows], self._looks[rows]
        self.statistic, self.length = self.statistic[rows], self.length[rows]

    def restart(self, rows: NDArray[np.intp]) -> None:
        """Begin rows again."""
        self._sums[rows], self._looks[rows] = 0.0, 0
        self.statistic[rows], self.length[rows] = 0.0, 0

    def look(
        self,
        rows: NDArray[np.intp],
        residuals: Floats,
        *,
        excuse: Floats | None = None,
        margin: Floats | None = None,
        once: bool = False,
    ) -> None:
        """Count whitened residuals of rows, each row at most once; those not finite count nothing.

        Args:
            rows: (K,). residuals: (K, dimensions).
            excuse: (K, dimensions) largest constant shift, of either sign, that is no change.
            once: the excused shift is one of a single look, not of each.
            margin: (K, dimensions) semi-axes of the ellipsoid of shifts, constant or not, that are no change.
        """
        known = np.isfinite(residuals).all(axis=1)
        rows, residuals = rows[known], residuals[known]
        if not len(rows):
            return
        margin = np.zeros_like(residuals) if margin is None else margin[known]
        allowed = nearest(residuals, margin)
        beyond = residuals - allowed
        size = np.einsum("ki,ki->k", beyond, beyond) / 2.0
        residuals = allowed + beyond * np.sqrt(np.minimum(1.0, self._clip / np.maximum(size, 1e-12)))[:, None]
        ring = self._sums.shape[1]
        looks = self._looks[rows] + 1
        newest = self._sums[rows, (looks - 1) % ring] + np.hstack((residuals, margin))
        self._sums[rows, looks % ring] = newest
        self._looks[rows] = looks
        lengths = np.minimum(self._windows, looks[:, None])
        before = self._sums[rows[:, None], (looks[:, None] - lengths) % ring]
        apart, room = np.split(newest[:, None, :] - before, 2, axis=2)
        if excuse is not None:
            apart = apart - _excused(apart, np.ones_like(lengths) if once else lengths, excuse[known])
        apart = apart - nearest(apart, room)
        ratios = np.einsum("kli,kli->kl", apart, apart) / (2.0 * lengths)
        best = ratios.argmax(axis=1)
        span = np.arange(len(rows))
        self.statistic[rows] = ratios[span, best]
        self.length[rows] = lengths[span, best]


def nearest(points: Floats, axes: Floats) -> Floats:
    """Points (..., dimensions) of the ellipsoids with semi-axes `axes` that are nearest to `points`.

    The nearest point is a² p / (t + a²) with the multiplier t of the surface's equation, zero inside; Newton's method
    on the inverse root of that equation, which is concave, comes from below, so that no point ends too far inside.
    """
    if points.shape[-1] == 1:
        return np.clip(points, -axes, axes)
    # Dimensions first: sums over a short last axis are slow.
    first = np.ascontiguousarray(np.moveaxis(np.clip(points, -_LARGE, _LARGE), -1, 0))
    squared = np.maximum(np.moveaxis(axes, -1, 0) ** 2, 1.0 / _LARGE)
    scaled = np.abs(np.sqrt(squared) * first)
    t = np.maximum((scaled - squared).max(axis=0), 0.0)
    for _ in range(4):
        below = t + squared
        terms = (scaled / below) ** 2
        level = terms.sum(axis=0)
        t = np.maximum(t + level * (np.sqrt(level) - 1.0) / np.maximum((terms / below).sum(axis=0), 1.0 / _LARGE), 0.0)
    found: Floats = np.moveaxis(squared * first / (t + squared), 0, -1)
    return np.where(axes > 0.0, found, 0.0)


def _excused(sums: Floats, lengths: NDArray[np.int64], excuse: Floats) -> Floats:
    """Part of sums (K, W, dimensions) that a constant shift of at most `excuse` explains best."""
    power = np.maximum(np.einsum("ki,ki->k", excuse, excuse), 1e-12)
    share = np.einsum("kli,ki->kl", sums, excuse) / (power[:, None] * lengths)
    explained: Floats = (np.clip(share, -1.0, 1.0) * lengths)[:, :, None] * excuse[:, None, :]
    return explained


class Fault:
    """Cumulative sum of faults of rows.

    Args:
        honest, forged: probability of a fault in a look, of an honest and of a forged one.
        clip: of one look's logarithm of the ratio. cap: of the sum.
    """

    def __init__(self, honest: float, forged: float, clip: float, cap: float, rows: int = 0) -> None:
        self._clip = clip
        self._fault = min(math.log(forged / honest), clip)
        self._none = max(math.log((1.0 - forged) / (1.0 - honest)), -clip)
        self._cap = cap
        self.statistic: Floats = np.zeros(rows)
        """(N,) sum."""

    @property
    def weight(self) -> float:
        """Say of one fault."""
        return self._fault

    def add(self, count: int) -> None:
        """Append rows that begin."""
        self.statistic = np.concatenate((self.statistic, np.zeros(count)))

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop all other rows."""
        self.statistic = self.statistic[rows]

    def restart(self, rows: NDArray[np.intp]) -> None:
        """Begin rows again."""
        self.statistic[rows] = 0.0

    def look(self, rows: NDArray[np.intp], faults: Floats) -> None:
        """Count the faults (K,) of a look at rows (K,), each row at most once: 0 none, NaN not known."""
        known = np.isfinite(faults)
        rows, faults = rows[known], faults[known]
        step = np.where(faults > 0.0, np.minimum(faults * self._fault, self._clip), self._none)
        self.statistic[rows] = np.clip(self.statistic[rows] + step, 0.0, self._cap)
