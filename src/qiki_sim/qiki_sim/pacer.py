"""Pace of simulated time by wall time."""

from __future__ import annotations

SLOWEST, FASTEST = 0.01, 100.0
"""Allowed factors of simulated against wall time."""

SHORTEST_PERIOD = 0.001
"""s of wall time between two looks, at least."""

CATCH_UP = 2
"""Largest number of periods whose ticks are done in one look. Commands are processed between looks only, and valve
edges are planned little ahead: with more, edges would come late."""

SHORTEST_WINDOW = 0.1
"""s of wall time over which the reached speed is measured, at least."""

LONGEST_LOOK = 0.005
"""s of wall time from which a look begins no further tick, unless two periods are longer. On a machine that
cannot keep up, valve commands would else wait for many ticks, and so for much simulated time."""

LARGEST_LAG = 0.1
"""s of wall time; a machine that lags more slows simulated time down instead of running after it."""


class Pacer:
    """Simulated time that follows wall time by a factor, and gives up what it could not follow."""

    def __init__(self, tick: float, speed: float, wall: float) -> None:
        """tick: s of simulated time. speed: simulated s per wall s. wall: s, now."""
        self._tick = tick
        self._ticks = 0
        self.set_speed(speed, wall)

    def set_speed(self, speed: float, wall: float) -> None:
        """Raises: ValueError: speed is not allowed."""
        if not SLOWEST <= speed <= FASTEST:
            raise ValueError(f"factor = {speed}: allowed: {SLOWEST:g} to {FASTEST:g}")
        self.speed = speed
        self.restart(wall)

    def restart(self, wall: float) -> None:
        """Follow wall time from here on, as after a pause."""
        self._wall = wall
        self._window = (wall, self._ticks * self._tick)

    @property
    def period(self) -> float:
        """s of wall time between two looks."""
        return max(self._tick / self.speed, SHORTEST_PERIOD)

    @property
    def most_ticks(self) -> int:
        """Ticks that one look may do."""
        return CATCH_UP * round(self.period * self.speed / self._tick)

    @property
    def longest_look(self) -> float:
        """s of wall time from which a look begins no further tick."""
        return max(CATCH_UP * self.period, LONGEST_LOOK)

    def due(self, wall: float) -> int:
        """Ticks to do now; they count as done."""
        ticks = int((wall - self._wall) * self.speed / self._tick + 1e-6)
        if ticks > self.most_ticks:
            ticks = self.most_ticks
            self._wall = max(self._wall, wall - LARGEST_LAG - ticks * self._tick / self.speed)
        self._wall += ticks * self._tick / self.speed
        self._ticks += ticks
        return ticks

    def postpone(self, ticks: int) -> None:
        """Take back ticks of the last `due` that were not done: they are due still."""
        self._ticks -= ticks
        self._wall -= ticks * self._tick / self.speed

    def real_time_factor(self, wall: float) -> float | None:
        """Simulated s per wall s since the last call, None for less than SHORTEST_WINDOW since then or since a restart.

        The part of the tick that is not due yet counts, so that it is right at speeds of few ticks between two calls.
        """
        since, before = self._window
        if wall - since < SHORTEST_WINDOW:
            return None
        now = self._ticks * self._tick + min((wall - self._wall) * self.speed, self._tick)
        self._window = (wall, now)
        return (now - before) / (wall - since)
