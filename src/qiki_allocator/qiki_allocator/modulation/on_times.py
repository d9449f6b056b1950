"""On-times of a window: an allocation rounded to what valves can do, and re-allocated."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.allocator import Allocator
from qiki_allocator.allocation.answers import Limits, within_largest
from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.modulation.valves import ROUNDING, ValveTiming


@dataclass(frozen=True, eq=False)
class WindowStart:
    """The valves at the start of a window; see `stagger.place` for is_open, hold, rest.

    Attributes:
        window: s.
        burn_left: (n,) s that each valve may burn yet.
        thrust: (n,) N of each open valve.
        limits: limits on the mean over the window.
    """

    window: float
    is_open: npt.NDArray[np.bool_]
    hold: Floats
    rest: Floats
    burn_left: Floats
    thrust: Floats
    limits: Limits


class OnTimes:
    """Chooses on-times for one window.

    A valve that is closed gets nothing or at least the shortest pulse; one that is open may go on for any time. Those
    rounded up or down are fixed, and the rest of the request is allocated again among the others.
    """

    def __init__(
        self, allocator: Allocator, rounding: Allocator, timing: ValveTiming, valves: WindowStart, carry: float
    ) -> None:
        """carry: s, size of a request that is not carried forward as a whole."""
        self._allocator, self._carry = allocator, carry
        self._rounding = rounding
        self._at = valves
        self._shortest = timing.min_on + ROUNDING
        self._pause = timing.min_off + ROUNDING
        window = valves.window
        most = np.maximum(window - valves.rest, 0.0)
        # A valve that could not go on through the next window's start is closed before this one's end.
        self._may_stay = valves.burn_left - window >= self._pause
        capped = np.minimum(most - self._pause, valves.burn_left - self._pause)
        self._capped = np.maximum(np.maximum(capped, 0.0), valves.hold)
        self._most = np.where(self._may_stay, most, self._capped)
        bounds = valves.limits.bounds
        allowed = allocator.array.f_max if bounds is None else np.asarray(bounds, dtype=float)
        full = np.maximum(valves.thrust, 1e-9)
        self._heat = np.where(valves.thrust > 0.0, allowed / full * window, 0.0)
        self._most = np.minimum(self._most, np.maximum(self._heat, valves.hold))
        self._most[(self._most < self._shortest) & ~valves.is_open] = 0.0

    def out_of_reach(self, request: Floats) -> Floats:
        """The part of an impulse, (6,), that even valves without a shortest pulse could not give in the window."""
        wanted = request / self._at.window
        target = within_largest(wanted)
        reach = np.minimum(self._at.thrust, self._heat / self._at.window * self._at.thrust)
        answer = self._allocator.solve(target, Limits(self._at.limits.power, reach))
        return (answer.residual + (wanted - target)) * self._at.window

    def choose(self, request: Floats, cut: Floats, *, lift: bool) -> Floats | None:
        """(n,) s for an impulse (6,), no longer than `cut` where a closed valve was cut; None if lifting cannot help.

        Args:
            lift: every valve used gets at least the shortest pulse, and opposite ones take away what is too much.
        """
        most = np.where(self._at.is_open, self._most, np.minimum(self._most, cut))
        return self._lifted(request, most) if lift else self._rounded(request, most)

    def _rounded(self, request: Floats, most: Floats) -> Floats:
        at = self._at
        on = self._share(request, at.hold, most)
        fires = at.is_open | (on >= 0.5 * self._shortest)
        if not (at.is_open | (on >= self._shortest)).any():
            # Nothing reaches a pulse: wait until the backlog is large enough. Where many thrusters share it, it is cut
            # before that: then those with the most of it fire, and the next window makes up for what is too much.
            if np.linalg.norm(self._allocator.per_reach * request) <= self._carry or not on.any():
                return at.hold.copy()
            fires = on >= 0.5 * min(self._shortest, float(on.max()))
        least = np.where(at.is_open, at.hold, np.where(fires, self._shortest, 0.0))
        top = np.where(fires, np.maximum(np.minimum(most, self._capped), least), 0.0)
        stays = self._may_stay & (on > at.window - at.rest - 0.5 * self._pause) & (most >= at.window - at.rest)
        least = np.where(stays, most, least)
        top = np.where(stays, most, top)
        return self._share(request, least, top)

    def _lifted(self, request: Floats, most: Floats) -> Floats | None:
        at = self._at
        wanted = self._share(request, at.hold, most)
        usable = most > 0.0
        least = np.where(at.is_open, at.hold, self._shortest)
        used = usable.copy()
        if not self._meets(request, used, least, most):
            return None
        # Leave out what is not needed, what the plain allocation uses last of all.
        for j in sorted(np.flatnonzero(usable & ~at.is_open), key=lambda i: wanted[i]):
            used[j] = False
            if not self._meets(request, used, least, most):
                used[j] = True
        top = np.maximum(np.minimum(most, self._capped), least)
        return self._share(request, np.where(used, least, 0.0), np.where(used, top, 0.0))

    def _meets(self, request: Floats, used: npt.NDArray[np.bool_], least: Floats, most: Floats) -> bool:
        top = np.maximum(np.minimum(most, self._capped), least)
        on = self._share(request, np.where(used, least, 0.0), np.where(used, top, 0.0))
        missed = request - self._allocator.array.effectiveness @ (self._at.thrust * on)
        per_reach = self._allocator.per_reach
        # Times are met to a fraction of the shortest pulse.
        return bool(np.linalg.norm(per_reach * missed) <= 1e-3 * self._shortest)

    def _share(self, request: Floats, least: Floats, most: Floats) -> Floats:
        """(n,) s between least and most that give the request best."""
        at = self._at
        window = at.window
        array = self._allocator.array
        floor = at.thrust * least / window
        target = request / window - array.effectiveness @ floor
        power = at.limits.power
        if power is not None:
            power = self._allocator.power_left(power, floor)
        room = np.maximum(most - least, 0.0) * at.thrust / window
        forces = self._rounding.solve(target, Limits(power, room)).forces
        return least + np.where(at.thrust > 0.0, forces * window / np.maximum(at.thrust, 1e-9), 0.0)
