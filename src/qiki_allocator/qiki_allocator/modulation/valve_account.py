"""The valves' counters of open time, against their commands."""

import math

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.modulation.ledger import Reader, ValveLedger

_JITTER = 1e-4
"""s, by which a counter may seem to run faster than time or backwards."""


class ValveAccount:
    """Compares the valves' counters of open time with the commands.

    Counters are totals, so that late, lost and unreadable reports lose nothing: the next one has it all. A
    counter that was reset (the hardware restarted) begins a new account.
    """

    def __init__(self, ledger: ValveLedger) -> None:
        self.ledger = ledger
        self.reset()

    def reset(self) -> None:
        """Begin a new account."""
        self._reader = Reader(self.ledger)
        self._on_time: Floats | None = None

    @property
    def reported_until(self) -> float:
        """s, stamp of the newest readable report; -inf: there was none."""
        return self._reader.time

    def report(self, stamp: float, on_time: npt.ArrayLike) -> Floats | None:
        """(n,) s that each valve was open less than commanded since the last good report; None: unknown.

        Args:
            stamp: s, time of measurement.
            on_time: (n,) s, total time open.
        """
        total = np.asarray(on_time, dtype=float)
        if total.shape != self.ledger.on_time.shape or not (np.isfinite(total).all() and math.isfinite(stamp)):
            return None
        if stamp <= self._reader.time:
            return None
        interval = stamp - self._reader.time
        commanded = self._reader.advance(stamp)
        before, self._on_time = self._on_time, total
        if before is None:
            return None
        on = total - before
        if on.min() < -_JITTER or on.max() > interval + _JITTER:
            return None
        return commanded - on
