"""The ledger of valve edges: what the valves were commanded to do, for any moment of the past and the near future."""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats

_MEMORY = 60.0
"""s, for which edges of the past are kept."""

_Switch = tuple[float, int, bool]
"""An edge that changes the state of a valve: time in s, valve, whether it opens."""


@dataclass(frozen=True, eq=False)
class ValveCommand:
    """Edges of one window, each (n,) s after `start`, NaN for none; they replace every edge that has not happened yet.

    Close after open: a pulse. Close before open: a pause. start: s on the caller's clock; window: s.
    """

    start: float
    window: float
    open_time: Floats
    close_time: Floats


class ValveLedger:
    """Commanded edges of n valves, closed at first: those up to `time`, and those to come.

    It runs ahead of the clock, as commands are sent before their edges. `Reader`s follow measurements of the past.

    Attributes:
        time: s, up to which the edges have happened; -inf before the first `advance`.
        is_open: (n,) at `time`.
        since: (n,) s, time of the last edge, -inf before the first.
        firings: (n,) openings so far.
        on_time: (n,) s open so far.
        forgotten: s, up to which single edges are no longer known.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self.reset()

    def reset(self) -> None:
        """Close all valves at an unknown time, which may be earlier than before."""
        n = self._n
        self.firings = np.zeros(n, dtype=np.int64)
        self.on_time = np.zeros(n)
        self.time = -math.inf
        self.is_open = np.zeros(n, dtype=bool)
        self.since = np.full(n, -math.inf)
        self._last_burn = np.zeros(n)
        self._to_come = np.full((2, n), math.nan)  # s, next opening and closing of each valve; NaN: none
        self._past: deque[_Switch] = deque()
        self.forgotten = -math.inf
        # s, of all valves: most questions are answered by these two.
        self._next_edge, self._last_edge = math.inf, -math.inf

    def take(self, command: ValveCommand) -> None:
        """Replace the edges from a command's start on by its own."""
        self.advance(command.start)
        self._to_come[:] = command.open_time, command.close_time
        self._to_come += command.start
        # A start moved off an edge may lie microseconds before `time`, which never falls: no edge to come is behind it.
        np.maximum(self._to_come, self.time, out=self._to_come)
        self._next_edge = self._first_to_come()

    def advance(self, time: float) -> None:
        """Let the edges up to `time` happen; an earlier time than `self.time` changes nothing."""
        if time <= self.time:
            return
        begin = max(self.time, -1e300)
        on = self.is_open * (time - begin)
        if time >= self._next_edge:
            switches = self._switches(time)
            for valve in {valve for _, valve, _ in switches}:
                on[valve] = self._follow(valve, [one for one in switches if one[1] == valve], begin, time)
            self._past.extend(sorted(switches))
            while self._past and self._past[0][0] < time - _MEMORY:
                self.forgotten, _, _ = self._past.popleft()
            self._to_come[self._to_come <= time] = math.nan
            self._next_edge, self._last_edge = self._first_to_come(), float(self.since.max())
        self.on_time += on
        self.time = time

    def _follow(self, valve: int, switches: Iterable[_Switch], begin: float, end: float) -> float:
        """Switch a valve; s that it was open from `begin` to `end`."""
        on, opened = 0.0, begin
        for at, _, opens in switches:
            if opens:
                opened = at
                self.firings[valve] += 1
            else:
                on += at - opened
                self._last_burn[valve] = at - self.since[valve]
            self.is_open[valve], self.since[valve] = opens, at
        return on + (end - opened if self.is_open[valve] else 0.0)

    def _switches(self, until: float) -> list[_Switch]:
        """Switches to come up to a time, in order for each valve."""
        found = []
        for valve in np.flatnonzero((self._to_come <= until).any(axis=0)).tolist():
            is_open = bool(self.is_open[valve])
            opening, closing = self._to_come[:, valve].tolist()
            # Of two edges at the same time the closing one comes last.
            edges = ((closing, False), (opening, True)) if closing < opening else ((opening, True), (closing, False))
            for at, opens in edges:
                if at <= until and opens != is_open:
                    is_open = opens
                    found.append((at, valve, opens))
        return found

    def _first_to_come(self) -> float:
        return float(np.fmin.reduce(self._to_come, axis=None, initial=math.inf))

    @property
    def has_edges(self) -> bool:
        """True while edges are to come."""
        return self._next_edge < math.inf

    def open_time(self, begin: float, end: float) -> Floats:
        """(n,) s that each valve was open between two moments of the last minute, or to come if the last command
        stands; exactly 0 if it was closed."""
        past = list(takewhile(lambda switch: switch[0] > begin, reversed(self._past)))
        is_open = self.is_open.copy()
        for _, valve, opens in past:
            is_open[valve] = not opens
        on: Floats = is_open * (end - begin)
        for at, valve, opens in [*reversed(past), *self._switches(end)]:
            if at <= end:
                on[valve] += end - max(at, begin) if opens else max(at, begin) - end
        return on

    def around(self, time: float, memory: float) -> tuple[npt.NDArray[np.bool_], Floats, list[_Switch]]:
        """State (n,) at a moment of the last minute, s of each valve's last edge up to it (-inf if that is longer ago
        than `memory`, s), and the edges after it, in order for each valve."""
        is_open, since, ahead = self.is_open.copy(), np.full(self._n, -math.inf), []
        for switch in reversed(self._past):
            at, valve, opens = switch
            if at > time:
                is_open[valve] = not opens
                ahead.append(switch)
            elif at < time - memory:
                break
            else:
                since[valve] = max(since[valve], at)
        to_come = self._switches(math.inf)
        for at, valve, opens in to_come:
            if at <= time:
                is_open[valve], since[valve] = opens, at
        return is_open, since, [*reversed(ahead), *(switch for switch in to_come if switch[0] > time)]

    def lapse(self, time: float) -> None:
        """All valves close at `time`, or now if that is past, and no edge is to come: the hardware's watchdog."""
        none = np.full(self._n, math.nan)
        self.take(ValveCommand(max(time, self.time), 0.0, none, np.zeros(self._n)))

    def on_time_at(self, time: float) -> Floats:
        """(n,) s open in total up to a moment."""
        if time < self.time:
            return self.on_time - self.open_time(time, self.time)
        return self.on_time + self.open_time(max(self.time, -1e300), time)


class Reader:
    """Reads a ledger from one moment to the next.

    Attributes:
        time: s, of the last reading; -inf: there was none.
    """

    def __init__(self, ledger: ValveLedger) -> None:
        self._ledger = ledger
        self.time = -math.inf
        self._total = ledger.on_time

    def advance(self, time: float) -> Floats:
        """(n,) s that each valve was commanded open since the last reading; 0 for the first.

        Raises:
            ValueError: time goes backwards.
        """
        if not time >= self.time:
            raise ValueError(f"time: {time} s; allowed: at least {self.time} s")
        begin, self.time = self.time, time
        before, self._total = self._total, self._ledger.on_time_at(time)
        if begin == -math.inf:
            return np.zeros(len(before))
        return self._ledger.open_time(begin, time) if begin > self._ledger.forgotten else self._total - before
