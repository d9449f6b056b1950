"""Arming of SPOOF: a code that must be given back in time."""

import math
from collections.abc import Callable

from qiki_xpdr.reasons import Reason


class Arming:
    """First of two steps.

    Args:
        time: s for which it lasts. code: makes the codes.
    """

    def __init__(self, time: float, code: Callable[[], int]) -> None:
        self._time, self._code = time, code
        self._armed: tuple[int, float, float] | None = None

    def arm(self, now: float) -> tuple[int, float]:
        """A new code, and the time until which it counts, s."""
        until = now + self._time
        self._armed = (self._code(), now, until)
        return self._armed[0], until

    def until(self, now: float) -> float:
        """Its end, s; NaN: not armed."""
        return self._armed[2] if self._armed is not None and self._lasts(now) else math.nan

    def take(self, code: int, now: float) -> Reason | None:
        """Refusal of a code; None: it is the one. Armed no more either way, so that codes are not tried out."""
        if self._armed is None:
            return Reason.NOT_ARMED
        expected, in_time = self._armed[0], self._lasts(now)
        self.drop()
        if not in_time:
            return Reason.ARM_EXPIRED
        return None if code == expected else Reason.WRONG_CODE

    def drop(self) -> None:
        """Be armed no more."""
        self._armed = None

    def _lasts(self, now: float) -> bool:
        return self._armed is not None and self._armed[1] <= now <= self._armed[2]
