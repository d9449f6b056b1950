"""Modulators that decide cycle by cycle: PWPF and bang-bang, kept inside the valves' timing and the power limit."""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.allocator import Allocator
from qiki_allocator.allocation.answers import Limits
from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_allocator.modulation.switching import (
    BangBangLaw,
    BangBangSettings,
    PwpfLaw,
    PwpfSettings,
    SwitchLaw,
)
from qiki_allocator.modulation.valves import ValveBank, ValveTiming
from qiki_vehicle import ConfigurationError

_HALF_MICROSECOND = 5e-7  # s
_KEEP_ALIVE = 0.2
"""s, after which a command is sent though no edge is due: without one the hardware closes its valves."""


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

    A command repeats the edges of the cycles before it that have not happened yet: commands may follow each other
    faster than the hardware reads them, and of those that wait only the newest is kept.
    """

    def __init__(self, allocator: Allocator, timing: ValveTiming, law: SwitchLaw, settings: CycleSettings) -> None:
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
        self.bank = ValveBank(len(allocator.array), self._timing)
        self.reset()

    def reset(self) -> None:
        """See `Modulator`."""
        self.bank.reset()
        # What was commanded last, cycle by cycle, as far back as it may have to be repeated.
        self._recent: deque[ValveCommand] = deque(maxlen=math.ceil(self._timing.min_off / self._settings.tick) + 2)
        self._forget()

    def _forget(self) -> None:
        self._law.reset()
        self._backlog = np.zeros(6)
        self._wrench = np.zeros(6)
        self._counted = self.bank.on_time.copy()
        self._thrust = self.allocator.array.f_max
        self._end = -math.inf
        self._sent = -math.inf
        self._runs = False

    @property
    def is_active(self) -> bool:
        """See `Modulator`."""
        return self._runs

    def make_up(self, impulse: Floats) -> None:
        """See `Modulator`; between two commands nothing is made up for."""
        if self._runs:
            self._backlog = self._backlog + impulse

    def stop(self, now: float) -> ValveCommand:
        """See `Modulator`."""
        start = self.bank.clear_of_edges(now + self._settings.lead)
        self.bank.advance(start)
        command = self.bank.close_all(start, self._window())
        self.bank.take(command)
        self._forget()
        return self._recorded(now, command)

    def repeat(self, now: float) -> ValveCommand:
        """See `Modulator`."""
        start = self.bank.clear_of_edges(now + self._settings.lead)
        self.bank.advance(start)
        return self._with_recent(now, self.bank.remaining(start, self._window()))

    def _window(self) -> float:
        return self._settings.tick + self._timing.min_on + 2.0 * self._timing.min_off

    def _with_recent(self, now: float, command: ValveCommand) -> ValveCommand:
        """The command, begun earlier, with the edges of the latest cycles before it.

        It goes back to half of the lead at most, so that no edge is sent late, and by a shortest pause: so each valve
        has at most one edge of a kind in it.
        """
        first = max(now + 0.5 * self._settings.lead, command.start - self._timing.min_off)
        for cycle in reversed(self._recent):
            if first <= cycle.start < command.start:
                after = command.start - cycle.start
                opens = _joined(cycle.open_time, command.open_time, after)
                closes = _joined(cycle.close_time, command.close_time, after)
                command = ValveCommand(cycle.start, command.window, opens, closes)
        return command

    def _recorded(self, now: float, command: ValveCommand) -> ValveCommand:
        """The same for a command that is new."""
        full = self._with_recent(now, command)
        self._recent.append(command)
        return full

    def step(
        self, now: float, wrench: npt.ArrayLike, limits: Limits, thrust: Floats | None = None
    ) -> ValveCommand | None:
        """See `Modulator`."""
        due = round(now + self._settings.lead, 6)
        commanded = np.asarray(wrench, dtype=float)
        if not self._runs:
            if not commanded.any():
                return None
            self.bank.advance(due)
            self._forget()
            self._runs = True
            self._end = due
        if due < self._end - _HALF_MICROSECOND:
            self._wrench = commanded
            return None
        # The valves kept their state from the end of the last cycle on, if this one is late.
        start = max(due, self._end, self.bank.time)
        was_open = self.bank.is_open.copy()
        late = start - self._end
        self.bank.advance(start)
        force = self.allocator.array.f_max if thrust is None else thrust
        self._account(self._wrench, late)
        self._thrust = force
        self._wrench = commanded
        level = self._level(commanded, limits, force)
        if late > 0.0:
            self._law.advance(level, was_open, np.full(len(level), late))
        idle = not commanded.any() and not self.bank.is_open.any()
        if idle and not np.isfinite(self._law.switch_after(level, self.bank.is_open)).any():
            self._forget()
            return None
        command = self._cycle(start, level, limits)
        self._account(commanded, self._settings.tick)
        self._end = round(start + self._settings.tick, 6)
        has_edge = np.isfinite(command.open_time).any() or np.isfinite(command.close_time).any()
        full = self._recorded(now, command)
        if not has_edge and start - self._sent < _KEEP_ALIVE:
            return None
        self._sent = start
        return full

    def _account(self, wrench: Floats, duration: float) -> None:
        on = self.bank.on_time - self._counted
        self._counted = self.bank.on_time.copy()
        self._backlog += wrench * duration - self.allocator.array.effectiveness @ (self._thrust * on)
        size = float(np.linalg.norm(self.allocator.per_reach * self._backlog))
        if size > self._settings.carry:
            self._backlog *= self._settings.carry / size

    def _level(self, wrench: Floats, limits: Limits, thrust: Floats) -> Floats:
        answer = self.allocator.solve(wrench + self._backlog / self._settings.horizon, limits)
        return np.where(thrust > 0.0, np.minimum(answer.forces / np.maximum(thrust, 1e-9), 1.0), 0.0)

    def _cycle(self, start: float, level: Floats, limits: Limits) -> ValveCommand:
        """Decide the cycle that begins at `start`, where the bank stands."""
        tick = self._settings.tick
        is_open = self.bank.is_open
        n = len(level)
        switch = self._law.switch_after(level, is_open)
        # Levels can change on the way: what the law wants too early waits, a burn ends before it gets too long.
        earliest = np.where(is_open, self.bank.hold(), self.bank.rest())
        switch = np.maximum(switch, earliest)
        longest = self.bank.burn_left() - self._timing.min_on
        switch = np.where(is_open, np.minimum(switch, np.maximum(longest, 0.0)), switch)
        switch = np.round(switch + _HALF_MICROSECOND, 6)
        watts = self.allocator.watts_per_newton * self.allocator.array.f_max
        limit = math.inf if limits.power is None else limits.power * (1.0 + 1e-9)
        open_time, close_time = np.full(n, np.nan), np.full(n, np.nan)
        power = float(watts @ is_open)
        closing = is_open & (switch < tick)
        # A limit that fell closes the valves that the law wants least, as soon as they may.
        over = power - float(watts @ (is_open & (switch <= earliest)))
        for j in np.argsort(np.where(is_open, level, math.inf)):
            if over <= limit or not is_open[j]:
                break
            if switch[j] > earliest[j]:
                switch[j] = math.ceil(earliest[j] * 1e6) * 1e-6
                closing[j] = switch[j] < tick
                over -= float(watts[j])
        close_time[closing] = switch[closing]
        events = sorted(
            (float(switch[j]), -float(level[j]), int(j)) for j in np.flatnonzero(~is_open & (switch < tick))
        )
        closes = sorted((float(switch[j]), int(j)) for j in np.flatnonzero(closing))
        for at, _, j in events:
            closed = sum(float(watts[i]) for when, i in closes if when <= at)
            opened = float(watts @ np.isfinite(open_time))
            if power - closed + opened + float(watts[j]) <= limit:
                open_time[j] = at
        moved = np.where(closing, close_time, np.where(np.isfinite(open_time), open_time, tick))
        self._law.advance(level, is_open, moved)
        self._law.advance(level, is_open ^ (moved < tick), tick - moved)
        command = ValveCommand(start, self._window(), open_time, close_time)
        self.bank.take(command)
        self.bank.advance(round(start + tick, 6))
        return command


def _joined(first: Floats, then: Floats, after: float) -> Floats:
    """Edges (n,) s, NaN for none: those of the first row before `after`, s, from where on those of the second count."""
    return np.where(first < after, first, np.round(then + after, 6))


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
    ) -> None:
        timing = timing or ValveTiming()
        settings = settings or PwpfSettings()
        settings.check(timing)
        law = PwpfLaw(len(allocator.array), settings)
        super().__init__(allocator, timing, law, cycle or CycleSettings())


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
    ) -> None:
        law = BangBangLaw(settings or BangBangSettings())
        super().__init__(allocator, timing or ValveTiming(), law, cycle or CycleSettings(horizon=self.HORIZON))
