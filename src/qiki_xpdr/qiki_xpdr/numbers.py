"""Numbers of tracks that are never used twice, by blocks that an event reserves before any of them is used."""

import math
from typing import Final

from qiki_xpdr.modes import Occurrence

NUMBERS_RESERVED: Final = "track.numbers_reserved"
BLOCK: Final = 10_000
"""Numbers of a block. Half of it is more than a frame and those that wait for their event can begin."""


class Numbers:
    """Reservation of one node's life.

    Args:
        first: number that is free, with all above it.
    """

    def __init__(self, first: int) -> None:
        self.first = self._until = first

    def reserve(self, next: int) -> Occurrence | None:
        """Reserve a further block where less than half of one is left; None: there is enough. next: of a new track."""
        if self._until - next >= BLOCK // 2:
            return None
        first, self._until = self._until, max(self._until, next) + BLOCK
        return Occurrence(NUMBERS_RESERVED, {"first": first, "until": self._until})


def by_clock(now: float) -> int:
    """Number that is free where nothing is known of those before: a block for each second. now: s."""
    return 1 + BLOCK * max(math.floor(now), 0)
