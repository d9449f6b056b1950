"""Course of the claims of each pair: a jump against the claims before, and flight that no body does."""

import numpy as np
from numpy.typing import NDArray

from qiki_vehicle.radio import Spoofing
from qiki_xpdr.channels import Looks
from qiki_xpdr.geometry import Floats

_SURE = 6.0
"""Deviations that an honest claim does not leave."""
_LASTING = 4.0
"""Deviations that a claimed velocity may be wrong by all the time."""


class Course:
    """Place at which the claims of each row expect the next one.

    The expected place moves by the claimed velocities, mean of both ends, so that a constant acceleration moves it
    rightly. It is the level of a scalar Kalman filter, alike for all axes. Its drift allows for a velocity that is
    wrong by four deviations all the time, and for an acceleration that turns about between two claims: innovations of
    an honest course are at most as large as their deviation says. No radar return is needed.
    """

    def __init__(self, settings: Spoofing) -> None:
        self._settings = settings
        self._claims: Floats = np.zeros((0, 7))
        self._level: Floats = np.zeros((0, 3))
        self._variance: Floats = np.zeros(0)

    def add(self, count: int) -> None:
        """Append rows that begin."""
        self._claims = np.concatenate((self._claims, np.full((count, 7), np.nan)))
        self._level = np.concatenate((self._level, np.zeros((count, 3))))
        self._variance = np.concatenate((self._variance, np.zeros(count)))

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop all other rows."""
        self._claims, self._level, self._variance = self._claims[rows], self._level[rows], self._variance[rows]

    def restart(self, rows: NDArray[np.intp]) -> None:
        """Begin rows again."""
        self._claims[rows] = np.nan

    def look(self, rows: NDArray[np.intp], looks: Looks) -> tuple[Floats, Floats, Floats]:
        """Take the claims of rows, each row at most once.

        Returns:
            (K, 3) whitened jump, of at most a standard normal for an honest course; NaN: nothing to compare with.
            (K, 3) jump of a clock that is set by `skew`.
            (K,) 1: no body flies like that, 0: one may, NaN: not known.
        """
        settings, before = self._settings, self._claims[rows]
        with np.errstate(invalid="ignore", over="ignore"):
            seconds = looks.time - before[:, 0]
            mean = 0.5 * (looks.velocity + before[:, 4:7])
            expected = self._level[rows] + mean * seconds[:, None]
            drift = _LASTING * settings.claim_velocity * seconds
            turn = 0.25 * settings.acceleration * seconds**2
            variance = self._variance[rows] + drift**2 + turn**2
            innovation = looks.position - expected
            spread = variance + settings.claim_position**2
            jump = innovation / np.sqrt(spread)[:, None]
            excuse = looks.velocity * settings.skew / np.sqrt(spread)[:, None]
            faults = self._faults(looks, before, seconds, mean)
        known = np.isfinite(jump).all(axis=1) & np.isfinite(excuse).all(axis=1) & (seconds > 0.0)
        first = np.isfinite(looks.position).all(axis=1) & ~np.isfinite(before).all(axis=1)
        gain = (variance / spread)[:, None]
        level = np.where(known[:, None], expected + gain * innovation, looks.position)
        variance = np.where(known, variance * settings.claim_position**2 / spread, settings.claim_position**2)
        moved = known | first
        self._level[rows[moved]], self._variance[rows[moved]] = level[moved], variance[moved]
        claimed = np.isfinite(looks.time)
        self._claims[rows[claimed]] = np.column_stack((looks.time, looks.position, looks.velocity))[claimed]
        jump[~known], excuse[~known] = np.nan, 0.0
        return jump, excuse, faults

    def _faults(self, looks: Looks, before: Floats, seconds: Floats, mean: Floats) -> Floats:
        settings = self._settings
        moved = looks.position - before[:, 1:4]
        room = _SURE * settings.claim_position * 1.5 + 0.25 * settings.acceleration * seconds**2
        room += _SURE * settings.claim_velocity * seconds
        jumps = np.linalg.norm(moved - mean * seconds[:, None], axis=1) > room
        change = np.linalg.norm(looks.velocity - before[:, 4:7], axis=1)
        turns = change > settings.acceleration * seconds + _SURE * settings.claim_velocity * 1.5
        fast = np.linalg.norm(looks.velocity, axis=1) > settings.speed
        return np.where((seconds > 0.0) | fast, (jumps | turns | fast).astype(float), np.nan)
