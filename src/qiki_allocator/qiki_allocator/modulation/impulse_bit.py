"""Impulse bits: the few pulses of each window that change the motion as wanted, for a gentle touch.

Near contact the change of velocity and rates of one window is what counts, and a shortest pulse is coarse. An
allocation that is rounded afterwards may have picked the coarsest thrusters. So the sets of few pulses are searched
themselves, with errors in units of tolerances of velocity and rates.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.allocator import Allocator
from qiki_allocator.allocation.answers import Limits
from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.checks import require
from qiki_allocator.modulation.pulse_sets import PulseSets
from qiki_allocator.modulation.stagger import Placement, place
from qiki_allocator.modulation.valves import ROUNDING, ValveBank, ValveTiming
from qiki_allocator.modulation.windowed import Choice, Windowed, WindowSettings
from qiki_vehicle import ConfigurationError, MassProperties

_LEAST_CARRY = 2.0
"""Error that is carried forward in any case: what is carried must be able to grow until it is worth a pulse."""


_BARELY = 0.05
"""1, share of the strongest thruster's effect along an axis that counts as none."""


@dataclass(frozen=True)
class ImpulseBitSettings(WindowSettings):
    """Attributes:
    longest_pulse: s.
    velocity: (3) m/s, and rate: (3) rad/s, tolerances of the axes of base_link: an error of 1 in all.
    error_left: 1, largest share of the error that may be left for pulses to be fired.
    """

    longest_pulse: float = 0.2
    velocity: tuple[float, float, float] = (0.01,) * 3
    rate: tuple[float, float, float] = (math.radians(0.05),) * 3
    error_left: float = 0.7


class ImpulseBit(Windowed):
    """Fires, in each window, the pulses of at most four thrusters that best correct velocity and rates.

    Backlog and commanded impulse of the window, divided by mass and inertia and by the tolerances, are the error. Below
    1 nothing fires. Else the best of all small sets fires if it leaves less than `error_left` of the error, or if its
    pulses are as long as allowed, so that more is wanted than one window can give. An axis along which no thruster that
    may fire helps does not count. Where power is short the pulses
    follow one another, and the window lasts until the last of them.

    Attributes:
        body: mass properties.

    Raises:
        ConfigurationError: a setting is not allowed.
    """

    def __init__(
        self,
        allocator: Allocator,
        body: MassProperties,
        timing: ValveTiming | None = None,
        settings: ImpulseBitSettings | None = None,
        bank: ValveBank | None = None,
    ) -> None:
        """See `Windowed`."""
        self._settings = settings or ImpulseBitSettings()
        self._tolerances = _tolerances(self._settings)
        self.move(body)
        super().__init__(allocator, timing, self._settings, bank)
        self._shortest, pause = self._timing.min_on + ROUNDING, self._timing.min_off + ROUNDING
        self._pause = pause
        most = self._settings.window - pause
        if not self._shortest <= self._settings.longest_pulse <= most:
            raise ConfigurationError(
                f"longest_pulse: {self._settings.longest_pulse} s; allowed: {self._shortest:g} to {most:g} s"
            )
        require("error_left", self._settings.error_left, "", 0.0, 1.0, above=True)

    def move(self, body: MassProperties) -> None:
        """See `Modulator`."""
        self.body = body
        per_impulse = np.zeros((6, 6))
        per_impulse[:3, :3] = np.eye(3) / body.mass
        per_impulse[3:, 3:] = np.linalg.inv(body.inertia)
        self._per_impulse = per_impulse / self._tolerances[:, None]
        self._sets: tuple[bytes, PulseSets] | None = None

    def _start_over(self) -> None:
        super()._start_over()
        self._pulses_end = -math.inf

    def _error(self, impulse: Floats) -> float:
        """1: root of the sum of squares of the changes of velocity and rates by their tolerances."""
        return float(np.linalg.norm(self._per_impulse @ impulse))

    def _is_settled(self, impulse: Floats) -> bool:
        return self._error(impulse) < 1.0

    def _carried(self, left: Floats) -> Floats:
        carried = super()._carried(left)
        error = self._error(left)
        least = left * min(_LEAST_CARRY / max(error, 1e-12), 1.0)
        return carried if self._error(carried) >= self._error(least) else least

    def _is_due(self, due: float) -> bool:
        # Pulses are chosen together: none is cut because the command changed.
        return self._is_over(due) or (due >= self._pulses_end and super()._is_due(due))

    def _choose(self, request: Floats, limits: Limits, thrust: Floats) -> Choice:
        bank, window = self.bank, self._settings.window
        nothing = np.zeros(6)
        if bank.is_open.any():
            hold = bank.hold()
            closing = Placement(np.full(len(hold), np.nan), np.where(bank.is_open, np.round(hold, 6), np.nan), hold)
            return self._chosen(closing, nothing, float(hold.max()) + self._pause, 0.0)
        none = Placement(np.full(len(thrust), np.nan), np.full(len(thrust), np.nan), np.zeros(len(thrust)))
        if self._is_settled(request):
            return Choice(none, nothing, window, 0.0)
        power = self.allocator.watts_per_newton * self.allocator.array.f_max
        bus, limit = self.allocator.bus, limits.by_bus(len(self.allocator.bus_names))
        longest = np.minimum(self._longest(limits, thrust), np.where(power <= limit[bus], math.inf, 0.0))
        usable = np.flatnonzero(longest >= self._shortest)
        if not len(usable):
            return Choice(none, request, window, 0.0)
        wanted, effect = self._per_impulse @ request, self._effect(thrust)
        lost = np.where(_is_out_of_reach(effect, usable, wanted), wanted, 0.0)
        refused = np.asarray(np.linalg.solve(self._per_impulse, lost), dtype=float)
        within = float(wanted @ wanted - lost @ lost)
        if within < 1.0:
            return Choice(none, refused, window, 0.0)
        pulses, left = self._search(effect[:, usable]).best(wanted, self._shortest, longest[usable])
        is_longest = pulses >= longest[usable] - ROUNDING
        gains = left**2 - float(lost @ lost) < self._settings.error_left**2 * within
        if not (gains or (is_longest.any() and left**2 < float(wanted @ wanted))):
            return Choice(none, refused, window, 0.0)
        on = np.zeros(len(thrust))
        on[usable] = np.round(pulses, 6)
        placement = place(
            on,
            window=float(on.sum()) + len(usable) * self._settings.gap + window,
            is_open=bank.is_open,
            rest=bank.rest(),
            hold=bank.hold(),
            min_on=self._timing.min_on,
            power=power,
            limit=limit,
            gap=self._settings.gap,
            bus=bus,
        )
        draws = np.minimum(np.bincount(bus, power * (on > 0.0), len(limit)), limit)
        span = max(window, float(np.nanmax(placement.close_time)) + self._pause)
        return self._chosen(placement, refused, span, draws)

    def _chosen(self, placement: Placement, refused: Floats, span: float, power: float | Floats) -> Choice:
        self._pulses_end = self.bank.time + float(np.nanmax(placement.close_time))
        return Choice(placement, refused, span, power)

    def _longest(self, limits: Limits, thrust: Floats) -> Floats:
        """(n,) s of the longest pulse that each thruster may give now."""
        share = np.where(thrust > 0.0, self._bounds(limits) / np.maximum(thrust, 1e-9), 0.0)
        ready = np.where(self.bank.rest() > 0.0, 0.0, self.bank.burn_left() - self._pause)
        return np.minimum(np.minimum(share * self._settings.window, ready), self._settings.longest_pulse)

    def _effect(self, thrust: Floats) -> Floats:
        """(6, n) error that a second of each thruster changes."""
        return self._per_impulse @ (self.allocator.array.effectiveness * thrust)

    def _search(self, effect: Floats) -> PulseSets:
        key = effect.tobytes()
        if self._sets is None or self._sets[0] != key:
            self._sets = key, PulseSets(effect)
        return self._sets[1]


def _is_out_of_reach(effect: Floats, usable: npt.NDArray[np.intp], wanted: Floats) -> npt.NDArray[np.bool_]:
    """(6,) axes along which no usable thruster changes the motion as wanted, or barely. Errors there neither keep the
    others from being corrected nor wait for an inhibition to end."""
    along = effect * np.sign(wanted)[:, None]
    is_reached: npt.NDArray[np.bool_] = (along[:, usable] > _BARELY * np.abs(effect).max(axis=1, keepdims=True)).any(
        axis=1
    )
    return ~is_reached


def _tolerances(settings: ImpulseBitSettings) -> Floats:
    for name, unit in (("velocity", "m/s"), ("rate", "rad/s")):
        for axis, value in zip("xyz", getattr(settings, name), strict=True):
            require(f"{name}.{axis}", value, unit, 0.0, above=True)
    return np.array([*settings.velocity, *settings.rate])
