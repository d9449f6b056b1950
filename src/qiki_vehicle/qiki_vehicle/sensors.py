"""Sections of the vehicle file: sensors."""

from typing import Annotated

from pydantic import Field

from qiki_vehicle.files import NonNegative, Section


class Noise(Section):
    """Standard deviation of each sample."""

    position: NonNegative  # m
    orientation: NonNegative  # rad
    velocity: NonNegative  # m/s
    angular_velocity: NonNegative  # rad/s
    soc: NonNegative  # 1
    bus_voltage: NonNegative  # V
    temperature: NonNegative  # K


Rate = Annotated[float, Field(ge=0.1, le=100.0)]


class Rates(Section):
    """Publishing rate of each topic, Hz."""

    odom: Rate
    thruster_state: Rate
    energy: Rate
    thermal: Rate
    battery: Rate
    supercap: Rate
    mass_properties: Rate


class Sensors(Section):
    """Noise and rates of what the hardware reports."""

    noise: Noise
    rates: Rates
