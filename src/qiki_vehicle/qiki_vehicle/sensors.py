"""Sections of the vehicle file: sensors."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from qiki_vehicle.files import Fraction, NonNegative, Number, Positive, Section

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


class DockCamera(Section):
    """Docking sensors: noise of the ports' cameras, and their flaws for Monte Carlo runs."""

    range_max: Positive  # m
    half_angle: Annotated[Positive, Field(lt=1.5)]  # rad, of the field of view, and at which a port's marker is seen
    position: _Deviation  # m, per axis
    position_share: _Deviation  # 1, of the range, per axis
    orientation: _Deviation  # rad, per axis
    force: _Deviation  # N, of the pull test
    slip: _Deviation  # m
    quality_far: Fraction  # at range_max
    quality_aslant: Fraction  # at half_angle
    delay: Annotated[NonNegative, Field(le=1.0)]  # s, from measurement to reading
    outlier_share: Fraction  # of the samples
    outlier: NonNegative  # m, standard deviation of an outlier's position; its angle in rad is a tenth of it
    dropout_every: NonNegative  # s, mean time between dropouts; 0: none
    dropout_min: NonNegative  # s, length of a dropout
    dropout_max: NonNegative  # s

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.dropout_min <= self.dropout_max:
            raise ValueError(f"dropout_min {self.dropout_min} s; allowed: 0 to dropout_max ({self.dropout_max} s)")
        if self.dropout_every and self.dropout_max >= self.dropout_every:
            raise ValueError(f"dropout_max {self.dropout_max} s; allowed: below dropout_every ({self.dropout_every} s)")
        return self


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
    dock: Rate


class Sensors(Section):
    """Noise and rates of what the hardware reports."""

    noise: Noise
    dock: DockCamera
    rates: Rates
