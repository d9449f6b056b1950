"""Watch over a node's clock: begun, running, or standing still. No ROS in here."""

import time
from collections.abc import Callable

STILL = 2.0
"""s of wall time in which a running clock must have moved."""


class ClockWatch:
    """Compares a clock with wall time, each time that it is asked.

    Args:
        now: ns of the clock; 0 while it does not run.
        wall: s, monotonic.
    """

    def __init__(self, now: Callable[[], int], wall: Callable[[], float] = time.monotonic) -> None:
        self._now, self._wall = now, wall
        self._seen, self._moved = 0, wall()

    @property
    def trouble(self) -> str:
        """Reason why nothing can be fresh: the clock has not begun, or stands still; empty: it runs."""
        now, wall = self._now(), self._wall()
        if now <= 0:
            return "the clock does not run: no /clock yet"
        if now != self._seen:
            self._seen, self._moved = now, wall
        still = wall - self._moved
        if still <= STILL:
            return ""
        return f"/clock stands still for {still:.1f} s: simulated time is paused, or its publisher is gone"
