"""Avionics bus: voltage under load, loads shed and restored in order, solar power."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qiki_vehicle.power import Avionics


class AvionicsBus:
    """A regulated source with resistance and a bus capacitance feeding constant-power loads."""

    def __init__(self, config: Avionics, sunlight: float, battery_soc: float, on_demand: Iterable[str] = ()) -> None:
        """`sunlight` is the share of full solar power, 0 to 1. on_demand: loads that draw power only in use."""
        self._config = config
        self.solar_power = config.solar_power * sunlight
        self.dock_power = 0.0
        """W taken from the bridges of docking; negative: fed into them."""
        self.loads = tuple(config.shed_order) + tuple(n for n in config.loads if n not in config.shed_order)
        """Names in shedding order, then those that are never shed."""
        self.load_on = dict.fromkeys(self.loads, True)
        self._in_use = dict.fromkeys(on_demand, 0.0)  # s left
        self._idle = set(self._in_use)
        if battery_soc <= config.shed_soc:
            self.load_on.update(dict.fromkeys(config.shed_order, False))
        self.blackout = False
        self.power = self._drawn()
        """W that base and loads draw."""
        self.voltage = self._settled_voltage(self.power)
        self._since_change = math.inf

    def use(self, load: str, seconds: float) -> None:
        """Let a load on demand draw its power for so long, from the next `advance` on."""
        self._in_use[load] = seconds

    def supplied(self, load: str) -> bool:
        """True while a load has power."""
        return self.load_on[load] and not self.blackout

    @property
    def current(self) -> float:
        """A."""
        return self.power / self.voltage if self.voltage > 0.0 else 0.0

    @property
    def surplus(self) -> float:
        """W left over for the battery; negative: taken from it."""
        return self.solar_power + self.dock_power - self.power

    def advance(self, seconds: float, battery_soc: float) -> None:
        """Pass time, then shed or restore at most one load."""
        config = self._config
        self.blackout = False
        self._idle = {name for name, left in self._in_use.items() if left <= 0.0}
        self._in_use = {name: left - seconds for name, left in self._in_use.items()}
        self.power = self._drawn()
        if battery_soc <= 0.0:
            self.run_out()
        target = self._settled_voltage(self.power)
        lag = config.source_resistance * config.bus_capacitance
        # First-order lag of source resistance and bus capacitance, exact for a target constant over the interval.
        self.voltage = target + (self.voltage - target) * math.exp(-seconds / lag)
        self._since_change += seconds
        if self._since_change + 1e-9 < config.shed_interval:
            return
        on = [name for name in config.shed_order if self.load_on[name]]
        off = [name for name in reversed(config.shed_order) if not self.load_on[name]]
        if on and (battery_soc <= config.shed_soc or self._overloaded(self.voltage, self.power)):
            self._switch(on[0], False)
        elif off and battery_soc >= config.restore_soc:
            power = self.power + config.loads[off[0]]
            if not self._overloaded(self._settled_voltage(power), power):
                self._switch(off[0], True)

    def run_out(self) -> None:
        """The battery is empty: everything goes off, unless sun and dock carry the loads."""
        if self.surplus < 0.0:
            self.blackout = True
            self.power = 0.0

    def _switch(self, name: str, on: bool) -> None:
        self.load_on[name] = on
        self.power = self._drawn()
        self._since_change = 0.0

    def _drawn(self) -> float:
        if self.blackout:
            return 0.0
        return self._config.base_power + sum(
            self._config.loads[name] for name, on in self.load_on.items() if on and name not in self._idle
        )

    def _overloaded(self, voltage: float, power: float) -> bool:
        return voltage < self._config.voltage_min or power > self._config.current_max * voltage

    def _settled_voltage(self, power: float) -> float:
        """V at which a constant-power load settles: v = v0 - r p / v; at most a quarter of v0^2 / r can be carried."""
        if self.blackout:
            return 0.0
        nominal, resistance = self._config.voltage_nominal, self._config.source_resistance
        return 0.5 * (nominal + math.sqrt(max(nominal**2 - 4.0 * resistance * power, 0.0)))
