"""Propulsion bus: battery and supercapacitor behind a PDU that trips.

The battery side gives up to the continuous power; what the valves draw beyond comes from the supercapacitor; what
they leave over recharges it. A share of the power into or out of a store becomes heat in it, which the store pays for.
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

    def __init__(
        self, config: Propulsion, supercap_soc: float, battery_soc: float, losses: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        """`losses`: shares of the power at the terminals of supercapacitor and battery that become heat in them."""
        cap, battery = config.supercap, config.battery
        self._config = config
        self._trip_us = round(config.trip_time * 1e6)
        self._cap_min = cap.soc_min * cap.capacity
        self._cap_max = cap.soc_max * cap.capacity
        self._battery_min = battery.soc_min * battery.capacity
        self._battery_max = battery.soc_max * battery.capacity
        self.supercap_energy = supercap_soc * cap.capacity
        self.battery_energy = battery_soc * battery.capacity
        self._supercap_loss, self._battery_loss = losses
        self.thrust_power = 0.0
        self.thrust_energy = 0.0
        self.avionics_energy = 0.0
        self.solar_energy = 0.0
        """J taken from the solar array; a full battery leaves the rest there."""
        self.dock_energy = 0.0
        """J taken from the bridges of docking, less those fed into them."""
        self.supercap_heat = 0.0
        self.battery_heat = 0.0
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
        power = self.supercap_power * (1.0 + self._supercap_loss)
        if power <= 0.0:
            return NEVER
        return used_up_us(self.supercap_energy - self._cap_min, power)

    def until_drained_us(self, avionics_surplus: float) -> int:
        """Time until the present draw has brought the battery to its floor, or from there to zero; 0: it is empty.

        avionics_surplus: W of the sun beyond the draw of the avionics.
        """
        power = (self._battery_power - avionics_surplus) * (1.0 + self._battery_loss)
        if power <= 0.0:
            return NEVER
        if self.battery_energy <= 0.0:
            return 0
        floor = self._battery_min if self.battery_energy > self._battery_min else 0.0
        return used_up_us(self.battery_energy - floor, power)

    @property
    def _battery_power(self) -> float:
        """W out of the battery into valves and supercapacitor."""
        return self.thrust_power - self.supercap_power + self.recharge_power

    def book(self, seconds: float, solar: float, avionics: float, dock: float = 0.0) -> float:
        """Pass time with the present draw; `solar` W from the sun, `avionics` W drawn by the avionics, `dock` W
        from the bridges of docking, negative: into them.

        A store that is used up within the time, by less than a microsecond, gives only what it has.

        Returns: the share of the valves' draw that they were given.
        """
        draw, recharge, boost = self.thrust_power, self.recharge_power, self.supercap_power
        loss = self._supercap_loss
        out_of_cap = min(boost * seconds, self.supercap_energy / (1.0 + loss))
        into_cap = min(recharge * seconds, (self._cap_max - self.supercap_energy) / (1.0 - loss)) if recharge else 0.0

        into_valves, into_avionics, from_sun = (draw - boost) * seconds, avionics * seconds, solar * seconds
        from_dock, into_dock = max(dock, 0.0) * seconds, max(-dock, 0.0) * seconds
        out, loss = into_valves + into_avionics + into_cap + into_dock - from_sun - from_dock, self._battery_loss
        if out > 0.0:
            share = min(1.0, self.battery_energy / (out * (1.0 + loss)))
            into_valves, into_avionics, into_cap = share * into_valves, share * into_avionics, share * into_cap
            from_sun, from_dock, into_dock, out = share * from_sun, share * from_dock, share * into_dock, share * out
            self.battery_energy = max(self.battery_energy - out * (1.0 + loss), 0.0)
        else:
            room = max(self._battery_max - self.battery_energy, 0.0)
            lost = max(0.0, -out - room / (1.0 - loss))
            # The sun's surplus stays in its array first.
            left = max(lost - from_sun, 0.0)
            from_sun, from_dock, out = max(from_sun - lost, 0.0), from_dock - left, out + lost
            full = max(self._battery_max, self.battery_energy)
            self.battery_energy = min(self.battery_energy - out * (1.0 - loss), full)
        self.battery_heat += loss * abs(out)
        self.avionics_energy += into_avionics
        self.solar_energy += from_sun
        self.dock_energy += from_dock - into_dock
        self.thrust_energy += into_valves + out_of_cap

        loss = self._supercap_loss
        self.supercap_energy = max(self.supercap_energy + into_cap * (1.0 - loss) - out_of_cap * (1.0 + loss), 0.0)
        self.supercap_heat += loss * (into_cap + out_of_cap)
        return (into_valves + out_of_cap) / (draw * seconds) if draw > 0.0 else 1.0
