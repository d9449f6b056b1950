"""Commanded valves under their timing rules."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.modulation.ledger import ValveCommand, ValveLedger
from qiki_vehicle import ConfigurationError

ROUNDING = 2e-5
"""s added to every shortest time, so that edges rounded on their way, and starts moved off edges, keep it."""

_CLEARANCE = 5e-6  # s


@dataclass(frozen=True)
class ValveTiming:
    """Timing rules of a valve; all in s.

    Raises:
        ConfigurationError: a time is not allowed.
    """

    min_on: float = 0.030
    min_off: float = 0.030
    max_burn: float = 3.0
    cooldown: float = 1.0

    def __post_init__(self) -> None:
        for name in ("min_on", "min_off", "max_burn", "cooldown"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0.0):
                raise ConfigurationError(f"{name}: {value} s; allowed: finite, above 0")
        if self.max_burn < 2.0 * (self.min_on + self.min_off):
            raise ConfigurationError(
                f"max_burn: {self.max_burn} s; allowed: at least {2 * (self.min_on + self.min_off):g} s"
            )


class ValveBank(ValveLedger):
    """A ledger with the timing rules of its valves, to plan commands with."""

    def __init__(self, n: int, timing: ValveTiming) -> None:
        self.timing = timing
        super().__init__(n)

    def clear_of_edges(self, time: float) -> float:
        """`time`, not before `self.time`, or a few microseconds off it, so that rounding cannot put an edge on the
        other side of a command's start: rather before an edge to come, but after one that has happened."""
        time = round(max(time, self.time), 6)
        if self._last_edge + _CLEARANCE < time < self._next_edge - _CLEARANCE:
            return time
        earlier = True
        for _ in range(4 * len(self.since)):
            near = self._to_come[np.abs(self._to_come - time) < 0.9 * _CLEARANCE]
            past = self.since[np.abs(self.since - time) < 0.9 * _CLEARANCE]
            if not len(near) and not len(past):
                break
            earlier = earlier and not len(past) and time > self.time - 2.0 * _CLEARANCE
            time = round(float(near.min()) - _CLEARANCE if earlier else max([*near, *past]) + _CLEARANCE, 6)
        return time

    @property
    def is_busy(self) -> bool:
        """True while any valve is open or will open."""
        return bool(self.may_open().any())

    def may_open(self) -> npt.NDArray[np.bool_]:
        """(n,) whether each valve is open or will open."""
        return np.asarray(self.is_open | np.isfinite(self._to_come[0]))

    def hold(self) -> Floats:
        """(n,) s that each open valve must stay open yet."""
        left = self.since + self.timing.min_on + ROUNDING - self.time
        return np.where(self.is_open, np.maximum(left, 0.0), 0.0)

    def rest(self) -> Floats:
        """(n,) s that each closed valve must stay closed yet: the shortest pause, or the cooldown after a full burn."""
        overdone = self._last_burn >= self.timing.max_burn - ROUNDING
        pause = np.where(overdone, self.timing.cooldown, self.timing.min_off) + ROUNDING
        left = self.since + pause - self.time
        return np.where(self.is_open, 0.0, np.maximum(left, 0.0))

    def burn_left(self) -> Floats:
        """(n,) s that each valve may burn from now without a pause."""
        burnt = np.where(self.is_open, self.time - np.where(self.is_open, self.since, self.time), 0.0)
        return self.timing.max_burn - burnt

    def shut(self, valves: npt.NDArray[np.bool_]) -> ValveCommand | None:
        """The command from `time` that closes some valves, (n,), as soon as their shortest pulse allows and opens none
        of them, while the others keep the edges to come; None: those to come do so."""
        opening, closing = np.round(self._to_come - self.time, 6)
        hold = np.round(self.hold(), 6)
        goes_on = self.is_open & ~(closing <= hold)
        if not (valves & (goes_on | np.isfinite(opening))).any():
            return None
        opening = np.where(valves, np.nan, opening)
        closing = np.where(valves, np.where(self.is_open, hold, np.nan), closing)
        window = float(np.fmax.reduce([*opening, *closing], initial=self.timing.min_on))
        return ValveCommand(self.time, window, opening, closing)

    def close_all(self, start: float, window: float) -> ValveCommand:
        """The command from `start`, near `time`, that closes every valve as soon as its shortest pulse allows."""
        return ValveCommand(
            start, window, np.full(len(self.since), np.nan), np.where(self.is_open, np.round(self.hold(), 6), np.nan)
        )
