"""Levels of single thrusters as pulses in windows, for MANUAL_OVERRIDE."""

import math

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.answers import Limits
from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_allocator.modulation.stagger import place
from qiki_allocator.modulation.valves import ROUNDING, ValveBank


class LevelPulses:
    """Each valve is open for its level's share of the time: a remainder below the shortest pulse or pause is backlog
    for the next window, up to a shortest pulse. Timing rules and power hold as in `PulseWidth`.

    Args:
        power: (n,) W of each open valve.
        bus: (n,) index of the power bus of each.
        window, lead, gap: s, see `PulseWidthSettings`.

    Attributes:
        lead: s.
    """

    def __init__(self, power: Floats, bus: npt.NDArray[np.intp], *, window: float, lead: float, gap: float) -> None:
        self._power, self._bus = power, bus
        self._buses = int(bus.max()) + 1
        self._window = window
        self.lead = lead
        self._gap = gap
        self.reset()

    def reset(self) -> None:
        """Drop the backlog."""
        self._backlog = np.zeros(len(self._power))
        self._end = -math.inf

    def step(
        self, now: float, levels: npt.ArrayLike, limits: Limits, f_max: Floats, bank: ValveBank
    ) -> ValveCommand | None:
        """The edges to send at `now`, s, for levels, (n,) 0..1, within the limits; None: those sent hold on."""
        due = now + self.lead
        if due < self._end - 1e-9:
            return None
        start = bank.clear_of_edges(max(due, self._end))
        bank.advance(start)
        timing, hold, rest = bank.timing, bank.hold(), bank.rest()
        shortest, pause = timing.min_on + ROUNDING, timing.min_off + ROUNDING
        allowed = np.minimum(np.asarray(limits.bounds, dtype=float) / f_max, 1.0)
        wanted = self._backlog + np.minimum(np.asarray(levels, dtype=float), allowed) * self._window
        may_stay = bank.burn_left() - self._window >= pause
        most = np.where(may_stay, self._window, np.minimum(self._window, bank.burn_left()) - pause) - rest
        stays = may_stay & (wanted > self._window - 0.5 * pause)
        on = np.clip(np.minimum(wanted, self._window - pause), 0.0, np.maximum(most, 0.0))
        on = np.where(stays, np.maximum(self._window - rest, 0.0), on)
        on = np.where(bank.is_open, np.maximum(on, hold), np.where((on >= shortest) & (allowed > 0.0), on, 0.0))
        placed = place(
            on,
            window=self._window,
            is_open=bank.is_open,
            rest=rest,
            hold=hold,
            min_on=timing.min_on,
            power=self._power,
            limit=limits.by_bus(self._buses),
            bus=self._bus,
            gap=self._gap,
        )
        self._backlog = np.clip(wanted - placed.on, -shortest, shortest)
        command = ValveCommand(start, self._window, placed.open_time, placed.close_time)
        bank.take(command)
        self._end = start + self._window
        return command


def checked_levels(levels: npt.ArrayLike, n: int) -> Floats:
    """(n,) 0..1.

    Raises:
        ValueError: naming the level and the allowed range.
    """
    values = np.asarray(levels, dtype=float)
    if values.shape != (n,):
        raise ValueError(f"level: {values.size} values; allowed: {n}")
    bad = ~((values >= 0.0) & (values <= 1.0))
    if bad.any():
        worst = int(np.argmax(bad))
        raise ValueError(f"level[{worst}]: {values[worst]}; allowed: 0 to 1")
    return values
