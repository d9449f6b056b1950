"""Kalman filter of a value and its rate; one covariance serves all three axes, whose noise is equal."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def predict(covariance: Floats, step: float, walk: float) -> Floats:
    """(2, 2) after `step` s, in which the rate takes a random walk of variance `walk` (of the whole step)."""
    a, b, c = float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1])
    cross = b + step * c + walk * step / 2.0
    return np.array([[a + 2.0 * step * b + step * step * c + walk * step * step / 3.0, cross], [cross, c + walk]])


def correct(covariance: Floats, measured: int, variance: float) -> tuple[Floats, tuple[float, float]]:
    """Covariance after a measurement of the value (`measured` 0) or of its rate (1), and the two gains.

    Joseph's form, (1 - K H) P (1 - K H)^T + K R K^T, which stays symmetric and positive whatever the rounding.
    """
    a, b, c = float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1])
    if measured == 1:
        a, c = c, a
    whole = a + variance
    k, m = a / whole, b / whole
    left = variance / whole
    first = left * left * a + k * k * variance
    cross = left * (b - m * a) + k * m * variance
    second = c - 2.0 * m * b + m * m * a + m * m * variance
    if measured == 1:
        return np.array([[second, cross], [cross, first]]), (m, k)
    return np.array([[first, cross], [cross, second]]), (k, m)
