"""Sections of the vehicle file: sensors."""

from typing import Annotated

from pydantic import Field

from qiki_vehicle.files import NonNegative, Number, Section

_Deviation = Annotated[NonNegative, Field(le=1e6)]


class Noise(Section):
    """Standard deviation of each sample."""

    position: _Deviation  # m
    orientation: _Deviation  # rad
    velocity: _Deviation  # m/s
    angular_velocity: _Deviation  # rad/s
    soc: _Deviation  # 1
    bus_voltage: _Deviation  # V
    temperature: _Deviation  # K


Rate = Annotated[Number, Field(ge=0.1, le=100.0)]


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
