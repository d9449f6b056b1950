"""Bounds on single thrusters by order, for a short time: plumes on a partner, no thrust after capture."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats

EXPIRY = 0.5
"""s after its stamp in which an inhibition ends unless a newer one comes."""

LONGEST_REASON = 80
"""Characters of a reason."""


@dataclass(frozen=True, eq=False)
class Inhibition:
    """Attributes:
    time: s, from which it counts.
    factor: (n,) 0..1, bounds on the mean thrust.
    reason: one line.
    """

    time: float
    factor: Floats
    reason: str


def check_inhibition(now: float, time: float, bounds: npt.ArrayLike, n: int) -> str:
    """Problem of a message by field, value and allowed range; empty: none.

    Args:
        now, time: s, the latter of its stamp.
        bounds: 0..1 of n thrusters.
    """
    values = np.asarray(bounds, dtype=float)
    if values.shape != (n,):
        return f"bound: {values.size} values; allowed: {n}"
    bad = ~((values >= 0.0) & (values <= 1.0))
    if bad.any():
        worst = int(np.argmax(bad))
        return f"bound[{worst}]: {values[worst]}; allowed: 0 to 1"
    if not time > now - EXPIRY:
        return f"stamp: {now - time:.3f} s old; allowed: less than {EXPIRY:g} s"
    return ""


class Inhibitor:
    """Keeps the newest inhibition until it expires. All of its bounds count, those of the one before no more."""

    def __init__(self, n: int) -> None:
        self._none = Inhibition(-math.inf, np.ones(n), "")
        self.reset()

    def reset(self) -> None:
        """The clock was set back: nothing is inhibited."""
        self._newest = self._none

    def take(self, now: float, time: float, bounds: npt.ArrayLike, reason: str) -> None:
        """Take an inhibition that has been checked; one stamped ahead of now expires as if stamped now."""
        text = " ".join("".join(c if c.isprintable() else " " for c in reason).split())[:LONGEST_REASON]
        self._newest = Inhibition(min(time, now), np.array(bounds, dtype=float), text)

    def at(self, now: float) -> Inhibition:
        """In force at `now`, s."""
        return self._newest if now - self._newest.time < EXPIRY else self._none
