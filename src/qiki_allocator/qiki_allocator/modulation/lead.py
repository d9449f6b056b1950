"""The lead of valve edges, as long as commands take to the valves."""

import math

LONGEST = 0.12
"""s; valves that read their commands every 100 ms get every edge in time."""

_STEP = 0.04
"""s, by which late edges lengthen the lead."""

_CALM = 10.0
"""s without a late edge after which the lead becomes shorter again, by half a step."""


class Lead:
    """Follows the valves' count of late edges: a lead that is too short costs impulse, a long one makes answers slow.

    Args:
        shortest: s.

    Attributes:
        value: s, now.
        late_edges: reported so far since the start of the hardware's count; None: never.
    """

    def __init__(self, shortest: float) -> None:
        self._shortest = shortest
        self.late_edges: int | None = None
        self.reset()

    def reset(self) -> None:
        """The clock was set back."""
        self.value = self._shortest
        self._changed_at = -math.inf

    def report(self, stamp: float, late_edges: int | None) -> None:
        """Take the number of late edges that the valves have counted up to `stamp`, s."""
        if late_edges is None:
            return
        before, self.late_edges = self.late_edges, late_edges
        if before is not None and late_edges > before:
            self.lengthen(stamp)
        elif self.value > self._shortest and stamp - self._changed_at > _CALM:
            self.value, self._changed_at = max(self.value - 0.5 * _STEP, self._shortest), stamp

    def lengthen(self, stamp: float) -> None:
        """An edge came late at about `stamp`, s."""
        self.value, self._changed_at = max(min(self.value + _STEP, LONGEST), self._shortest), stamp
