"""When the valves were commanded open, asked for afterwards."""

import math
from bisect import bisect_left
from operator import itemgetter

import numpy as np

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.modulation.valves import ValveCommand

_time_of = itemgetter(0)


_MEMORY = 60.0
"""s, after which edges that nobody asked for are summed up: the log does not grow while telemetry is lost."""


class ValveLog:
    """The commanded edges of n valves, kept until the time they happen has been asked for.

    Unlike a `ValveBank`, which runs ahead of the clock to plan, it lags behind it: measurements tell of the past, while
    commands are already out for the future.
    """

    def __init__(self, n: int) -> None:
        self._open = np.zeros(n)
        self._edges: list[tuple[float, int, float]] = []  # time s, valve, 1 opens or 0 closes; sorted
        self._summed = np.zeros(n)  # s open before `time`, not asked for yet
        self.time = -math.inf

    def take(self, command: ValveCommand) -> None:
        """A command was sent: it replaces every edge at or after its start."""
        del self._edges[bisect_left(self._edges, command.start, key=_time_of) :]
        if self._edges and self._edges[0][0] < command.start - _MEMORY:
            self._pass(command.start - _MEMORY)
        self._edges += sorted(
            (
                (command.start + offset, valve, state)
                for state, offsets in ((1.0, command.open_time), (0.0, command.close_time))
                for valve, offset in enumerate(offsets.tolist())
                if not math.isnan(offset)
            ),
            key=_time_of,
        )

    def advance(self, time: float) -> Floats:
        """(n,) s that each valve was commanded open since the last call, the first time since -inf: 0.

        Raises:
            ValueError: time goes backwards.
        """
        if not time >= self.time:
            raise ValueError(f"time: {time} s; allowed: at least {self.time} s")
        self._pass(time)
        self.time = time
        on, self._summed = self._summed, np.zeros(len(self._open))
        return on

    def _pass(self, time: float) -> None:
        """Let the edges up to `time` happen; before the first `advance` only the state of the valves counts."""
        counts = self.time > -math.inf
        if counts:
            self._summed += self._open * (time - self.time)
        done = 0
        for at, valve, state in self._edges:
            if at > time:
                break
            if counts:
                self._summed[valve] += (state - self._open[valve]) * (time - max(at, self.time))
            self._open[valve] = state
            done += 1
        del self._edges[:done]
        if counts:
            self.time = time

    def close_all(self) -> None:
        """The hardware closed every valve (watchdog, trip, restart): no edge is left, none is open."""
        self._edges.clear()
        self._open[:] = 0.0
