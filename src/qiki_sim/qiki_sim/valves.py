"""Valve commands and the driver that turns them into valve edges.

Time is counted in whole microseconds, so that edges commanded for the same instant by different commands
(float32 offsets on nanosecond stamps) meet exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_WINDOW = 10.0  # s
LARGEST_LEAD = 10.0  # s, how far in the future a stamp may lie
NEVER = 2**62  # us
OVERDUE_US = 1_000_000
"""us, overdue by more an edge is late though it changes nothing."""

_time_of = itemgetter(0)


class CommandError(ValueError):
    """A valve command is refused; the text names field, value and allowed range. Nothing has changed."""


@dataclass(frozen=True)
class ValveCommand:
    """Valve edges of one control window.

    stamp: s of simulated time, start of the window. window: s.
    open_time, close_time: (n,) s after the stamp, NaN where the valve has no such edge in the window.
    """

    stamp: float
    window: float
    open_time: NDArray[np.floating[Any]]
    close_time: NDArray[np.floating[Any]]


def _offsets(name: str, values: NDArray[np.floating[Any]], count: int, window: float) -> list[float]:
    array = np.asarray(values, dtype=float)
    if array.shape != (count,):
        raise CommandError(f"{name}: {array.shape} values; allowed: ({count},), one per thruster")
    # Float32 offsets may exceed a float64 window by their rounding.
    wrong = ~(np.isnan(array) | ((array >= 0.0) & (array <= window * (1.0 + 1e-6))))
    if wrong.any():
        index = int(wrong.argmax())
        raise CommandError(f"{name}[{index}] = {array[index]}; allowed: 0 to window ({window:g} s), or NaN")
    return array.tolist()  # type: ignore[no-any-return]


class ValveDriver:
    """Queue of commanded edges, commanded state of each valve, and the watchdog. It knows nothing of power or heat."""

    def __init__(self, count: int, watchdog: float) -> None:
        """`watchdog` in s."""
        self.count = count
        self.commanded = [False] * count
        self._switched_us = [-NEVER] * count
        self.late_edges = 0
        self.commands = 0
        self.watchdog = False
        self._watchdog_us = round(watchdog * 1e6)
        self._deadline_us = NEVER
        self._edges: list[tuple[int, int, bool]] = []  # time, valve, opens; sorted by time, then as commanded

    def command(self, now_us: int, command: ValveCommand) -> None:
        """Take a command; edges of earlier commands at or after its stamp are replaced, overdue edges happen now.

        Raises:
            CommandError: the command is refused.
        """
        if not (math.isfinite(command.window) and 0.0 < command.window <= LARGEST_WINDOW):
            raise CommandError(f"window = {command.window}; allowed: more than 0 to {LARGEST_WINDOW:g} s")
        latest = now_us * 1e-6 + LARGEST_LEAD
        if not (math.isfinite(command.stamp) and 0.0 <= command.stamp <= latest):
            raise CommandError(
                f"stamp = {command.stamp}; allowed: 0 to {latest:.6f} s, {LARGEST_LEAD:g} s ahead of now"
            )
        opens = _offsets("open_time", command.open_time, self.count, command.window)
        closes = _offsets("close_time", command.close_time, self.count, command.window)

        stamp_us = round(command.stamp * 1e6)
        new: list[tuple[int, int, bool]] = []
        for valve in range(self.count):
            opening, closing = opens[valve], closes[valve]
            if not math.isnan(opening):
                new.append((stamp_us + round(opening * 1e6), valve, True))
            if not math.isnan(closing):
                new.append((stamp_us + round(closing * 1e6), valve, False))
                if closing < opening:
                    new[-1], new[-2] = new[-2], new[-1]
        kept = [edge for edge in self._edges if edge[0] < stamp_us or edge[0] <= now_us]
        self._edges = sorted(kept + self._in_time(now_us, new), key=_time_of)
        self.commands += 1
        self._deadline_us = now_us + self._watchdog_us
        self.watchdog = False

    def _in_time(self, now_us: int, edges: list[tuple[int, int, bool]]) -> list[tuple[int, int, bool]]:
        """The edges, overdue ones moved to now and counted, without those that were done before. One that repeats the
        state that its valve has is not late, but if the clocks of sender and valves must differ."""
        state, switched = self.commanded.copy(), self._switched_us.copy()
        for at, valve, opens in (edge for edge in self._edges if edge[0] <= now_us):
            if state[valve] != opens:
                state[valve], switched[valve] = opens, at
        found = []
        for at, valve, opens in edges:
            is_overdue = at < now_us - OVERDUE_US
            if at >= now_us or at > switched[valve] or is_overdue:
                found.append((max(at, now_us), valve, opens))
                self.late_edges += at < now_us and (state[valve] != opens or is_overdue)
                state[valve] = opens
        return found

    @property
    def next_us(self) -> int:
        """Time of the next edge or of the watchdog, in microseconds."""
        return min(self._edges[0][0], self._deadline_us) if self._edges else self._deadline_us

    def advance(self, now_us: int) -> None:
        """Apply the edges due at `now_us`, and the watchdog if it is due."""
        edges, due = self._edges, 0
        while due < len(edges) and edges[due][0] <= now_us:
            at, valve, state = edges[due]
            if self.commanded[valve] != state:
                self.commanded[valve], self._switched_us[valve] = state, at
            due += 1
        del edges[:due]
        if now_us >= self._deadline_us:
            self.watchdog = any(self.commanded) or bool(edges)
            for valve in range(self.count):
                if self.commanded[valve]:
                    self._switched_us[valve] = now_us
            self.commanded = [False] * self.count
            edges.clear()
            self._deadline_us = NEVER
