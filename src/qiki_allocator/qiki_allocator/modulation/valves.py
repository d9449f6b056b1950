"""Valves as they are commanded: what they may do, what they were told, and when they were open."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.errors import ConfigurationError

ROUNDING = 2e-5
"""s added to every shortest time, so that edges rounded on their way, and starts moved off edges, keep it."""

_CLEARANCE = 5e-6  # s


@dataclass(frozen=True)
class ValveTiming:
    """What a valve may do; all in s.

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


@dataclass(frozen=True, eq=False)
class ValveCommand:
    """Edges of one window, each (n,) s after `start`, NaN for none; they replace every edge that has not happened yet.

    Close after open: a pulse. Close before open: a pause. start: s on the caller's clock; window: s.
    """

    start: float
    window: float
    open_time: Floats
    close_time: Floats


class ValveBank:
    """n commanded valves on the caller's clock: their state and their edges to come.

    Attributes:
        time: s, up to which the edges have happened.
        is_open: (n,) at `time`.
        since: (n,) s, time of the last edge, -inf before the first.
        firings: (n,) openings so far.
        on_time: (n,) s open so far.
    """

    def __init__(self, n: int, timing: ValveTiming) -> None:
        self.timing = timing
        self.time = -math.inf
        self.is_open = np.zeros(n, dtype=bool)
        self.firings = np.zeros(n, dtype=np.int64)
        self.on_time = np.zeros(n)
        self._last_burn = np.zeros(n)
        self.since = np.full(n, -math.inf)
        self._to_come = np.full((2, n), math.nan)  # s, next opening and closing of each valve; NaN: none
        # s, of all valves: most questions are answered by these two.
        self._next_edge, self._last_edge = math.inf, -math.inf

    def advance(self, time: float) -> None:
        """Let the edges up to `time` happen; an earlier time than `self.time` changes nothing."""
        if time <= self.time:
            return
        begin = max(self.time, -1e300)
        if time < self._next_edge:
            self.on_time += self.is_open * (time - begin)
            self.time = time
            return
        happens = self._to_come <= time
        opens, closes = np.where(happens, self._to_come, math.inf)
        was = self.is_open
        # Open at first: open until the close, and again from the open that follows it. Closed at first: one pulse.
        reopens = was & (opens >= closes) & np.isfinite(opens)
        until = np.minimum(closes, time)
        on = np.where(was, until - begin, 0.0)
        on += np.where(reopens, time - np.minimum(opens, time), 0.0)
        pulse = ~was & np.isfinite(opens)
        on += np.where(pulse, until - np.minimum(opens, time), 0.0)
        closed = (was | pulse) & np.isfinite(closes)
        opened_at = np.where(closed, np.where(was, self.since, opens), 0.0)
        self._last_burn = np.where(closed, np.where(closed, closes, 0.0) - opened_at, self._last_burn)
        self.firings += pulse | reopens
        self.is_open = (was & ~closed) | reopens | (pulse & ~closed)
        self.since = np.where(reopens | (pulse & ~closed), opens, np.where(closed, closes, self.since))
        self._to_come[happens] = math.nan
        self._next_edge, self._last_edge = self._first_to_come(), float(self.since.max())
        self.on_time += on
        self.time = time

    def take(self, command: ValveCommand) -> None:
        """Replace the edges to come by a command's; `advance` to its start first."""
        self._to_come[:] = command.open_time, command.close_time
        self._to_come += command.start
        self._next_edge = self._first_to_come()

    def _first_to_come(self) -> float:
        return float(np.fmin.reduce(self._to_come, axis=None, initial=math.inf))

    def remaining(self, start: float, window: float) -> ValveCommand:
        """The command from `start` on that repeats the edges to come."""
        opens, closes = self._to_come - start
        return ValveCommand(start, window, opens, closes)

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
        """Whether a valve is open or will open."""
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

    def close_all(self, start: float, window: float) -> ValveCommand:
        """The command from `start`, near `time`, that closes every valve as soon as its shortest pulse allows."""
        return ValveCommand(
            start, window, np.full(len(self.since), np.nan), np.where(self.is_open, np.round(self.hold(), 6), np.nan)
        )
