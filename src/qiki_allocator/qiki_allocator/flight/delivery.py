"""Account of the impulse and energy that the thrusters gave."""

from dataclasses import dataclass

import numpy as np

from qiki_allocator.allocation.thrusters import Floats, ThrusterArray
from qiki_allocator.modulation.meter import Meter


@dataclass(frozen=True, eq=False)
class Delivered:
    """Impulse and energy of the thrusters over a time.

    Attributes:
        impulse: (6,) N s and N m s, of the pulses commanded and of thrusters stuck open.
        energy: J, of the same.
        elapsed: s.
        more_impulse, more_energy: correction of earlier pulses by the valves' counters: given minus
            commanded. Without fresh counters commands are all there is.
    """

    impulse: Floats
    energy: float
    elapsed: float
    more_impulse: Floats
    more_energy: float


class Delivery:
    """Adds up what was delivered, until it is taken."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._clear()

    def _clear(self) -> None:
        self._impulse, self._more_impulse = np.zeros(6), np.zeros(6)
        self._energy = self._elapsed = self._more_energy = 0.0

    def count(self, array: ThrusterArray, thrust: Floats, bias: Floats, stuck_power: float) -> None:
        """Add the commanded pulses up to the ledger's time.

        Args:
            thrust: (n,) N that opening each valve gives.
            bias: (6,) N and N m of the thrusters that are stuck open; stuck_power: W, of the same.
        """
        passed = self._meter.read()
        self._impulse = self._impulse + array.effectiveness @ (thrust * passed.on) + bias * passed.elapsed
        self._energy += float(self._meter.power @ passed.on) + stuck_power * passed.elapsed
        self._elapsed += passed.elapsed

    def correct(self, missing: Floats, energy: float) -> None:
        """Subtract an impulse, (6,), and its energy, J, of which the valves fell short."""
        self._more_impulse = self._more_impulse - missing
        self._more_energy -= energy

    def take(self) -> Delivered:
        """Take the account since the last call."""
        taken = Delivered(self._impulse, self._energy, self._elapsed, self._more_impulse, self._more_energy)
        self._clear()
        return taken
