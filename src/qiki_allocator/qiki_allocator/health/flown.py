"""Wrench that the valves gave of late, by their own counters."""

import math
from collections import deque

import numpy as np

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.health.readings import ValveReading

_MEAN = 0.5
"""s, over which the mean is taken: two windows of pulses."""

_STALE = 0.5
"""s, age from which a report says nothing of now."""


class Flown:
    """Shares of the time that n valves were open of late.

    Attributes:
        is_empty: there was no working mass at the newest report.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self.reset()

    def reset(self) -> None:
        """The clock was set back."""
        self.is_empty = False
        self._reports: deque[tuple[float, Floats]] = deque()

    def report(self, reading: ValveReading) -> None:
        """Take a report; one that cannot be, or of a counter that was reset, begins a new mean."""
        on = np.asarray(reading.on_time, dtype=float)
        self.is_empty = reading.is_empty
        if on.shape != (self._n,) or not np.isfinite(on).all():
            return
        if self._reports and reading.time == self._reports[-1][0]:  # a clock that stands still
            return
        if self._reports and not (self._reports[-1][0] < reading.time and (self._reports[-1][1] <= on + 1e-4).all()):
            self._reports.clear()
        self._reports.append((reading.time, on))
        while len(self._reports) > 2 and self._reports[1][0] <= reading.time - _MEAN:
            self._reports.popleft()

    def share(self, now: float) -> Floats:
        """(n,) 0..1; NaN: unknown."""
        if len(self._reports) < 2 or now - self._reports[-1][0] > _STALE:
            return np.full(self._n, math.nan)
        if self.is_empty:
            return np.zeros(self._n)
        (begin, before), (end, after) = self._reports[0], self._reports[-1]
        return np.clip((after - before) / (end - begin), 0.0, 1.0)
