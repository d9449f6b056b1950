"""Pulses placed in a window so that the valves open at one time never draw more than the power limit."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats

_SLACK = 1e-9


@dataclass(frozen=True, eq=False)
class Placement:
    """Edges as in `ValveCommand`, and `on`: (n,) s that each valve is open in the window; less than asked where cut."""

    open_time: Floats
    close_time: Floats
    on: Floats


def place(
    on: Floats,
    *,
    window: float,
    is_open: npt.NDArray[np.bool_],
    rest: Floats,
    hold: Floats,
    min_on: float,
    power: Floats,
    limit: npt.ArrayLike,
    gap: float,
    bus: npt.NDArray[np.intp] | None = None,
) -> Placement:
    """Place one pulse per valve, on each power bus by itself; see `_place` for the other arguments.

    Args:
        limit: W of each bus at any instant, (k,), or one number.
        bus: (n,) index of each valve's bus; None: all draw from one.
    """
    limits = np.atleast_1d(np.asarray(limit, dtype=float))
    if bus is None or len(limits) == 1:
        return _place(
            on,
            window=window,
            is_open=is_open,
            rest=rest,
            hold=hold,
            min_on=min_on,
            power=power,
            limit=float(limits[0]),
            gap=gap,
        )
    placed = Placement(np.full(len(on), np.nan), np.full(len(on), np.nan), np.zeros(len(on)))
    for index, most in enumerate(limits.tolist()):
        own = bus == index
        part = _place(
            on[own],
            window=window,
            is_open=is_open[own],
            rest=rest[own],
            hold=hold[own],
            min_on=min_on,
            power=power[own],
            limit=most,
            gap=gap,
        )
        placed.open_time[own], placed.close_time[own], placed.on[own] = part.open_time, part.close_time, part.on
    return placed


def _place(
    on: Floats,
    *,
    window: float,
    is_open: npt.NDArray[np.bool_],
    rest: Floats,
    hold: Floats,
    min_on: float,
    power: Floats,
    limit: float,
    gap: float,
) -> Placement:
    """Place one pulse per valve of one power bus.

    Valves already open go on from the start. The others start together where the power allows it, else the longest
    first, each as early as it fits. A pulse that fits only at the end of the window is left open there, to be ended by
    the next window; one that does not fit at all is left out.

    Args:
        on: (n,) s wanted open; at least hold for an open valve, 0 or at least min_on for a closed one. `window` or more
            (`window` - rest for a closed valve): stays open at the end.
        rest: (n,) s before a closed valve may open.
        hold: (n,) s that an open valve must stay open.
        power, limit: (n,) W of each open valve, and W at any instant.
        gap: s between a close and an open that may follow it only because of the power limit.
    """
    n = len(on)
    placed = _Placed(n, window, power, limit)
    opened = np.flatnonzero(is_open).tolist()
    for j in sorted(opened, key=lambda i: (-hold[i], -on[i])):
        length = float(on[j])
        if length > 0.0 and not placed.fits(j, 0.0, min(length, window)):
            length = float(hold[j])
        placed.go_on(j, length)
    closed = [j for j in np.flatnonzero(~is_open).tolist() if on[j] > 0.0]
    if placed.usage_at_start() + float(power[closed].sum()) <= limit + _SLACK * limit:
        for j in closed:
            placed.pulse(j, float(rest[j]), float(on[j]))
        return placed.result()
    for j in sorted(closed, key=lambda i: -on[i]):
        starts = placed.starts(float(rest[j]), gap)
        length = float(on[j])
        whole = (a for a in starts if a + length <= window + _SLACK and placed.fits(j, a, min(a + length, window)))
        start = next(whole, None)
        if start is None:
            tails = (a for a in starts if window - a >= min_on and placed.fits(j, a, window))
            start = next(tails, None)
        if start is not None:
            placed.pulse(j, start, length)
    return placed.result()


class _Placed:
    def __init__(self, n: int, window: float, power: Floats, limit: float) -> None:
        self._window = window
        self._power = power
        self._limit = limit * (1.0 + _SLACK)
        self._spans: list[tuple[float, float, float]] = []
        self._open = np.full(n, np.nan)
        self._close = np.full(n, np.nan)
        self._on = np.zeros(n)

    def fits(self, j: int, begin: float, end: float) -> bool:
        room = self._limit - float(self._power[j])
        over = [span for span in self._spans if span[0] < end and span[1] > begin]
        instants = [begin, *(span[0] for span in over if span[0] > begin)]
        return all(sum(s[2] for s in over if s[0] <= t < s[1]) <= room for t in instants)

    def starts(self, earliest: float, gap: float) -> list[float]:
        ends = sorted({span[1] + gap for span in self._spans})
        return [earliest, *(end for end in ends if earliest < end < self._window)]

    def usage_at_start(self) -> float:
        return sum(span[2] for span in self._spans)

    def go_on(self, j: int, length: float) -> None:
        if length < self._window - _SLACK:
            self._close[j] = length
        self._add(j, 0.0, length)

    def pulse(self, j: int, begin: float, length: float) -> None:
        self._open[j] = begin
        if begin + length < self._window - _SLACK:
            self._close[j] = begin + length
        self._add(j, begin, begin + length)

    def _add(self, j: int, begin: float, end: float) -> None:
        end = min(end, self._window)
        self._on[j] = end - begin
        if end > begin:
            self._spans.append((begin, end, float(self._power[j])))

    def result(self) -> Placement:
        # Whole microseconds: what receives the edges rounds to them, and its books and ours must agree.
        return Placement(np.round(self._open, 6), np.round(self._close, 6), self._on)
