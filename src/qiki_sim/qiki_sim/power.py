"""Propulsion bus: battery and supercapacitor behind a PDU that trips.

The battery side gives up to the continuous power; what the valves draw beyond comes from the supercapacitor; what
they leave over recharges it. The stores lose nothing: their capacity is what can be drawn from them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qiki_sim.valves import NEVER

if TYPE_CHECKING:
    from qiki_vehicle.power import Propulsion


def used_up_us(amount: float, rate: float) -> int:
    """Microseconds until `amount` is used up at `rate` per s, at least 1."""
    return max(1, math.ceil(min(amount / rate * 1e6, float(NEVER))))


class PropulsionBus:
    """Energy books of one bot's propulsion bus. Powers in W, energies in J, times in microseconds."""

    def __init__(self, config: Propulsion, supercap_soc: float, battery_soc: float) -> None:
        cap, battery = config.supercap, config.battery
        self._config = config
        self._trip_us = round(config.trip_time * 1e6)
        self._cap_min = cap.soc_min * cap.capacity
        self._cap_max = cap.soc_max * cap.capacity
        self._battery_min = battery.soc_min * battery.capacity
        self._battery_max = battery.soc_max * battery.capacity
        self.supercap_energy = supercap_soc * cap.capacity
        self.battery_energy = battery_soc * battery.capacity
        self.thrust_power = 0.0
        self.thrust_energy = 0.0
        self.supercap_throughput = 0.0
        """Energy that went into or came out of the supercapacitor."""
        self.battery_throughput = 0.0
        self.trips = 0
        self.tripped_until_us: int | None = None

    @property
    def supercap_soc(self) -> float:
        return self.supercap_energy / self._config.supercap.capacity

    @property
    def battery_soc(self) -> float:
        return self.battery_energy / self._config.battery.capacity

    @property
    def continuous_power(self) -> float:
        """Power that the bus gives now without the supercapacitor."""
        return self._config.continuous_power if self.battery_energy > self._battery_min else 0.0

    @property
    def recharge_power(self) -> float:
        """Power flowing into the supercapacitor now."""
        if self.supercap_energy >= self._cap_max:
            return 0.0
        return min(self._config.supercap.recharge_power, max(0.0, self.continuous_power - self.thrust_power))

    @property
    def supercap_power(self) -> float:
        """Power flowing out of the supercapacitor into the valves now."""
        return max(0.0, self.thrust_power - self.continuous_power)

    def overloaded(self, thrust_power: float) -> bool:
        """True for a power that trips the PDU: above the peak, or beyond the battery with an empty supercapacitor."""
        if thrust_power > self._config.peak_power:
            return True
        return thrust_power > self.continuous_power and self.supercap_energy <= self._cap_min

    def trip(self, now_us: int) -> None:
        self.trips += 1
        self.tripped_until_us = now_us + self._trip_us

    def until_empty_us(self) -> int:
        """Time until the present draw has emptied the supercapacitor."""
        power = self.supercap_power
        if power <= 0.0:
            return NEVER
        return used_up_us(self.supercap_energy - self._cap_min, power)

    def book(self, seconds: float, avionics_surplus: float) -> None:
        """Pass time with the present draw; `avionics_surplus` W is what the avionics side charges the battery with."""
        draw, recharge, boost = self.thrust_power, self.recharge_power, self.supercap_power
        self.thrust_energy += draw * seconds
        into_cap = min(recharge * seconds, self._cap_max - self.supercap_energy) if recharge else 0.0
        out_of_cap = boost * seconds
        self.supercap_energy = max(self.supercap_energy + into_cap - out_of_cap, 0.0)
        self.supercap_throughput += into_cap + out_of_cap
        out_of_battery = (draw - boost - avionics_surplus) * seconds + into_cap
        before = self.battery_energy
        self.battery_energy = min(max(before - out_of_battery, 0.0), max(self._battery_max, before))
        self.battery_throughput += abs(before - self.battery_energy)
