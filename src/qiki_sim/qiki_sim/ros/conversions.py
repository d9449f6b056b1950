"""Readings to messages. Messages are reused: each function fills the one it is given."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, Any

from sensor_msgs.msg import BatteryState

from qiki_msgs.msg import Energy, Thermal, ThrusterState

if TYPE_CHECKING:
    from geometry_msgs.msg import InertiaStamped
    from nav_msgs.msg import Odometry

    from qiki_sim.readings import EnergyReading, Motion, StoreReading, ThermalReading, ValveReading
    from qiki_vehicle import MassProperties
    from qiki_vehicle.sensors import Noise


def fill_vector(message: Any, values: Any) -> None:
    """A message with x, y, z and perhaps w."""
    numbers = values.tolist()
    message.x, message.y, message.z = numbers[:3]
    if len(numbers) == 4:
        message.w = numbers[3]


def set_covariance(message: Odometry, noise: Noise) -> None:
    for covariance, linear, angular in (
        (message.pose.covariance, noise.position, noise.orientation),
        (message.twist.covariance, noise.velocity, noise.angular_velocity),
    ):
        for axis in range(3):
            covariance[7 * axis] = linear**2
            covariance[7 * (axis + 3)] = angular**2


def fill_odometry(message: Odometry, motion: Motion) -> None:
    fill_vector(message.pose.pose.position, motion.position)
    fill_vector(message.pose.pose.orientation, motion.orientation)
    fill_vector(message.twist.twist.linear, motion.velocity)
    fill_vector(message.twist.twist.angular, motion.angular_velocity)


def fill_inertia(message: InertiaStamped, properties: MassProperties) -> None:
    inertia = message.inertia
    inertia.m = properties.mass
    fill_vector(inertia.com, properties.com)
    (inertia.ixx, inertia.ixy, inertia.ixz), (_, inertia.iyy, inertia.iyz), (_, _, inertia.izz) = (
        properties.inertia.tolist()
    )


def fill_thruster_state(message: ThrusterState, reading: ValveReading, duty: list[float]) -> None:
    message.open = list(reading.open)
    message.health = array("B", reading.health)
    message.duty = array("f", duty)
    message.on_time = array("d", reading.on_time.tolist())
    message.firings = array("I", reading.firings)
    message.working_mass = reading.working_mass
    message.late_edges = reading.late_edges
    message.commands = reading.commands
    message.watchdog = reading.watchdog


def fill_energy(message: Energy, reading: EnergyReading, mean_power: float) -> None:
    message.thrust_power = reading.thrust_power
    message.thrust_power_mean = mean_power
    message.supercap_soc = float(reading.supercap_soc)
    message.supercap_energy = reading.supercap_energy
    message.supercap_recharge_power = reading.recharge_power
    message.battery_soc = float(reading.battery_soc)
    message.battery_energy = reading.battery_energy
    message.continuous_power = reading.continuous_power
    message.peak_power = reading.peak_power
    message.pdu = Energy.PDU_TRIPPED if reading.tripped else Energy.PDU_ON
    message.pdu_trips = reading.trips
    message.thrust_energy = reading.thrust_energy
    message.bus_voltage = float(reading.bus_voltage)
    message.bus_current = reading.bus_current
    message.avionics_power = reading.avionics_power
    message.loads = list(reading.loads)
    message.load_on = list(reading.load_on)
    message.solar_power = reading.solar_power
    message.dock_power = reading.dock_power


def fill_thermal(message: Thermal, reading: ThermalReading) -> None:
    message.name = list(reading.names)
    message.temperature = array("f", reading.temperature)
    message.heat = array("f", reading.heat)
    message.warn = array("f", reading.warn)
    message.trip = array("f", reading.trip)
    warm = (reading.temperature >= reading.warn).tolist()
    message.status = array(
        "B",
        [
            Thermal.STATUS_TRIPPED if tripped else Thermal.STATUS_WARN if warning else Thermal.STATUS_OK
            for tripped, warning in zip(reading.tripped, warm, strict=True)
        ],
    )


def fill_battery(message: BatteryState, reading: StoreReading, location: str) -> None:
    """Voltage, current and charge are not modelled: NaN. Of the store's health the model knows its temperature."""
    message.voltage = message.current = message.charge = message.capacity = message.design_capacity = math.nan
    message.temperature = float(reading.temperature)
    message.percentage = float(reading.soc)
    message.present = True
    message.location = location
    message.power_supply_health = (
        BatteryState.POWER_SUPPLY_HEALTH_OVERHEAT if reading.overheated else BatteryState.POWER_SUPPLY_HEALTH_GOOD
    )
    message.power_supply_technology = BatteryState.POWER_SUPPLY_TECHNOLOGY_UNKNOWN
    if reading.power > 0.0 and not reading.full:
        message.power_supply_status = BatteryState.POWER_SUPPLY_STATUS_CHARGING
    elif reading.power < 0.0:
        message.power_supply_status = BatteryState.POWER_SUPPLY_STATUS_DISCHARGING
    elif reading.full:
        message.power_supply_status = BatteryState.POWER_SUPPLY_STATUS_FULL
    else:
        message.power_supply_status = BatteryState.POWER_SUPPLY_STATUS_NOT_CHARGING
