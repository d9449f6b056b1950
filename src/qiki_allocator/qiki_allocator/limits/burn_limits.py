"""Burn time left of each valve: longest continuous burn, and cooldown after it.

A burn uses up the burn time of its thruster, a pause restores it at the rate max_burn / cooldown. So one continuous
burn lasts max_burn at most, a pause of `cooldown` restores all of it, and no string of pulses with short pauses heats a
thruster more than burns of max_burn with cooldown between them would: both burn for max_burn / (max_burn + cooldown) of
the time. A burn that ends with less left than the shortest pulse was a full one: its thruster stays closed for the
whole cooldown.

Time is counted in whole microseconds, so that the end of one window and the start of the next meet exactly.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qiki_allocator.checks import require

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class BurnConfig:
    """The timing of the valves.

    Attributes:
        max_burn: s, longest continuous burn, > 0.
        cooldown: s, shortest pause after a full burn, >= 0.
        min_on: s, shortest pulse, 0 to max_burn.

    Raises:
        ConfigurationError: naming field, value and allowed range.
    """

    max_burn: float
    cooldown: float
    min_on: float

    def __post_init__(self) -> None:
        require("max_burn", self.max_burn, "s", 1e-6)
        require("cooldown", self.cooldown, "s", 0.0)
        require("min_on", self.min_on, "s", 0.0, self.max_burn)


@dataclass(frozen=True, eq=False)
class BurnLimits:
    """Bounds by burn time, for a window.

    Attributes:
        remaining: (n,) s, longest total time each valve may be open from the start of the window on; 0 while cooling.
        factor: (n,) 0 to 1, `remaining` as share of the window, at most 1: bound on the mean thrust over the window.
        names: n names, `burn time:<i>` where the factor is below 1, else empty.
    """

    remaining: Floats
    factor: Floats
    names: tuple[str, ...]


class _Valve(NamedTuple):
    open: bool
    left: int
    """us of burn time."""
    cooling: int
    """us until the cooldown is over; counts down while closed."""


class BurnGuard:
    """Burn time of n valves, tracked from the edges commanded.

    A command keeps every rule if, from its stamp to the stamp of the next, it opens no valve for longer in total than
    `limits` gave for its stamp, and opens none again that it closes with less than `min_on` of that left.

    The clock may jump back. A command stamped earlier than the last one counts from its own stamp on, and a query
    earlier than the last stamp by more than the cooldown shows that the clock was set back: what was commanded then
    counts as done, and the time in between as none. A valve that was open stays open until a command closes it.
    """

    def __init__(self, count: int, config: BurnConfig) -> None:
        self._full = _us(config.max_burn)
        self._cooldown = _us(config.cooldown)
        self._min_on = _us(config.min_on)
        self._now: int | None = None
        self._rested = _Valve(False, self._full, 0)
        self._valves = [self._rested] * count
        # Edges of the last command, none before `_now`, in order for each valve: time in us, opens.
        self._edges: list[list[tuple[int, bool]]] = [[] for _ in range(count)]

    def limits(self, start: float, window: float) -> BurnLimits:
        """Bounds for a window of `window` s that starts at `start` s, if the last command stands until then.

        Raises:
            ValueError: start is not finite, or window not finite or not above 0.
        """
        if not (math.isfinite(start) and math.isfinite(window) and window > 0.0):
            raise ValueError(f"start, window: {start} s, {window} s; allowed: finite, window above 0")
        at = _us(start)
        if self._now is not None and at < self._now - self._cooldown:
            self._set_back(at)
        left = [self._at(i, at).left / 1e6 for i in range(len(self._valves))]
        remaining = np.array(left)
        if min(left, default=window) >= window:
            return BurnLimits(remaining, np.ones(len(left)), ("",) * len(left))
        names = tuple(f"burn time:{i}" if seconds < window else "" for i, seconds in enumerate(left))
        return BurnLimits(remaining, np.minimum(remaining / window, 1.0), names)

    def command(self, stamp: float, open_time: npt.ArrayLike, close_time: npt.ArrayLike) -> None:
        """Take the edges commanded: s after `stamp`, (n,) each, NaN for none. They replace all from `stamp` on.

        A valve without an edge keeps its state. Both edges at the same time: it ends closed.

        Raises:
            ValueError: stamp is not finite, or an edge is infinite, before the stamp or of another number of valves.
        """
        opens, closes = (np.asarray(edges, dtype=float) for edges in (open_time, close_time))
        for name, offsets in (("open_time", opens), ("close_time", closes)):
            allowed = np.isnan(offsets) | ((offsets >= 0.0) & (offsets < np.inf))
            if offsets.shape != (len(self._valves),) or not allowed.all():
                raise ValueError(f"{name}: {offsets.tolist()} s; allowed: {len(self._valves)} of at least 0, or NaN")
        if not math.isfinite(stamp):
            raise ValueError(f"stamp: {stamp} s; allowed: finite")
        at = _us(stamp)
        self._valves = [self._at(i, at) for i in range(len(self._valves))]
        self._now = at
        for i, (opening, closing) in enumerate(zip(opens.tolist(), closes.tolist(), strict=True)):
            edges = []
            if not math.isnan(opening):
                edges.append((at + _us(opening), True))
            if not math.isnan(closing):
                # Of two edges at the same time the closing one comes last.
                edges.insert(0 if closing < opening else len(edges), (at + _us(closing), False))
            self._edges[i] = edges

    def _at(self, index: int, until: int) -> _Valve:
        """State at `until`, before the edges of that instant: a command stamped then would replace them."""
        valve = self._valves[index]
        if self._now is None:
            return valve
        now = self._now
        edges = self._edges[index]
        if valve == self._rested and (not edges or edges[0][0] >= until):
            return valve
        for time, opens in edges:
            if time >= until:
                break
            valve = self._switch(self._pass(valve, time - now), opens)
            now = time
        return self._pass(valve, max(until - now, 0))

    def _pass(self, valve: _Valve, duration: int) -> _Valve:
        if valve.open:
            return _Valve(True, max(valve.left - duration, 0), valve.cooling)
        if valve.cooling > duration:
            return _Valve(False, valve.left, valve.cooling - duration)
        if valve.cooling > 0 or self._cooldown == 0:
            return _Valve(False, self._full, 0)
        return _Valve(False, min(valve.left + duration * self._full // self._cooldown, self._full), 0)

    def _switch(self, valve: _Valve, opens: bool) -> _Valve:
        if opens or not valve.open:
            return _Valve(opens, valve.left, valve.cooling)
        if valve.left < self._min_on or valve.left == 0:
            return _Valve(False, 0, self._cooldown)
        return _Valve(False, valve.left, 0)

    def _set_back(self, at: int) -> None:
        after_all = [edges[-1][0] + 1 if edges else 0 for edges in self._edges]
        self._valves = [self._at(i, until) for i, until in enumerate(after_all)]
        self._edges = [[] for _ in self._edges]
        self._now = at


def _us(seconds: float) -> int:
    return round(seconds * 1e6)
