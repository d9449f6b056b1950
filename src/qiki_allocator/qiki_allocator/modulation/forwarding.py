"""Valve edges planned elsewhere, cut down to what a bot's own valves, health and power allow."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.checks import RefusalError
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_allocator.modulation.valves import ROUNDING, ValveBank, ValveTiming

LATE = 0.5
"""s, by which a command may be older or further ahead than now."""

_SHORTEST = 0.01
"""s, shortest window of a command."""

_TIMING = 2e-4
"""s, by which edges may miss the valves' shortest times: two clocks, and float32 on the way."""


class _Edge(NamedTuple):
    at: float
    opens: bool
    valve: int


def check_edges(now: float, command: ValveCommand, n: int) -> None:
    """Refuse a command that cannot be one for n valves at `now`, s.

    Raises:
        RefusalError: naming field, value and allowed range.
    """
    if not abs(command.start - now) <= LATE:
        raise RefusalError(f"stamp: {command.start - now:.3f} s from now; allowed: at most {LATE:g} s")
    for name, edges in (("open_time", command.open_time), ("close_time", command.close_time)):
        if edges.shape != (n,):
            raise RefusalError(f"{name}: {edges.size} values; allowed: {n}")
        bad = ~(np.isnan(edges) | ((edges >= 0.0) & (edges <= 2.0 * LATE)))
        if bad.any():
            worst = int(np.argmax(bad))
            raise RefusalError(f"{name}[{worst}]: {edges[worst]} s; allowed: 0 to {2.0 * LATE:g} s, or NaN")


def guarded(
    command: ValveCommand, bank: ValveBank, *, shut: npt.NDArray[np.bool_], power: Floats, limit: float
) -> ValveCommand:
    """The command from the bank's time on that does what `command` wants, as far as it may be done; `shut` valves stay
    or get closed, no pulse or pause is shorter and no burn longer than the valves allow, and the valves open at one
    time never draw more than the limit: the later opening is left out. The bank is moved to the command's start.

    Args:
        shut: (n,). power, limit: (n,) W of each open valve, and W.
    """
    bank.advance(command.start)
    late = bank.time - command.start
    start, n = bank.time, len(shut)
    hold, rest, burn = bank.hold(), bank.rest(), bank.burn_left()
    edges: list[_Edge] = []
    for valve in range(n):
        wanted = [] if shut[valve] else _edges_of(command, valve, late)
        is_open = bool(bank.is_open[valve])
        earliest = float(hold[valve] if is_open else rest[valve])
        own = _timed(wanted, is_open, earliest, float(burn[valve]), bank.timing)
        if is_open and shut[valve]:
            own = [(earliest, False)]
        edges += [_Edge(at, opens, valve) for at, opens in own]
    placed = _powered(edges, bank.is_open, hold, power, limit * (1.0 + 1e-9))
    return ValveCommand(start, max(float(np.nanmax(placed, initial=0.0)), _SHORTEST), placed[0], placed[1])


def _edges_of(command: ValveCommand, valve: int, late: float) -> list[tuple[float, bool]]:
    """s after the bank's time, of a valve in order; of those that are past the last one alone, as of now."""
    opening, closing = float(command.open_time[valve]), float(command.close_time[valve])
    both = [(opening - late, True), (closing - late, False)]
    if closing < opening:
        both.reverse()
    known = [edge for edge in both if not math.isnan(edge[0])]
    past = [edge for edge in known if edge[0] <= 0.0]
    return [(0.0, opens) for _, opens in past[-1:]] + [edge for edge in known if edge[0] > 0.0]


def _timed(
    wanted: list[tuple[float, bool]], is_open: bool, earliest: float, burn: float, timing: ValveTiming
) -> list[tuple[float, bool]]:
    """The edges of one valve that its timing allows."""
    kept: list[tuple[float, bool]] = []
    latest = burn if is_open else math.inf
    state = is_open
    for at, opens in wanted:
        if opens == state:
            continue
        if opens and at < earliest - ROUNDING - _TIMING:
            continue
        when = max(at, earliest - ROUNDING) if not opens else at
        kept.append((max(when, 0.0), opens))
        state = opens
        earliest = when + (timing.min_on if opens else timing.min_off)
        latest = when + timing.max_burn if opens else math.inf
    if state and latest <= 2.0 * LATE and len(kept) < 2:
        # Nothing ends the burn, and the next command may be lost: it ends before it gets too long.
        kept.append((max(latest - ROUNDING, 0.0), False))
    return kept


def _powered(edges: list[_Edge], is_open: npt.NDArray[np.bool_], hold: Floats, power: Floats, limit: float) -> Floats:
    """(2, n) s of the openings and closings that the power limit allows."""
    n = len(is_open)
    times = np.full((2, n), math.nan)
    drawn = 0.0
    for valve in np.flatnonzero(is_open).tolist():
        if drawn + power[valve] > limit:  # the limit fell: what is too much closes as soon as it may
            edges = [edge for edge in edges if edge.valve != valve]
            edges.append(_Edge(float(hold[valve]), False, valve))
        drawn += float(power[valve])
    state = is_open.copy()
    for at, opens, valve in sorted(edges, key=lambda edge: (edge.at, edge.opens)):
        if opens == state[valve]:
            continue
        if opens and drawn + power[valve] > limit:
            continue
        drawn += float(power[valve]) if opens else -float(power[valve])
        state[valve] = opens
        times[0 if opens else 1, valve] = round(at, 6)
    return times
