"""Modulation in windows: the remainder of what pulses cannot give is carried forward in wrench space."""

import abc
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.allocator import Allocator
from qiki_allocator.allocation.answers import Limits
from qiki_allocator.allocation.thrusters import Floats, ThrusterArray
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_allocator.modulation.stagger import Placement
from qiki_allocator.modulation.valves import ValveBank, ValveTiming
from qiki_vehicle import ConfigurationError, MassProperties

SETTLED = 1e-12
_FALL = 0.1
"""1, share of its thrust by which a thruster's bound must fall for a new window at once."""
_LONGEST_FLUSH = 8
"""Windows after the end of the command in which the backlog is delivered."""


@dataclass(frozen=True)
class WindowSettings:
    """Attributes:
    window: s, within which each valve opens at most once.
    lead: s, how far ahead of now edges are planned, for the way to the valves.
    tick: s between two calls of `step`.
    carry: s; at most as much impulse is carried forward as the reach of all thrusters gives in this time.
    repair: s; as carry: most impulse that is made up for after the valves did not do what was commanded.
    gap: s between a close and an open that takes over its power.
    """

    window: float = 0.25
    lead: float = 0.04
    tick: float = 0.01
    carry: float = 0.06
    repair: float = 0.3
    gap: float = 0.002


class Choice(NamedTuple):
    """Pulses of a window.

    Attributes:
        placement: of the pulses.
        refused: (6,) N s and N m s, part of the request that is out of reach in any case.
        span: s, from the start of the window to that of the next.
        power: W that it may draw at one time, of each bus, (k,), or one number for all; a limit that falls below asks
            for a new choice.
    """

    placement: Placement
    refused: Floats
    span: float
    power: float | Floats


class Windowed(abc.ABC):
    """A `Modulator` that plans one window after the other.

    The first window starts with the first wrench. Each window is chosen for the impulse that the wrench gives in it,
    plus the backlog: impulse commanded so far minus impulse that the valves, as commanded, have given. When the command
    changes by more than a shortest pulse would give until the end of the window, a new window starts at once. When it
    ends, the backlog is delivered as well as pulses allow.

    What a window cannot give beyond `carry` is refused, evenly over its span. A command that changes within it takes
    back, on each axis, as much of that as it asks for less: else the pulses in flight would count as too much, and be
    undone by opposite ones.

    Raises:
        ConfigurationError: a setting is not allowed.
    """

    def __init__(
        self,
        allocator: Allocator,
        timing: ValveTiming | None,
        settings: WindowSettings,
        bank: ValveBank | None = None,
    ) -> None:
        """bank: of another modulator that takes turns with this one; None: an own one."""
        self.allocator = allocator
        self._smallest_of: ThrusterArray | None = None
        self._smallest_size = math.nan
        self._timing = timing or ValveTiming()
        self._windows = settings
        shortest = 2.0 * (self._timing.min_on + self._timing.min_off)
        longest = min(0.4, self._timing.max_burn / 2.0)
        if not shortest <= settings.window <= longest:
            raise ConfigurationError(f"window: {settings.window} s; allowed: {shortest:g} to {longest:g} s")
        for name in ("lead", "tick", "carry", "repair", "gap"):
            check_short(name, getattr(settings, name))
        self.lead = settings.lead
        self.bank = ValveBank(len(allocator.array), self._timing) if bank is None else bank
        self._start_over()

    @abc.abstractmethod
    def _choose(self, request: Floats, limits: Limits, thrust: Floats) -> Choice:
        """Pulses for a request, (6,) N s and N m s, in a window that begins at the bank's time; thrust: (n,) N of each
        open valve."""

    @abc.abstractmethod
    def _is_settled(self, impulse: Floats) -> bool:
        """True if an impulse, (6,), is not worth a pulse when the command has ended."""

    def _carried(self, left: Floats) -> Floats:
        """Part of an impulse, (6,), left over by a window, that is carried forward."""
        return self._within(left, self._windows.carry)

    def move(self, body: MassProperties) -> None:  # noqa: B027  (only some need it)
        """See `Modulator`."""

    def reset(self) -> None:
        """See `Modulator`."""
        self.bank.reset()
        self._start_over()

    def _start_over(self) -> None:
        self._wrench = np.zeros(6)
        self._thrust = self.allocator.array.f_max
        self._forget()

    def _forget(self) -> None:
        self._backlog = np.zeros(6)  # N s, N m s: commanded up to _accrued less given up to bank.time, a lead later
        self._accrued = -math.inf
        self._refused = np.zeros(6)  # N, N m: share of the wrench that is out of reach, from now to the window's end
        self._accruing = np.zeros(6)  # the wrench as far as it counts until the next window
        self._refusal = np.zeros(6)  # N s, N m s: the same of the whole window, as it was planned
        self._beyond = np.zeros(6)  # and by how much the present command is beyond reach in it
        self._refused_so_far = np.zeros(6)
        self._planned = np.zeros(6)  # wrench that the window was planned for
        self._planned_power: float | Floats = 0.0  # W that it may draw
        self._planned_bounds = np.zeros(len(self.allocator.array))  # N, and its bounds
        self._accepted: tuple[Limits | None, Floats | None] = None, None  # found to be wide enough for it
        self._start = -math.inf
        self._end = -math.inf
        self._counted = self.bank.on_time.copy()
        self._windows_since_end = 0
        self._runs = False
        self._short = np.zeros(6)  # N s, N m s: given less than commanded, not in _backlog yet

    @property
    def is_active(self) -> bool:
        """See `Modulator`."""
        return self._runs or not self._is_settled(self._short)

    def make_up(self, impulse: Floats) -> None:
        """See `Modulator`."""
        self._short = self._within(self._short + impulse, self._windows.repair)

    def stop(self, now: float) -> ValveCommand:
        """See `Modulator`."""
        start = self.bank.clear_of_edges(now + self.lead)
        self.bank.advance(start)
        command = self.bank.close_all(start, self._windows.window)
        self.bank.take(command)
        self._wrench = np.zeros(6)
        self._forget()
        return command

    def begin(self, now: float, backlog: Floats) -> None:
        """See `Modulator`."""
        self._start_over()
        self._runs, self._backlog, self._accrued = True, backlog, now

    def release(self, now: float) -> Floats:
        """See `Modulator`."""
        backlog = self._short
        if self._runs:
            self._accrue(now)
            self._count()
            backlog = self._within_reach() + self._short
        self._start_over()
        return backlog

    def step(
        self, now: float, wrench: npt.ArrayLike, limits: Limits, thrust: Floats | None = None
    ) -> ValveCommand | None:
        """See `Modulator`."""
        due = now + self.lead
        commanded = np.array(wrench, dtype=float)
        if not self._runs:
            if not (commanded.any() or self.is_active):
                return None
            self.bank.advance(due)
            short = self._short
            self._forget()
            self._runs, self._short = True, short
            self._accrued = now
        self._accrue(now)
        self._follow(now, commanded)
        force = self.allocator.array.f_max if thrust is None else thrust
        if not (self._is_due(due) or self._is_tighter(limits, force)):
            return None
        return self._plan(due, limits, force)

    def _accrue(self, now: float) -> None:
        if now > self._accrued:
            refused = self._refused * max(min(now, self._end - self.lead) - self._accrued, 0.0)
            self._refused_so_far += refused
            self._backlog += self._accruing * (now - self._accrued) - refused
            self._accrued = now

    def _follow(self, now: float, commanded: Floats) -> None:
        """Take the wrench; of a smaller one take back what was refused of the one before, of a larger one add no more
        than all thrusters can give."""
        most = np.maximum(np.abs(self._planned), 1.0 / self.allocator.per_reach)
        before, left = self._accruing, self._end - self.lead - now
        self._wrench, self._accruing = commanded, np.clip(commanded, -most, most)
        change = self._accruing - before
        if left > SETTLED and self._refusal.any() and change.any():
            self._beyond = self._beyond + change * left
            total = np.clip(self._beyond, np.minimum(self._refusal, 0.0), np.maximum(self._refusal, 0.0))
            self._refused = (total - self._refused_so_far) / left

    def _count(self) -> None:
        """Take the impulse that the valves have given since the last call out of the backlog."""
        on = self.bank.on_time - self._counted
        self._counted = self.bank.on_time.copy()
        self._backlog -= self.allocator.array.effectiveness @ (self._thrust * on)

    def _is_over(self, due: float) -> bool:
        return due + self._windows.tick > self._end - SETTLED

    def _is_due(self, due: float) -> bool:
        if self._is_over(due):
            return True
        if due <= self._start:
            return False
        if not any(self._wrench.tolist()):
            return bool(self._planned.any())
        if due < self._start + 2.0 * self._timing.min_on:
            return False
        change = self._size(self._wrench - self._planned)
        return change * (self._end - due) > 0.5 * self._timing.min_on * self._smallest()

    def _is_tighter(self, limits: Limits, thrust: Floats) -> bool:
        if limits is self._accepted[0] and thrust is self._accepted[1]:
            return False
        fell = limits.by_bus(len(self.allocator.bus_names)) < self._planned_power
        if fell.any() or (thrust != self._thrust).any():
            return True
        fallen = self._planned_bounds - self._bounds(limits) > _FALL * self.allocator.array.f_max
        if not fallen.any():
            self._accepted = limits, thrust
            return False
        return bool((fallen & self.bank.may_open()).any())

    def _bounds(self, limits: Limits) -> Floats:
        return self.allocator.array.f_max if limits.bounds is None else np.asarray(limits.bounds, dtype=float)

    def _plan(self, due: float, limits: Limits, thrust: Floats) -> ValveCommand | None:
        start = max(due, self._end) if self._is_over(due) else due
        start = self.bank.clear_of_edges(start)
        self.bank.advance(start)
        self._count()
        self._thrust = thrust
        repaired = self._carried(self._short)
        self._backlog += repaired
        self._short = self._short - repaired
        ended = not self._wrench.any()
        if ended:
            self._backlog = self._within_reach()
        self._windows_since_end = self._windows_since_end + 1 if ended else 0
        request = self._backlog + self._wrench * (start - due + self._windows.window)
        if ended and not self.bank.is_busy and self._is_settled(request):
            self._forget()
            return None
        choice = self._choose(request, limits, thrust)
        placement, refused = choice.placement, choice.refused
        useless = not placement.on.any() or self._windows_since_end > _LONGEST_FLUSH
        if ended and not self.bank.is_busy and useless:
            self._forget()
            return None
        if not ended:
            given = self.allocator.array.effectiveness @ (thrust * placement.on)
            left = request + self._wrench * (choice.span - self._windows.window) - refused - given
            refused = refused + left - self._carried(left)
        self._planned = self._accruing = self._wrench
        self._planned_power = choice.power
        self._planned_bounds = self._bounds(limits)
        self._accepted = None, None
        self._start = start
        self._end = start + choice.span
        self._refusal = self._beyond = refused
        self._refused, self._refused_so_far = refused / (self._end - due), np.zeros(6)
        command = ValveCommand(start, choice.span, placement.open_time, placement.close_time)
        self.bank.take(command)
        return command

    def _within_reach(self) -> Floats:
        """The backlog, on each axis at most as much as all thrusters give in a window and `carry`: a late cycle adds
        more."""
        most = (self._windows.window + self._windows.carry) / self.allocator.per_reach
        return np.clip(self._backlog, -most, most)

    def _within(self, impulse: Floats, size: float) -> Floats:
        """The impulse, shortened to a size, s, if it is longer."""
        return impulse * min(size / max(self._size(impulse), 1e-12), 1.0)

    def _size(self, impulse: Floats) -> float:
        """s: the time in which the reach of all thrusters gives an impulse, root of the sum of squares of the axes."""
        relative = self.allocator.per_reach * impulse
        return math.sqrt(relative.dot(relative))

    def _smallest(self) -> float:
        """1: smallest size of one thruster's full wrench."""
        array = self.allocator.array
        if self._smallest_of is not array:
            columns = self.allocator.per_reach[:, None] * array.effectiveness * array.f_max
            self._smallest_of, self._smallest_size = array, float(np.linalg.norm(columns, axis=0).min())
        return self._smallest_size


def check_short(name: str, value: float) -> None:
    """Refuse a time, s, that is not of 0 to 0.4 s.

    Raises:
        ConfigurationError: naming it.
    """
    if not 0.0 <= value <= 0.4:
        raise ConfigurationError(f"{name}: {value} s; allowed: 0 to 0.4 s")
