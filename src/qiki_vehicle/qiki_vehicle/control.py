"""Sections of the vehicle file: modulation and control, as the allocator applies them."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from qiki_vehicle.files import Fraction, Integer, NonNegative, Positive, PositiveVector, Section

_Short = Annotated[NonNegative, Field(le=0.4)]


class PulseWidth(Section):
    """Pulse width modulation in windows."""

    window: _Short  # s
    carry: _Short  # s
    repair: _Short  # s
    tolerance: _Short  # s
    gap: _Short  # s


class Pwpf(Section):
    """Pulse-width pulse-frequency modulation."""

    km: Positive  # 1
    tm: Positive  # s
    uon: Positive  # 1
    uoff: Positive  # 1

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.uoff < self.uon < self.km:
            raise ValueError(f"uoff {self.uoff}, uon {self.uon}, km {self.km}; allowed: uoff < uon < km")
        return self


class BangBang(Section):
    """Bang-bang modulation with dead band and hysteresis."""

    on_level: Fraction
    off_level: Fraction

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.off_level < self.on_level:
            raise ValueError(f"off_level {self.off_level}; allowed: 0 to below on_level ({self.on_level})")
        return self


class ImpulseBit(Section):
    """Pulses chosen by the change of the motion that they give, for a gentle touch."""

    longest_pulse: Positive  # s
    velocity: PositiveVector  # m/s
    rate: PositiveVector  # rad/s
    error_left: Annotated[Positive, Field(le=1.0)]  # 1


class Modulation(Section):
    """Conversion of a wrench into pulses."""

    control_rate: Annotated[Positive, Field(ge=50.0, le=500.0)]  # Hz
    zero_torque_tolerance: Fraction  # of the largest torque of one thruster
    pulse_width: PulseWidth
    pwpf: Pwpf
    bang_bang: BangBang
    impulse_bit: ImpulseBit


class Attitude(Section):
    """Attitude loop and brake."""

    natural_frequency: Positive  # rad/s
    damping_ratio: Positive  # 1
    braking_share: Annotated[Positive, Field(le=1.0)]  # 1
    rate_limit: Positive  # rad/s
    brake_time: Positive  # s
    force_limit: PositiveVector  # N
    torque_limit: PositiveVector  # N m


class Rest(Section):
    """Motion below which a brake ends."""

    speed: Positive  # m/s
    rate: Positive  # rad/s
    timeout: Positive  # s


class Telemetry(Section):
    """Ages from which energy and thermal telemetry is stale, and lost."""

    stale: Positive  # s
    lost: Positive  # s

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lost < self.stale:
            raise ValueError(f"lost {self.lost} s; allowed: at least stale ({self.stale} s)")
        return self


class Profile(Section):
    """Limits of thrust profiles."""

    max_segments: Annotated[Integer, Field(ge=1, le=1000)]  # as many as a goal of ExecuteThrustProfile holds
    max_duration: Positive  # s
    max_gap: Positive  # s


class Control(Section):
    """Attitude control and limits."""

    attitude: Attitude
    rest: Rest
    telemetry: Telemetry
    energy_horizon: Positive  # s
    heat_horizon: NonNegative  # s
    profile: Profile
