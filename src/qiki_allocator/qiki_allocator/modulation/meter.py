"""Power and duty of commanded valves."""

import math
from dataclasses import dataclass

import numpy as np

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.modulation.ledger import ValveLedger

_SMOOTHING = 0.25
"""s, time constant of the mean power of late."""


@dataclass(frozen=True, eq=False)
class Passed:
    """Commands between two readings of a `Meter`: (n,) s open, s elapsed."""

    on: Floats
    elapsed: float


class Meter:
    """Power and duty of commanded valves.

    Args:
        power: (n,) W of each open valve.

    Attributes:
        power: (n,) W.
        energy: J so far, also before the clock was set back.
        firings: (n,) openings so far.
    """

    def __init__(self, power: Floats, ledger: ValveLedger) -> None:
        self.power = power
        self._ledger = ledger
        self.energy = 0.0
        self.firings = np.zeros(len(power), dtype=np.int64)
        self.reset()

    def reset(self) -> None:
        """The clock was set back."""
        ledger = self._ledger
        self._on = self._taken = ledger.on_time.copy()
        self._fired = ledger.firings.copy()
        self._at, self._taken_at = ledger.time, math.nan
        self._recent = np.zeros(len(self.power))

    def read(self) -> Passed:
        """Count on to the ledger's time."""
        ledger = self._ledger
        on = ledger.on_time - self._on
        elapsed = ledger.time - self._at if math.isfinite(self._at) else 0.0
        self.energy += float(self.power @ on)
        self.firings += ledger.firings - self._fired
        self._on, self._fired, self._at = ledger.on_time.copy(), ledger.firings.copy(), ledger.time
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
        """W of the valves commanded open at the ledger's time."""
        return float(self.power @ self._ledger.is_open)

    def take_duty(self) -> tuple[Floats, float]:
        """Duty, (n,) 0..1, and mean power, W, since the last call; NaN the first time."""
        ledger = self._ledger
        on, elapsed = ledger.on_time - self._taken, ledger.time - self._taken_at
        self._taken, self._taken_at = ledger.on_time.copy(), ledger.time
        if not 0.0 < elapsed < math.inf:
            return np.full(len(on), math.nan), math.nan
        return np.minimum(on / elapsed, 1.0), float(self.power @ on) / elapsed
