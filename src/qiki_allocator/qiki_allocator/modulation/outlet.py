"""Commands for the valves, each of which holds all edges that still matter: the next replaces one that is not read."""

import math

import numpy as np
import numpy.typing as npt

from qiki_allocator.modulation.ledger import ValveCommand, ValveLedger

_REPEATED = 0.6
"""s, for which a past edge is repeated while the valves do not acknowledge it: longer than the hardware's watchdog."""

_KEEP_ALIVE = 0.2
"""s, after which a command is sent though no edge is new: without one the hardware closes its valves."""

_ANSWER = 0.1
"""s that the valves may take to read a command and report what it did."""

_MICROSECOND = 1e-6

_SHORTEST = 0.01
"""s, shortest window of a command."""

_EDGE = 1e-3
"""s around an edge in which a report says nothing about it."""


class Outlet:
    """Turns the edges of a ledger into commands.

    The topic keeps the newest command only, and valves may read it late. So a command holds, for each valve, the next
    two edges; where there are fewer, the state that the valve should have now too, as an edge at the command's start,
    until a report of the valves acknowledges it, and as long as one contradicts it. A command that has no room for all
    edges begins later, after those that valves have read before, or is completed by the next.

    Attributes:
        sent_at: s, of the last one.
        is_incomplete: the last one left out something that still matters.
    """

    def __init__(self, ledger: ValveLedger) -> None:
        self._ledger = ledger
        self.reset()

    def reset(self) -> None:
        """The clock was set back, with all valves closed."""
        self.sent_at = self._planned_at = -math.inf
        self.is_incomplete = False
        self._acknowledged = np.full(len(self._ledger.is_open), -math.inf)
        self._missed = np.zeros(len(self._ledger.is_open), dtype=bool)

    def is_stale(self, now: float) -> bool:
        """True if the hardware needs a command to keep its valves open."""
        return now - self.sent_at >= _KEEP_ALIVE

    def plan(self, now: float) -> ValveCommand:
        """The command to send at `now`, s, with new edges in the ledger."""
        command = self.command(now)
        self._planned_at = now
        return command

    def command(self, now: float) -> ValveCommand:
        """The command to send at `now`, s."""
        now = round(now, 6)
        # An edge in the microsecond of now has happened: with the state before it as an edge too, it would be undone.
        is_open, since, ahead = self._ledger.around(now + 0.5 * _MICROSECOND, _REPEATED)
        edges: list[list[tuple[float, bool]]] = [[] for _ in range(len(is_open))]
        for at, valve, opens in ahead:
            edges[valve].append((at, opens))
        # Edges of the plan before this one, and those before it, have been read by now.
        crowded = [own[-3][0] for own in edges if len(own) > 2]
        waits = bool(crowded) and now - self._planned_at < _ANSWER
        start = now if waits or not crowded else round(max(crowded) + _MICROSECOND, 6)
        times = np.full((2, len(edges)), math.nan)  # opening and closing of each valve
        for valve, own in enumerate(edges):
            for at, opens in [edge for edge in own if edge[0] >= start][:2]:
                times[0 if opens else 1, valve] = max(round(at - start, 6), 0.0)
            is_uncertain = since[valve] > self._acknowledged[valve] or self._missed[valve]
            if start == now and len(own) < 2 and is_uncertain:
                times[0 if is_open[valve] else 1, valve] = 0.0
        self.is_incomplete = waits
        self.sent_at = now
        return ValveCommand(start, max(float(np.nanmax(times, initial=0.0)), _SHORTEST), times[0], times[1])

    def report(self, stamp: float, is_open: npt.ArrayLike, healthy: npt.NDArray[np.bool_]) -> bool:
        """Take the valves' positions at `stamp`, s, (n,); whether the last command must be sent again.

        Args:
            healthy: (n,) the valves that do what they are commanded.
        """
        actual = np.asarray(is_open, dtype=bool)
        if actual.shape != self._acknowledged.shape:
            return False
        wanted, since, edges = self._ledger.around(stamp, _REPEATED)
        settled = stamp - since > _EDGE
        for at, valve, _ in edges:
            settled[valve] = settled[valve] and at - stamp > _EDGE
        self._acknowledged = np.where(settled & (actual == wanted), stamp, self._acknowledged)
        self._missed = settled & healthy & (actual != wanted) & (stamp - since > _ANSWER)
        return bool(self._missed.any()) and stamp - self.sent_at > _ANSWER
