"""The core put together from a vehicle file and the node's parameters."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from qiki_allocator.allocation.allocator import Allocator
from qiki_allocator.flight.attitude import Body, ControlConfig
from qiki_allocator.flight.controller import Controller
from qiki_allocator.flight.drive import Drive
from qiki_allocator.flight.motion_control import MotionControl, RestConfig
from qiki_allocator.flight.profile import ProfileConfig
from qiki_allocator.groups.selection import GroupTable
from qiki_allocator.health.detector_settings import DetectorSettings
from qiki_allocator.health.watch import FaultWatch
from qiki_allocator.limits.burn_limits import BurnConfig
from qiki_allocator.limits.energy_gate import EnergyConfig, TelemetryAges
from qiki_allocator.limits.heat_bounds import Cluster, HeatConfig
from qiki_allocator.limits.limiter import Limiter
from qiki_allocator.modulation.level_pulses import LevelPulses
from qiki_allocator.vehicle import Vehicle

HULL_NODE = "HULL"


def assemble(
    vehicle: Vehicle,
    *,
    policy: str = "priority",
    unattainable: str = "closest",
    weights: Sequence[float] = (1.0,) * 6,
    modulator: str = "pulse_width",
    rate: float = 100.0,
    lead: float = 0.04,
    precise: bool = False,
    stopwatch: Callable[[], float] = time.perf_counter,
) -> Controller:
    """The controller of a vehicle; rate in Hz, lead in s.

    Raises:
        ConfigurationError: naming the field, value and allowed range.
    """
    array, propulsion = vehicle.thrusters, vehicle.propulsion
    allocator = Allocator(array, propulsion.watts_per_newton, policy, unattainable, weights=weights)
    body = Body(vehicle.body.mass, np.diag(vehicle.body.inertia), np.array(vehicle.body.com))
    noise, timing, pulses = vehicle.sensors.noise, vehicle.valves, vehicle.modulation.pulse_width
    detection = DetectorSettings(noise.velocity, noise.angular_velocity, vehicle.sensors.rates.odom)
    drive = Drive(
        vehicle.modulator(modulator, allocator, rate=rate, lead=lead, precise=precise),
        levels=LevelPulses(allocator.watts_per_newton * array.f_max, window=pulses.window, lead=lead, gap=pulses.gap),
        limiter=Limiter(
            allocator.watts_per_newton,
            energy_config(vehicle),
            heat_config(vehicle),
            BurnConfig(max_burn=timing.max_burn, cooldown=timing.cooldown, min_on=timing.min_on),
        ),
        faults=FaultWatch(array, body, detection),
        groups=GroupTable(propulsion.peak_power, propulsion.watts_per_newton, vehicle.modulation.zero_torque_tolerance),
        stopwatch=stopwatch,
    )
    control = vehicle.control
    motion = MotionControl(
        body, ControlConfig(**control.attitude.model_dump()), RestConfig(**control.rest.model_dump())
    )
    profiles = ProfileConfig(**control.profile.model_dump())
    return Controller(drive, motion, profiles, watchdog=timing.watchdog, tick=1.0 / rate)


def _ages(vehicle: Vehicle) -> TelemetryAges:
    return TelemetryAges(**vehicle.control.telemetry.model_dump())


def energy_config(vehicle: Vehicle) -> EnergyConfig:
    """The propulsion bus and its gates."""
    bus = vehicle.propulsion
    return EnergyConfig(
        peak_power=bus.peak_power,
        continuous_power=bus.continuous_power,
        recharge_power=bus.supercap["recharge_power"],
        capacity=bus.supercap["capacity"],
        hold=bus.gates.hold,
        boost=bus.gates.boost,
        hysteresis=bus.gates.hysteresis,
        horizon=vehicle.control.energy_horizon,
        ages=_ages(vehicle),
    )


def heat_config(vehicle: Vehicle) -> HeatConfig:
    """The thermal side of the thrusters; what is left without fresh temperatures is the gates' share of the power."""
    thermal, bus, array = vehicle.thermal, vehicle.propulsion, vehicle.thrusters
    clusters = []
    for name in dict.fromkeys(array.clusters):
        node = f"RCS_{name}"
        data = thermal.nodes[node]
        links = [link.conductance for link in thermal.links if set(link.between) == {node, HULL_NODE}]
        clusters.append(
            Cluster(
                name=name,
                node=node,
                thrusters=tuple(i for i, cluster in enumerate(array.clusters) if cluster == name),
                capacity=data.capacity,
                conductance=sum(links),
                warn=data.trip if data.warn is None else data.warn,
                trip=data.trip,
            )
        )
    stabilise = max(bus.continuous_power - bus.supercap["recharge_power"], 0.0)
    return HeatConfig(
        thrusters=len(array),
        clusters=tuple(clusters),
        hull_node=HULL_NODE,
        heat_fraction=thermal.cluster_heat_fraction,
        hysteresis=thermal.hysteresis,
        horizon=vehicle.control.heat_horizon,
        ages=_ages(vehicle),
        stale_factor=bus.continuous_power / bus.peak_power,
        lost_factor=stabilise / bus.peak_power,
    )
