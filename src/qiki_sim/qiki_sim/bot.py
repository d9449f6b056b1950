"""One bot's hardware: valves, propellant feed, both buses and heat, advanced from event to event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qiki_sim.avionics import AvionicsBus
from qiki_sim.docking.hardware import NODE
from qiki_sim.faults import STUCK_CLOSED, STUCK_OPEN, WEAK, FaultBook
from qiki_sim.flow import THRUST, of_thruster
from qiki_sim.power import PropulsionBus, used_up_us
from qiki_sim.readings import EnergyReading, Health, StoreReading, ThermalReading, ValveReading
from qiki_sim.thermal import ThermalNetwork
from qiki_sim.valves import ValveCommand, ValveDriver
from qiki_vehicle import MassProperties

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qiki_sim.docking.hardware import DockHardware
    from qiki_sim.scenario import BotEntry
    from qiki_vehicle import Vehicle

STANDARD_GRAVITY = 9.80665  # m/s^2, by definition
SLOW_US = 100_000
"""Microseconds between two steps of the avionics bus and the thermal network."""

_FLOW, _DRAW = 15, 16  # columns of the effect table after the thrust
_CLUSTERS = 17


class Bot:
    """The hardware of one bot. Its motion is not known here: it turns commands into thrust.

    Valve edges, trips, an empty store and an empty tank happen at their own microsecond, not at a step of the physics.
    """

    def __init__(self, entry: BotEntry, vehicle: Vehicle, sunlight: float, step_us: int) -> None:
        self.name = entry.name
        self.vehicle = vehicle
        self.faults = FaultBook()
        self.dock: DockHardware | None = None
        """Its docking hardware, set by the twin's docking."""
        count = len(vehicle.thrusters)
        body, stores = vehicle.body, vehicle.propulsion
        supercap_soc = stores.supercap.soc_initial if entry.supercap_soc is None else entry.supercap_soc
        battery_soc = stores.battery.soc_initial if entry.battery_soc is None else entry.battery_soc
        self.driver = ValveDriver(count, vehicle.valves.watchdog)
        losses = vehicle.thermal.supercap_heat_fraction, vehicle.thermal.battery_heat_fraction
        self.bus = PropulsionBus(stores, supercap_soc, battery_soc, losses)
        self.avionics = AvionicsBus(vehicle.avionics, sunlight, battery_soc, on_demand=("transponder",))
        self.thermal = ThermalNetwork(vehicle.thermal, SLOW_US * 1e-6, entry.temperature)
        self.working_mass = body.working_mass if entry.working_mass is None else entry.working_mass
        self._dry_mass = body.mass - body.working_mass
        self._com = np.array(body.com)
        self._inertia = np.array(body.inertia)

        clusters = sorted({thruster.cluster for thruster in vehicle.thrusters})
        self._cluster_of = [clusters.index(thruster.cluster) for thruster in vehicle.thrusters]
        self._cluster_node = [self.thermal.names.index(f"RCS_{cluster}") for cluster in clusters]
        self._nominal = self._effect_table(len(clusters))
        self._effect = self._nominal.copy()

        self._step_us = step_us
        self._now_us = self._start_us = 0
        self._schedule: NDArray[np.float64] | None = None
        self._open = [False] * count
        self._open_row = np.zeros(count)
        self._total = np.zeros(_CLUSTERS + len(clusters))
        self._stuck: dict[int, bool] = {}  # thruster: whether it is stuck open
        self._seen_stuck: set[int] = set()
        self._on_us = np.zeros(count)
        self._firings = [0] * count
        self._cluster_energy = np.zeros(len(clusters))
        self._booked = (0.0, 0.0, 0.0, 0.0)  # J of heat in PDU, supercapacitor, battery and core at the last slow step
        self._blocked = [False] * len(clusters)
        self._refresh()

    def _effect_table(self, clusters: int) -> NDArray[np.float64]:
        """(n, 17 + clusters): thrust as in `qiki_sim.flow`, mass flow kg/s, draw W, in all and per cluster."""
        table = np.zeros((len(self.vehicle.thrusters), _CLUSTERS + clusters))
        for row, thruster in zip(table, self.vehicle.thrusters, strict=True):
            force = thruster.f_max_n * np.array(thruster.direction)
            place = np.array(thruster.position_m) - self._com
            row[_FLOW] = thruster.f_max_n / (self.vehicle.body.isp * STANDARD_GRAVITY)
            row[:THRUST] = of_thruster(place, force, row[_FLOW], self._inertia / self.vehicle.body.mass)
            row[_DRAW] = thruster.f_max_n * self.vehicle.propulsion.watts_per_newton
            row[_CLUSTERS + self._cluster_of[thruster.index]] = row[_DRAW]
        return table

    def command(self, command: ValveCommand) -> None:
        """Take a valve command now.

        Raises:
            CommandError: the command is refused.
        """
        self.driver.command(self._now_us, command)

    def apply_faults(self) -> None:
        """Bring the hardware in line with the fault book."""
        self._effect = self._nominal.copy()
        self._stuck = {}
        for index in range(self.driver.count):
            fault = self.faults.thruster(index)
            if fault is None:
                continue
            if fault.kind in (STUCK_CLOSED, STUCK_OPEN):
                self._stuck[index] = fault.kind == STUCK_OPEN
            elif fault.kind == WEAK:
                # Less propellant through the nozzle at the same electrical power.
                self._effect[index, : _FLOW + 1] *= fault.value
        self._seen_stuck &= set(self._stuck)
        self._start_us = self._now_us
        self._refresh()

    def advance(self, until_us: int, thrust: NDArray[np.float64]) -> bool:
        """Pass time up to `until_us`, a whole number of physics steps later.

        thrust: (steps, 15) as in `qiki_sim.flow`, filled with the mean over each step, so that the impulse of a pulse
        is exact wherever its edges fall.

        Returns: whether the thrust is the same in all steps.
        """
        self._start_us = self._now_us
        self._schedule = None
        if self.dock is not None:
            self.avionics.dock_power = self.dock.power
        while True:
            at_us = min(self._next_event_us(), until_us)
            self._book(at_us)
            if at_us >= until_us:
                break
            self.driver.advance(at_us)
            self._refresh(len(thrust))
        constant = self._schedule is None
        effect = self._effect[:, :THRUST]
        thrust[:] = self._total[:THRUST] if self._schedule is None else self._schedule @ effect
        if until_us % SLOW_US == 0:
            self._slow_step()
        return constant

    def _next_event_us(self) -> int:
        at_us = self.driver.next_us
        if self.bus.tripped_until_us is not None:
            at_us = min(at_us, self.bus.tripped_until_us)
        flow = float(self._total[_FLOW])
        if flow > 0.0:
            at_us = min(at_us, self._now_us + used_up_us(self.working_mass, flow))
        if self.bus.thrust_power > 0.0:
            at_us = min(at_us, self._now_us + self.bus.until_empty_us())
        at_us = min(at_us, self._now_us + self.bus.until_drained_us(self.avionics.surplus))
        return max(at_us, self._now_us)

    def _book(self, at_us: int) -> None:
        passed_us = at_us - self._now_us
        if passed_us == 0:
            return
        seconds = passed_us * 1e-6
        given = self.bus.book(seconds, self.avionics.solar_power, self.avionics.power, self.avionics.dock_power)
        if self._total[_FLOW] > 0.0 or any(self._open):
            self._on_us += passed_us * self._open_row
            self.working_mass = max(0.0, self.working_mass - float(self._total[_FLOW]) * seconds)
            self._cluster_energy += self._total[_CLUSTERS:] * (given * seconds)
        self._now_us = at_us

    def _wanted(self, powered: bool) -> list[bool]:
        """Open valves: as commanded, except for power, tank, hot clusters and stuck valves."""
        commanded = self.driver.commanded
        if self.working_mass <= 0.0:
            return [False] * len(commanded)
        if not powered:
            wanted = [False] * len(commanded)
        elif any(self._blocked):
            wanted = [c and not self._blocked[k] for c, k in zip(commanded, self._cluster_of, strict=True)]
        else:
            wanted = commanded.copy()
        for index, is_open in self._stuck.items():
            if wanted[index] != is_open:
                self._seen_stuck.add(index)
            wanted[index] = is_open
        return wanted

    def _refresh(self, steps: int = 0) -> None:
        """Set the valves for this instant; the PDU trips if their draw is too much."""
        bus = self.bus
        if bus.tripped_until_us is not None and self._now_us >= bus.tripped_until_us:
            bus.tripped_until_us = None
        if bus.battery_energy <= 0.0:
            self.avionics.run_out()
        powered = bus.tripped_until_us is None and not self.avionics.blackout
        wanted = self._wanted(powered)
        row = np.array(wanted, dtype=float)
        total = row @ self._effect
        if powered and bus.overloaded(float(total[_DRAW])):
            bus.trip(self._now_us)
            powered = False
            wanted = self._wanted(powered)
            row = np.array(wanted, dtype=float)
            total = row @ self._effect
        if not powered:
            total[_DRAW:] = 0.0  # a valve stuck open goes on blowing, but the bus is off
        if wanted != self._open:
            self._schedule_change(wanted, row, steps)
        self._open, self._open_row, self._total = wanted, row, total
        bus.thrust_power = float(total[_DRAW])

    def _schedule_change(self, wanted: list[bool], row: NDArray[np.float64], steps: int) -> None:
        for index, (old, new) in enumerate(zip(self._open, wanted, strict=True)):
            if new and not old:
                self._firings[index] += 1
        into_us = self._now_us - self._start_us
        if into_us == 0:
            return
        if self._schedule is None:
            self._schedule = np.tile(self._open_row, (steps, 1))
        step, spent_us = divmod(into_us, self._step_us)
        change = row - self._open_row
        self._schedule[step] += change * ((self._step_us - spent_us) / self._step_us)
        self._schedule[step + 1 :] += change

    def _slow_step(self) -> None:
        """Avionics and heat over the last slow period."""
        seconds, config, bus = SLOW_US * 1e-6, self.vehicle.thermal, self.bus
        heat = np.zeros(len(self.thermal.names))
        heat[self._cluster_node] = config.cluster_heat_fraction * self._cluster_energy / seconds
        self._cluster_energy = np.zeros(len(self._cluster_node))
        energies = (
            config.pdu_heat_fraction * bus.thrust_energy,
            bus.supercap_heat,
            bus.battery_heat,
            bus.avionics_energy,
        )
        for node, now, before in zip(("PDU", "SUPERCAP", "BATTERY", "CORE"), energies, self._booked, strict=True):
            heat[self.thermal.names.index(node)] += (now - before) / seconds
        self._booked = energies
        if self.dock is not None:
            heat[self.thermal.names.index(NODE)] += self.dock.take_heat() / seconds
        changed = self.thermal.advance(heat)
        blackout = self.avionics.blackout
        self.avionics.advance(seconds, bus.battery_soc)
        if changed or blackout != self.avionics.blackout:
            self._blocked = [bool(self.thermal.tripped[node]) for node in self._cluster_node]
            self._start_us = self._now_us
            self._refresh()

    @property
    def mass(self) -> float:
        """kg, now."""
        return self._dry_mass + self.working_mass

    @property
    def moments(self) -> NDArray[np.float64]:
        """(3,) kg m^2, principal moments now: the working mass is used up evenly, so they fall with the mass."""
        return self._inertia * (self.mass / self.vehicle.body.mass)

    @property
    def mass_properties(self) -> MassProperties:
        """Now."""
        return MassProperties(self.mass, np.diag(self.moments), self._com)

    @property
    def valves(self) -> ValveReading:
        health = [Health.OK] * self.driver.count
        for index in self._seen_stuck:
            health[index] = Health.STUCK_OPEN if self._stuck[index] else Health.STUCK_CLOSED
        return ValveReading(
            open=tuple(self._open),
            health=tuple(health),
            on_time=self._on_us * 1e-6,
            firings=tuple(self._firings),
            working_mass=self.working_mass,
            late_edges=self.driver.late_edges,
            commands=self.driver.commands,
            watchdog=self.driver.watchdog,
        )

    @property
    def energy(self) -> EnergyReading:
        bus, avionics = self.bus, self.avionics
        return EnergyReading(
            thrust_power=bus.thrust_power,
            thrust_energy=bus.thrust_energy,
            supercap_soc=bus.supercap_soc,
            supercap_energy=bus.supercap_energy,
            supercap_power=bus.recharge_power - bus.supercap_power,
            recharge_power=bus.recharge_power,
            battery_soc=bus.battery_soc,
            battery_energy=bus.battery_energy,
            battery_power=avionics.surplus - (bus.thrust_power - bus.supercap_power) - bus.recharge_power,
            continuous_power=bus.continuous_power,
            peak_power=self.vehicle.propulsion.peak_power,
            tripped=bus.tripped_until_us is not None,
            trips=bus.trips,
            bus_voltage=avionics.voltage,
            bus_current=avionics.current,
            avionics_power=avionics.power,
            loads=avionics.loads,
            load_on=tuple(on and not avionics.blackout for on in avionics.load_on.values()),
            solar_power=avionics.solar_power,
            dock_power=avionics.dock_power,
        )

    @property
    def battery(self) -> StoreReading:
        store = self.vehicle.propulsion.battery
        power, temperature = self.energy.battery_power, self._temperature("BATTERY")
        full, hot = self.bus.battery_soc >= store.soc_max, self._tripped("BATTERY")
        return StoreReading(self.bus.battery_soc, power, temperature, full, hot)

    @property
    def supercap(self) -> StoreReading:
        store = self.vehicle.propulsion.supercap
        power, temperature = self.energy.supercap_power, self._temperature("SUPERCAP")
        full, hot = self.bus.supercap_soc >= store.soc_max, self._tripped("SUPERCAP")
        return StoreReading(self.bus.supercap_soc, power, temperature, full, hot)

    def _temperature(self, node: str) -> float:
        return float(self.thermal.temperature[self.thermal.names.index(node)])

    def _tripped(self, node: str) -> bool:
        return bool(self.thermal.tripped[self.thermal.names.index(node)])

    @property
    def heat(self) -> ThermalReading:
        net = self.thermal
        tripped = tuple(net.tripped.tolist())
        return ThermalReading(net.names, net.temperature, net.heat, net.warn, net.trip, tripped)

    def state(self) -> NDArray[np.float64]:
        """All continuous and counted state in one vector, for comparison."""
        bus = self.bus
        scalars = (
            self.working_mass,
            bus.supercap_energy,
            bus.battery_energy,
            bus.thrust_energy,
            bus.avionics_energy,
            bus.solar_energy,
            bus.supercap_heat,
            bus.battery_heat,
            bus.trips,
            self.avionics.voltage,
            self.driver.late_edges,
        )
        loads = list(self.avionics.load_on.values())
        return np.concatenate([scalars, loads, self._open, self._on_us, self._firings, self.thermal.temperature])
