"""Rows of the tracks, in parallel arrays."""

import math

import numpy as np
from numpy.typing import NDArray

from qiki_xpdr.geometry import Floats


class Table:
    """Tracks as rows of arrays of equal length.

    Attributes:
        number: never used twice. state: (N, 6). covariance: (N, 6, 6). born, seen: s, first and last return.
        frames: since the first return, with it. history: bits, newest lowest: a return in that frame.
    """

    def __init__(self) -> None:
        self.number: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.state: Floats = np.zeros((0, 6))
        self.covariance: Floats = np.zeros((0, 6, 6))
        self.born: Floats = np.zeros(0)
        self.seen: Floats = np.zeros(0)
        self.snr: Floats = np.zeros(0)
        self.area: Floats = np.zeros(0)
        self.frames: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.misses: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.history: NDArray[np.uint32] = np.zeros(0, dtype=np.uint32)
        self.confirmed: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self.lost: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self.band: NDArray[np.int8] = np.zeros(0, dtype=np.int8)
        self.detection: NDArray[np.intp] = np.zeros(0, dtype=np.intp)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop all other rows."""
        if not rows.all():
            for name, column in vars(self).items():
                setattr(self, name, column[rows])

    def add(
        self,
        now: float,
        *,
        number: NDArray[np.int64],
        state: Floats,
        covariance: Floats,
        snr: Floats,
        area: Floats,
        detection: NDArray[np.intp],
    ) -> None:
        """Append tentative tracks after their first return."""
        count = len(number)
        added = {
            "number": number,
            "state": state,
            "covariance": covariance,
            "born": np.full(count, now),
            "seen": np.full(count, now),
            "snr": np.where(np.isfinite(snr), snr, math.nan),
            "area": area,
            "frames": np.ones(count, dtype=np.int64),
            "misses": np.zeros(count, dtype=np.int64),
            "history": np.ones(count, dtype=np.uint32),
            "confirmed": np.zeros(count, dtype=bool),
            "lost": np.zeros(count, dtype=bool),
            "band": np.zeros(count, dtype=np.int8),
            "detection": detection,
        }
        for name, column in added.items():
            setattr(self, name, np.concatenate((getattr(self, name), column)))
