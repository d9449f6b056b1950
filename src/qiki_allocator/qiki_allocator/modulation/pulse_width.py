"""Pulse width modulation in windows: forces of the allocator as on-times."""

import math
from dataclasses import dataclass

import numpy as np

from qiki_allocator.allocation.allocator import Allocator
from qiki_allocator.allocation.answers import Limits
from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.modulation.on_times import OnTimes, WindowStart
from qiki_allocator.modulation.stagger import Placement, place
from qiki_allocator.modulation.valves import ValveBank, ValveTiming
from qiki_allocator.modulation.windowed import Choice, Windowed, WindowSettings, check_short


@dataclass(frozen=True)
class PulseWidthSettings(WindowSettings):
    """Attributes:
    tolerance: s; as carry: less than this is not worth a pulse when the command has ended.
    """

    tolerance: float = 0.0002


class PulseWidth(Windowed):
    """Asks the allocator for the impulse of each window. After the command the backlog is delivered as exactly as
    shortest pulses allow, through the null space.

    Raises:
        ConfigurationError: a setting is not allowed.
    """

    def __init__(
        self,
        allocator: Allocator,
        timing: ValveTiming | None = None,
        settings: PulseWidthSettings | None = None,
        bank: ValveBank | None = None,
    ) -> None:
        """See `Windowed`."""
        self._settings = settings or PulseWidthSettings()
        check_short("tolerance", self._settings.tolerance)
        # What rounding leaves over is made up for in the next window: no axis of it is worth giving up the others for.
        self._rounding = allocator.sibling("weighted")
        super().__init__(allocator, timing, self._settings, bank)

    def _is_settled(self, impulse: Floats) -> bool:
        return self._size(impulse) <= self._settings.tolerance

    def _choose(self, request: Floats, limits: Limits, thrust: Floats) -> Choice:
        window = self._settings.window
        # The valve of a weak or dead thruster may draw what a good one's does.
        power = self.allocator.watts_per_newton * self.allocator.array.f_max
        limit = limits.by_bus(len(self.allocator.bus_names))
        hold, rest = self.bank.hold(), self.bank.rest()
        valves = WindowStart(
            window=window,
            is_open=self.bank.is_open,
            hold=hold,
            rest=rest,
            burn_left=self.bank.burn_left(),
            thrust=thrust,
            limits=limits,
        )
        if not np.array_equal(self._rounding.array.com, self.allocator.array.com):
            self._rounding.move(self.allocator.array.com)
        chooser = OnTimes(self.allocator, self._rounding, self._timing, valves, self._settings.carry)
        refused = chooser.out_of_reach(request)
        wanted = request - refused
        best: Placement | None = None
        best_size = math.inf
        for lift in (False, True) if not self._wrench.any() else (False,):
            cut = np.full(len(thrust), math.inf)
            for _ in range(4):
                on = chooser.choose(wanted, cut, lift=lift)
                if on is None:
                    break
                placement = place(
                    on,
                    window=window,
                    is_open=self.bank.is_open,
                    rest=rest,
                    hold=hold,
                    min_on=self._timing.min_on,
                    power=power,
                    limit=limit,
                    bus=self.allocator.bus,
                    gap=self._settings.gap,
                )
                left = wanted - self.allocator.array.effectiveness @ (thrust * placement.on)
                size = self._size(left)
                # A lifted set costs thrust: only for a result that is clearly better.
                if size < best_size * (0.5 if lift else 1.0):
                    best, best_size = placement, size
                if (placement.on >= on - 1e-9).all():
                    break
                cut = np.where(placement.on < on - 1e-9, placement.on, cut)
            if best_size <= self._settings.tolerance:
                break
        assert best is not None  # the plain choice always exists
        return Choice(best, refused, window, limit)
