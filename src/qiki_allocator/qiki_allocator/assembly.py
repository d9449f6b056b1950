"""The core put together from a vehicle file and the node's parameters."""

import time
from collections.abc import Callable, Sequence

from qiki_allocator.allocation.allocator import Allocator
from qiki_allocator.allocation.thrusters import ThrusterArray
from qiki_allocator.flight.attitude import ControlConfig
from qiki_allocator.flight.controller import Controller
from qiki_allocator.flight.drive import Drive
from qiki_allocator.flight.motion_control import MotionControl, RestConfig
from qiki_allocator.flight.segments import ProfileConfig
from qiki_allocator.groups.selection import LOST_BELOW, Authority, GroupTable
from qiki_allocator.health.detector_settings import DetectorSettings
from qiki_allocator.health.watch import FaultWatch
from qiki_allocator.limits.burn_limits import BurnConfig
from qiki_allocator.limits.energy_gate import EnergyConfig, TelemetryAges
from qiki_allocator.limits.heat_bounds import Cluster, HeatConfig
from qiki_allocator.limits.limiter import Limiter
from qiki_allocator.modulation.impulse_bit import ImpulseBit, ImpulseBitSettings
from qiki_allocator.modulation.level_pulses import LevelPulses
from qiki_allocator.modulation.modulator import Modulator
from qiki_allocator.modulation.modulators import Modulators
from qiki_allocator.modulation.pulse_width import PulseWidth, PulseWidthSettings
from qiki_allocator.modulation.switched import BangBang, CycleSettings, Pwpf
from qiki_allocator.modulation.switching import BangBangSettings, PwpfSettings
from qiki_allocator.modulation.valves import ValveBank, ValveTiming
from qiki_vehicle import ConfigurationError, MassProperties, Vehicle

HULL_NODE = "HULL"
MODULATORS = ("pulse_width", "pwpf", "bang_bang", "impulse_bit")

LEAST_NOISE = 1e-6
"""m/s and rad/s, assumed of sensors without noise: the weight of a sample is finite."""


def assemble(
    vehicle: Vehicle,
    *,
    policy: str = "priority",
    unattainable: str = "closest",
    weights: Sequence[float] = (1.0,) * 6,
    modulator: str = "pulse_width",
    rate: float = 100.0,
    lead: float = 0.04,
    lost_authority: float = LOST_BELOW,
    fault_detection: bool = True,
    stopwatch: Callable[[], float] = time.perf_counter,
) -> Controller:
    """The controller of a vehicle; rate in Hz, lead in s.

    `lost_authority`: see `Authority`; `fault_detection`: thrusters are judged by the motion too.

    Raises:
        ConfigurationError: naming the field, value and allowed range.
    """
    array, propulsion = thrusters(vehicle), vehicle.propulsion
    allocator = Allocator(array, propulsion.watts_per_newton, policy, unattainable, weights=weights)
    body = MassProperties.of(vehicle.body)
    noise, timing, pulses = vehicle.sensors.noise, vehicle.valves, vehicle.modulation.pulse_width
    detection = DetectorSettings(
        max(noise.velocity, LEAST_NOISE), max(noise.angular_velocity, LEAST_NOISE), vehicle.sensors.rates.odom
    )
    bank = ValveBank(len(array), valve_timing(vehicle))

    def build(kind: str, bank: ValveBank) -> Modulator:
        return build_modulator(vehicle, kind, allocator, rate=rate, lead=lead, bank=bank)

    drive = Drive(
        Modulators(MODULATORS, build, modulator, bank, body),
        levels=LevelPulses(
            allocator.watts_per_newton * array.f_max, allocator.bus, window=pulses.window, lead=lead, gap=pulses.gap
        ),
        limiter=Limiter(
            allocator.watts_per_newton,
            energy_config(vehicle),
            heat_config(vehicle),
            BurnConfig(max_burn=timing.max_burn, cooldown=timing.cooldown, min_on=timing.min_on),
        ),
        faults=FaultWatch(array, body, detection, bank, by_motion=fault_detection),
        groups=GroupTable(propulsion.peak_power, propulsion.watts_per_newton, vehicle.modulation.zero_torque_tolerance),
        authority=Authority(lost_authority),
        watchdog=timing.watchdog,
        stopwatch=stopwatch,
    )
    control = vehicle.control
    motion = MotionControl(
        body, ControlConfig(**control.attitude.model_dump()), RestConfig(**control.rest.model_dump())
    )
    profiles = ProfileConfig(**control.profile.model_dump())
    return Controller(drive, motion, profiles, watchdog=timing.watchdog, tick=1.0 / rate)


def thrusters(vehicle: Vehicle) -> ThrusterArray:
    """The thrusters of a vehicle about its centre of mass, with all working mass on board."""
    return ThrusterArray.of(vehicle.thrusters, vehicle.body.com)


def valve_timing(vehicle: Vehicle) -> ValveTiming:
    """The timing rules of the valves."""
    valves = vehicle.valves
    return ValveTiming(valves.min_on, valves.min_off, valves.max_burn, valves.cooldown)


def build_modulator(
    vehicle: Vehicle, kind: str, allocator: Allocator, *, rate: float, lead: float, bank: ValveBank | None = None
) -> Modulator:
    """The modulator of a kind, one of `MODULATORS`, at a control rate, Hz, and a lead, s; `bank`: of its valves.

    Raises:
        ConfigurationError: there is no such kind, or its settings are impossible for the valves.
    """
    if kind not in MODULATORS:
        raise ConfigurationError(f"modulator: {kind!r}; allowed: one of {', '.join(MODULATORS)}")
    timing, tick, section = valve_timing(vehicle), 1.0 / rate, vehicle.modulation
    if kind == "pwpf":
        cycle = CycleSettings(lead=lead, tick=tick)
        return Pwpf(allocator, timing, PwpfSettings(**section.pwpf.model_dump()), cycle, bank)
    if kind == "bang_bang":
        cycle = CycleSettings(lead=lead, tick=tick, horizon=BangBang.HORIZON)
        levels = BangBangSettings(section.bang_bang.on_level, section.bang_bang.off_level)
        return BangBang(allocator, timing, levels, cycle, bank)
    pulses = section.pulse_width.model_dump()
    if kind == "impulse_bit":
        del pulses["tolerance"]
        bits = ImpulseBitSettings(lead=lead, tick=tick, **pulses, **section.impulse_bit.model_dump())
        return ImpulseBit(allocator, MassProperties.of(vehicle.body), timing, bits, bank)
    return PulseWidth(allocator, timing, PulseWidthSettings(lead=lead, tick=tick, **pulses), bank)


def _ages(vehicle: Vehicle) -> TelemetryAges:
    return TelemetryAges(**vehicle.control.telemetry.model_dump())


def energy_config(vehicle: Vehicle) -> EnergyConfig:
    """The propulsion bus and its gates."""
    bus = vehicle.propulsion
    return EnergyConfig(
        peak_power=bus.peak_power,
        continuous_power=bus.continuous_power,
        recharge_power=bus.supercap.recharge_power,
        capacity=bus.supercap.capacity,
        hold=bus.gates.hold,
        boost=bus.gates.boost,
        hysteresis=bus.gates.hysteresis,
        horizon=vehicle.control.energy_horizon,
        ages=_ages(vehicle),
    )


def heat_config(vehicle: Vehicle) -> HeatConfig:
    """The thermal side of the thrusters; what is left without fresh temperatures is the gates' share of the power."""
    thermal, bus, array = vehicle.thermal, vehicle.propulsion, thrusters(vehicle)
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
    stabilise = max(bus.continuous_power - bus.supercap.recharge_power, 0.0)
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
