"""Simulated time between two ticks of /clock, estimated from their arrival."""

from collections import deque
from itertools import pairwise
from statistics import median

_WINDOW = 50
"""Ticks the estimate looks back on: half a second at 100 Hz."""


class SimClock:
    """Relates simulated time to the console's monotonic time. All times in seconds; no clock is read here."""

    def __init__(self) -> None:
        self._ticks: deque[tuple[float, float]] = deque(maxlen=_WINDOW)
        self.restarts = 0
        """Number of times that simulated time has jumped back (a reset or a new scenario)."""

    def tick(self, simulated: float, wall: float) -> None:
        """Take one message of /clock, received at `wall`."""
        if self._ticks and simulated < self._ticks[-1][0]:
            self._ticks.clear()
            self.restarts += 1
        self._ticks.append((simulated, wall))

    @property
    def latest(self) -> float | None:
        """Simulated time of the last tick, None before the first."""
        return self._ticks[-1][0] if self._ticks else None

    def silence(self, wall: float) -> float:
        """Seconds of wall time since the last tick, infinite before the first."""
        return wall - self._ticks[-1][1] if self._ticks else float("inf")

    @property
    def rate(self) -> float | None:
        """Simulated seconds per wall second over the last ticks, None while unknown."""
        if len(self._ticks) < 2:
            return None
        (first_sim, first_wall), (last_sim, last_wall) = self._ticks[0], self._ticks[-1]
        return (last_sim - first_sim) / (last_wall - first_wall) if last_wall > first_wall else None

    @property
    def period(self) -> float | None:
        """Simulated seconds between two ticks (median), None while unknown or time stands still."""
        steps = [later - earlier for (earlier, _), (later, _) in pairwise(self._ticks) if later > earlier]
        return median(steps) if steps else None

    def now(self, wall: float) -> float | None:
        """Simulated time at `wall`: the last tick and the time passed since, never more than one period."""
        if not self._ticks:
            return None
        simulated, received = self._ticks[-1]
        rate, period = self.rate, self.period
        if not rate or not period:
            return simulated
        return simulated + min(max(wall - received, 0.0) * rate, period)
