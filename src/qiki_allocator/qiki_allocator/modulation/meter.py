"""Counters of what the valves were told to do."""

import math
from dataclasses import dataclass

import numpy as np

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.modulation.valves import ValveBank

_SMOOTHING = 0.25
"""s, over which the mean power of late is taken."""


@dataclass(frozen=True, eq=False)
class Passed:
    """What the valves were told to do between two readings of a `Meter`: (n,) s open, s elapsed."""

    on: Floats
    elapsed: float


class Meter:
    """Counts what a bank of valves was told to do, across banks that are started anew.

    Args:
        power: (n,) W of each open valve.

    Attributes:
        power: (n,) W.
        energy: J so far.
        firings: (n,) openings so far.
    """

    def __init__(self, power: Floats) -> None:
        self.power = power
        self.energy = 0.0
        self.firings = np.zeros(len(power), dtype=np.int64)
        self._recent = np.zeros(len(power))
        self._told = np.zeros(len(power))
        self._told_at = math.nan

    def watch(self, bank: ValveBank) -> None:
        """Go on with a new bank."""
        self._bank = bank
        self._on = bank.on_time.copy()
        self._fired = bank.firings.copy()
        self._at = bank.time
        self._told = np.zeros(len(self.power))
        self._told_at = math.nan
        self._recent = np.zeros(len(self.power))

    def read(self) -> Passed:
        """Count on to the bank's time."""
        bank = self._bank
        on = bank.on_time - self._on
        self._on = bank.on_time.copy()
        self.firings += bank.firings - self._fired
        self._fired = bank.firings.copy()
        elapsed = bank.time - self._at if math.isfinite(self._at) else 0.0
        self._at = bank.time
        self.energy += float(self.power @ on)
        self._told += on
        if 0.0 < elapsed < math.inf:
            share = -math.expm1(-elapsed / _SMOOTHING)
            self._recent += share * (on / elapsed - self._recent)
        return Passed(on, elapsed)

    @property
    def recent_power(self) -> Floats:
        """(n,) W, mean of late."""
        return self.power * np.clip(self._recent, 0.0, 1.0)

    @property
    def power_now(self) -> float:
        """W of the valves commanded open at the bank's time."""
        return float(self.power @ self._bank.is_open)

    def tell(self) -> tuple[Floats, float]:
        """Duty, (n,) 0..1, and mean power, W, since the last time this was asked; NaN the first time."""
        self.read()
        on, begun = self._told, self._told_at
        self._told, self._told_at = np.zeros(len(on)), self._bank.time
        elapsed = self._bank.time - begun
        if not 0.0 < elapsed < math.inf:
            return np.full(len(on), math.nan), math.nan
        return np.minimum(on / elapsed, 1.0), float(self.power @ on) / elapsed
