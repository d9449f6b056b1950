"""Modulators that decide cycle by cycle: PWPF and bang-bang, kept inside the valves' timing and the power limit."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.allocator import Allocator
from qiki_allocator.allocation.answers import Limits, within_largest
from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_allocator.modulation.pulse_width import PulseWidth, PulseWidthSettings
from qiki_allocator.modulation.switching import (
    BangBangLaw,
    BangBangSettings,
    PwpfLaw,
    PwpfSettings,
    SwitchLaw,
)
from qiki_allocator.modulation.valves import ValveBank, ValveTiming
from qiki_vehicle import ConfigurationError, MassProperties

_HALF_MICROSECOND = 5e-7  # s
_REPAIR = 0.5
"""s, in which impulse that the valves fell short of is made up for."""


@dataclass(frozen=True)
class CycleSettings:
    """Attributes:
    lead: s, how far ahead of now edges are planned.
    tick: s between two calls of `step`, at most the shortest pulse.
    horizon: s, in which the backlog is to be delivered; the longer, the smaller the limit cycle around it.
    carry: s; largest backlog: the impulse that the reach of all thrusters gives in this time.
    """

    lead: float = 0.04
    tick: float = 0.01
    horizon: float = 1.0
    carry: float = 0.12


class _Switched:
    """A `Modulator` that switches each valve by its level: allocated force over thrust.

    The backlog, commanded minus given impulse, is carried in wrench space, bounded, and allocated with the wrench.
    A switching that would break a timing rule waits until it may happen, one that would break the power limit waits for
    room.

    After the command the backlog is delivered in windows, as `PulseWidth` does: a level can be too low to open a valve.
    While commands reach the valves late (see `lead`), pulses and pauses last half of the lead or longer: so no valve
    has more than two edges on their way.
    """

    def __init__(
        self,
        allocator: Allocator,
        timing: ValveTiming,
        law: SwitchLaw,
        settings: CycleSettings,
        bank: ValveBank | None = None,
    ) -> None:
        self.allocator = allocator
        self._timing = timing
        self._law = law
        self._settings = settings
        if not 0.0 < self._settings.tick <= timing.min_on:
            raise ConfigurationError(f"tick: {self._settings.tick} s; allowed: above 0 to {timing.min_on:g} s")
        for name in ("lead", "horizon", "carry"):
            value = getattr(self._settings, name)
            if not (0.0 <= value <= 2.0) or (name == "horizon" and value == 0.0):
                raise ConfigurationError(f"{name}: {value} s; allowed: 0 to 2 s, horizon above 0")
        self.lead = settings.lead
        self.bank = ValveBank(len(allocator.array), self._timing) if bank is None else bank
        window = PulseWidthSettings(lead=settings.lead, tick=settings.tick)
        self._flush = PulseWidth(allocator, timing, window, self.bank)
        self._forget()

    def reset(self) -> None:
        """See `Modulator`."""
        self._flush.reset()
        self._forget()

    def move(self, body: MassProperties) -> None:
        """See `Modulator`."""

    def _forget(self) -> None:
        self._law.reset()
        self._backlog = np.zeros(6)
        self._wrench = np.zeros(6)
        self._counted = self.bank.on_time.copy()
        self._thrust = self.allocator.array.f_max
        self._end = self._accrued = -math.inf
        self._short = np.zeros(6)  # N s, N m s: given less than commanded, not in _backlog yet
        self._runs = False

    @property
    def is_active(self) -> bool:
        """See `Modulator`."""
        return self._runs or self._flush.is_active

    def make_up(self, impulse: Floats) -> None:
        """See `Modulator`."""
        if self._runs:
            self._short = self._short + impulse
        else:
            self._flush.make_up(impulse)

    def stop(self, now: float) -> ValveCommand:
        """See `Modulator`."""
        start = self.bank.clear_of_edges(now + self.lead)
        self.bank.advance(start)
        command = self.bank.close_all(start, self._window())
        self.bank.take(command)
        self._flush.release(now)
        self._forget()
        return command

    def begin(self, now: float, backlog: Floats) -> None:
        """See `Modulator`."""
        self._forget()
        # In windows, until the next command ends them.
        self._flush.begin(now, backlog)

    def release(self, now: float) -> Floats:
        """See `Modulator`."""
        if not self._runs:
            return self._flush.release(now)
        self._accrue(now)
        self._count()
        backlog = self._backlog + self._short
        self._forget()
        return backlog

    def _window(self) -> float:
        return self._settings.tick + self._timing.min_on + 2.0 * self._timing.min_off

    def step(
        self, now: float, wrench: npt.ArrayLike, limits: Limits, thrust: Floats | None = None
    ) -> ValveCommand | None:
        """See `Modulator`."""
        self._flush.lead = self.lead
        commanded = np.array(wrench, dtype=float)
        if not commanded.any():
            return self._end_command(now, limits, thrust)
        due = round(now + self.lead, 6)
        if not self._runs:
            self.bank.advance(due)
            backlog = self._flush.release(now)
            self._forget()
            self._runs, self._backlog = True, backlog
            self._end, self._accrued = due, now
        self._accrue(now)
        self._wrench = commanded
        if due < self._end - _HALF_MICROSECOND:
            return None
        # The valves kept their state from the end of the last cycle on, if this one is late.
        start = max(due, self._end, self.bank.time)
        was_open = self.bank.is_open.copy()
        late = start - self._end
        self.bank.advance(start)
        self._count()
        self._thrust = self.allocator.array.f_max if thrust is None else thrust
        level = self._level(commanded, limits, self._thrust)
        shut = np.zeros(len(level), dtype=bool) if limits.bounds is None else np.asarray(limits.bounds) <= 0.0
        if late > 0.0:
            self._law.advance(level, was_open, np.full(len(level), late))
        replaces = self.bank.has_edges
        command = self._cycle(start, level, limits, shut)
        self._count()
        self._end = round(start + self._settings.tick, 6)
        has_edge = np.isfinite(command.open_time).any() or np.isfinite(command.close_time).any()
        return command if has_edge or replaces else None

    def _end_command(self, now: float, limits: Limits, thrust: Floats | None) -> ValveCommand | None:
        """Deliver the backlog of the command that has ended, in windows."""
        if self._runs:
            self._accrue(now)
            self._count()
            # What the last cycles planned is for now + lead: so is the backlog.
            self._flush.begin(now, self._backlog + self._short)
            self._forget()
        return self._flush.step(now, np.zeros(6), limits, thrust)

    def _accrue(self, now: float) -> None:
        passed = max(now - self._accrued, 0.0)
        self._accrued = max(now, self._accrued)
        # What the valves fell short of comes back slowly: reports are older than the levels' swing.
        share = min(passed / _REPAIR, 1.0)
        self._add(self._wrench * passed + self._short * share)
        self._short = self._short * (1.0 - share)

    def _count(self) -> None:
        on = self.bank.on_time - self._counted
        self._counted = self.bank.on_time.copy()
        self._add(-self.allocator.array.effectiveness @ (self._thrust * on))

    def _add(self, impulse: Floats) -> None:
        self._backlog = self._backlog + impulse
        size = float(np.linalg.norm(self.allocator.per_reach * self._backlog))
        if size > self._settings.carry:
            self._backlog *= self._settings.carry / size

    def _level(self, wrench: Floats, limits: Limits, thrust: Floats) -> Floats:
        wanted = within_largest(wrench + self._backlog / self._settings.horizon)
        answer = self.allocator.solve(wanted, limits)
        return np.where(thrust > 0.0, np.minimum(answer.forces / np.maximum(thrust, 1e-9), 1.0), 0.0)

    def _cycle(self, start: float, level: Floats, limits: Limits, shut: npt.NDArray[np.bool_]) -> ValveCommand:
        """Decide the cycle that begins at `start`, where the bank stands; valves of `shut`, (n,), stay or get closed,
        even where the law would let a pulse begin or go on."""
        tick = self._settings.tick
        is_open = self.bank.is_open
        n = len(level)
        switch = self._law.switch_after(level, is_open)
        switch = np.where(shut, np.where(is_open, 0.0, math.inf), switch)
        # Levels can change on the way: what the law wants too early waits, a burn ends before it gets too long.
        shortest = np.where(is_open, self.bank.hold(), self.bank.rest())
        earliest = np.maximum(shortest, np.minimum(self.bank.since + 0.5 * self.lead - start, 0.5 * self.lead))
        switch = np.maximum(switch, earliest)
        longest = self.bank.burn_left() - self._timing.min_on
        switch = np.where(is_open, np.minimum(switch, np.maximum(longest, 0.0)), switch)
        switch = np.round(switch + _HALF_MICROSECOND, 6)
        watts = self.allocator.watts_per_newton * self.allocator.array.f_max
        bus, limit = self.allocator.bus, limits.by_bus(len(self.allocator.bus_names)) * (1.0 + 1e-9)
        draw = (bus == np.arange(len(limit))[:, None]) * watts
        open_time, close_time = np.full(n, np.nan), np.full(n, np.nan)
        power = draw @ is_open
        closing = is_open & (switch < tick)
        # A limit that fell closes the valves that the law wants least, as soon as they may.
        over = power - draw @ (is_open & (switch <= earliest))
        for j in np.argsort(np.where(is_open, level, math.inf)):
            if (over <= limit).all() or not is_open[j]:
                break
            if switch[j] > earliest[j] and over[bus[j]] > limit[bus[j]]:
                switch[j] = math.ceil(earliest[j] * 1e6) * 1e-6
                closing[j] = switch[j] < tick
                over[bus[j]] -= watts[j]
        close_time[closing] = switch[closing]
        events = sorted(
            (float(switch[j]), -float(level[j]), int(j)) for j in np.flatnonzero(~is_open & (switch < tick))
        )
        closes = sorted((float(switch[j]), int(j)) for j in np.flatnonzero(closing))
        for at, _, j in events:
            own = bus[j]
            closed = sum(float(draw[own, i]) for when, i in closes if when <= at)
            opened = float(draw[own] @ np.isfinite(open_time))
            if power[own] - closed + opened + float(watts[j]) <= limit[own]:
                open_time[j] = at
        moved = np.where(closing, close_time, np.where(np.isfinite(open_time), open_time, tick))
        self._law.advance(level, is_open, moved)
        self._law.advance(level, is_open ^ (moved < tick), tick - moved)
        command = ValveCommand(start, self._window(), open_time, close_time)
        self.bank.take(command)
        self.bank.advance(round(start + tick, 6))
        return command


class Pwpf(_Switched):
    """Pulse-width pulse-frequency modulation of each thruster's allocated force.

    Raises:
        ConfigurationError: the settings' shortest pulse or pause is too short for the valves, or a setting not allowed.
    """

    def __init__(
        self,
        allocator: Allocator,
        timing: ValveTiming | None = None,
        settings: PwpfSettings | None = None,
        cycle: CycleSettings | None = None,
        bank: ValveBank | None = None,
    ) -> None:
        timing = timing or ValveTiming()
        settings = settings or PwpfSettings()
        settings.check(timing)
        law = PwpfLaw(len(allocator.array), settings)
        super().__init__(allocator, timing, law, cycle or CycleSettings(), bank)


class BangBang(_Switched):
    """Bang-bang with dead band and hysteresis on each thruster's allocated force.

    Raises:
        ConfigurationError: a setting is not allowed.
    """

    HORIZON = 0.07
    """s; levels swing between on and off by the backlog: this keeps the swing near the shortest pulse."""

    def __init__(
        self,
        allocator: Allocator,
        timing: ValveTiming | None = None,
        settings: BangBangSettings | None = None,
        cycle: CycleSettings | None = None,
        bank: ValveBank | None = None,
    ) -> None:
        law = BangBangLaw(settings or BangBangSettings())
        super().__init__(allocator, timing or ValveTiming(), law, cycle or CycleSettings(horizon=self.HORIZON), bank)
