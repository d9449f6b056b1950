"""Docking hardware of one body: actuators of its ports, faults, converter, temperature."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from qiki_sim.thermal import ThermalNetwork
from qiki_sim.valves import CommandError

if TYPE_CHECKING:
    from qiki_sim.bot import Bot
    from qiki_sim.faults import FaultBook
    from qiki_vehicle import Port, Vehicle
    from qiki_vehicle.port_hardware import DockCommand, PortCommand

SLOW_US = 100_000
"""Microseconds between two steps of the temperature of a body without other hardware."""
NODE = "DOCK_BRIDGE"
"""Thermal node of the ports."""
LARGEST = 1e6
"""Of a commanded force, power or current."""


@dataclass
class Actuators:
    """Commanded state of one port; see `qiki_vehicle.port_hardware.PortCommand`."""

    capture: bool = False
    latch: bool = False
    ground: bool = False
    precharge: bool = False
    main: bool = False
    current_limit: float = 0.0
    data: bool = False
    pull: float = 0.0

    def take(self, command: PortCommand) -> None:
        """Take over what is not None."""
        for field in fields(self):
            value = getattr(command, field.name)
            if value is not None:
                setattr(self, field.name, value)

    def release(self) -> None:
        """Everything open and off, but for the data."""
        self.__init__(data=self.data)  # type: ignore[misc]


class DockHardware:
    """Ports of one body, and its bus converter.

    Attributes:
        converter_on: the converter works: neither dead by a fault, nor without battery.
        power: W taken from the bridges (negative: fed into them), now.
    """

    def __init__(
        self, name: str, ports: tuple[Port, ...], vehicle: Vehicle, faults: FaultBook, source_power: float | None
    ) -> None:
        """source_power: W that a body without other hardware feeds into the bridges; None: a bot."""
        self.name, self.vehicle, self.faults = name, vehicle, faults
        self.ports = {port.name: port for port in ports}
        self.actuators = {port.name: Actuators() for port in ports}
        dock = vehicle.avionics.dock
        self.source_power = dock.power_max if source_power is None else source_power
        self.source_current = min(dock.current_max, vehicle.avionics.current_max) if source_power is None else math.inf
        self.source = bool(source_power)
        self.draw = 0.0
        self.power = 0.0
        self.heat = 0.0
        """J put into the ports since the last step of the temperature."""
        self.bot: Bot | None = None
        self._thermal: ThermalNetwork | None = None
        if source_power is not None:
            self._thermal = ThermalNetwork(vehicle.thermal, SLOW_US * 1e-6)

    def command(self, command: DockCommand) -> tuple[str, ...]:
        """Take a command; all of it or nothing.

        Returns: ports whose joint is to be released at once.

        Raises:
            CommandError: a field is refused: name, value, allowed range.
        """
        for port in command.ports:
            if port.port not in self.actuators:
                raise CommandError(f"ports: port = {port.port!r}: allowed: {', '.join(self.actuators)}")
            _check(f"ports[{port.port}].pull", port.pull, "N")
            if port.current_limit is not None:
                _check(f"ports[{port.port}].current_limit", port.current_limit, "A")
        names = [port.port for port in command.ports]
        if len(set(names)) != len(names):
            raise CommandError(f"ports: {names}: allowed: each port once")
        if not math.isfinite(command.stamp):
            raise CommandError(f"stamp = {command.stamp}: allowed: a finite number")
        if command.draw is not None:
            _check("draw", command.draw, "W")
            self.draw = command.draw
        self.source = command.source
        for port in command.ports:
            self.actuators[port.port].take(port)
        return tuple(port.port for port in command.ports if port.release)

    @property
    def converter_on(self) -> bool:
        dark = self.bot is not None and self.bot.avionics.blackout
        return not dark and self.faults.port("converter_dead", "dock") is None

    @property
    def is_alive(self) -> bool:
        """It has power for its data link: a bot from its battery, another body from its converter."""
        return self.converter_on if self.bot is None else not self.bot.avionics.blackout

    @property
    def wanted_power(self) -> float:
        """W that the converter would take from the bridges now."""
        if self.source or not self.converter_on:
            return 0.0
        most = min(self.draw, self.vehicle.avionics.dock.power_max)
        if self.bot is not None and self.bot.bus.battery_soc >= self.vehicle.propulsion.battery.soc_max:
            most = min(most, self.bot.avionics.power)
        return most

    @property
    def temperature(self) -> float:
        """degC, of the ports."""
        thermal = self._thermal if self.bot is None else self.bot.thermal
        assert thermal is not None
        return float(thermal.temperature[thermal.names.index(NODE)])

    def slow_step(self) -> None:
        """Pass one slow period of a body without other hardware."""
        if self._thermal is None:
            return
        heat = np.zeros(len(self._thermal.names))
        heat[self._thermal.names.index(NODE)] = self.take_heat() / (SLOW_US * 1e-6)
        self._thermal.advance(heat)

    def take_heat(self) -> float:
        """J put into the ports since the last time."""
        heat, self.heat = self.heat, 0.0
        return heat


def _check(name: str, value: float, unit: str) -> None:
    if not 0.0 <= value <= LARGEST:
        raise CommandError(f"{name} = {value} {unit}: allowed: 0 to {LARGEST:g} {unit}")
