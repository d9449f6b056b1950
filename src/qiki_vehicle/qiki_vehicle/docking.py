"""Sections of the vehicle file: docking, as docking's state machine and guidance apply it."""

import math
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from qiki_vehicle.files import Fraction, Integer, NonNegative, Number, Positive, Section
from qiki_vehicle.guidance import Steering

_Count = Annotated[Integer, Field(ge=1, le=100)]


class ContactLimits(Section):
    """First-contact box: motion of the own port in the partner's, at first contact."""

    closing_min: NonNegative  # m/s
    closing_max: Positive  # m/s
    lateral_rate: Positive  # m/s
    tilt_rate: Positive  # rad/s, pitch and yaw, vector sum
    roll_rate: Positive  # rad/s
    lateral_offset: Positive  # m
    tilt: Positive  # rad, pitch and yaw, vector sum
    roll: Positive  # rad

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.closing_min < self.closing_max:
            raise ValueError(f"closing_min {self.closing_min} m/s; allowed: below closing_max ({self.closing_max} m/s)")
        return self


class Validity(Section):
    """Conditions on which a measurement counts."""

    max_age: Positive  # s
    max_ahead: NonNegative  # s, of the stamp before the clock
    quality_min: Fraction
    samples: _Count  # consecutive valid ones that confirm


class Approach(Section):
    """Flight along the corridor to each hold point."""

    half_angle: Annotated[Positive, Field(lt=1.0)]  # rad, of the corridor
    far_speed: Positive  # m/s, beyond the first hold point
    near_speed: Positive  # m/s, inside of it
    position_tolerance: Positive  # m, at a hold point
    speed_tolerance: Positive  # m/s, at a hold point
    timeout: Positive  # s, of each leg
    blind: Positive  # s without valid navigation that end the approach
    stop_reserve: NonNegative  # m, before the partner's face, at which the bot can always stop
    latency: NonNegative  # s, from measurement to thrust
    drift_horizon: Positive  # s, over which a bot without thrust misses every hull
    drift_sigmas: Positive  # standard deviations of the drift cone


class Align(Section):
    """Settling at the last hold point, closing, capture."""

    tilt: Positive  # rad, settled
    roll: Positive  # rad
    tilt_rate: Positive  # rad/s
    roll_rate: Positive  # rad/s
    settle_timeout: Positive  # s
    close_timeout: Positive  # s
    blind: Positive  # s without valid navigation that end the closing
    predict_from: Positive  # m, range from which the box must hold
    predict_to: Positive  # m, and to which: nearer, the ports may touch
    capture_timeout: Positive  # s from contact
    seat_force: Positive  # N, mean
    seat_duration: Positive  # s

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.predict_to < self.predict_from:
            raise ValueError(f"predict_to {self.predict_to} m; allowed: below predict_from ({self.predict_from} m)")
        return self


class Soft(Section):
    """Soft capture: the magnets damp the motion between the ports."""

    lateral_rate: Positive  # m/s, damped
    tilt_rate: Positive  # rad/s
    timeout: Positive  # s
    blind: Positive  # s without valid port sensors that end it


class Checks(Section):
    """Checks of hard docking, in their order."""

    attempts: _Count  # of each check
    blind: Positive  # s without a valid measurement that fail a check passed before
    lock_timeout: Positive  # s
    pull_force: Positive  # N
    pull_tolerance: Positive  # N
    slip_max: Positive  # m, of each sensor under that force
    slip_disagreement: Positive  # m, between both sensors
    pull_timeout: Positive  # s
    isolation_min: Positive  # ohm
    reverse_max: NonNegative  # V, of reversed polarity
    electrical_timeout: Positive  # s
    umbilical_timeout: Positive  # s
    handshake_timeout: Positive  # s
    passport_timeout: Positive  # s
    temperature_max: Annotated[Number, Field(ge=-200, le=200)]  # degC, of the port
    clearance_timeout: Positive  # s
    close_timeout: Positive  # s, from closing to measured volts


class Undock(Section):
    """Undocking sequence and the way back."""

    attempts: _Count  # of each step
    current_max: Positive  # A, taken for none
    volts_max: Positive  # V, across open contacts
    power_timeout: Positive  # s
    contacts_timeout: Positive  # s
    unlock_timeout: Positive  # s
    separation: Positive  # m, range from which the ports are apart
    separation_timeout: Positive  # s
    retreat_timeout: Positive  # s
    arm_time: Positive  # s for which an emergency release stays armed


class Docking(Section):
    """Docking: limits, timing, retries."""

    contact_box: ContactLimits
    validity: Validity
    hold_points: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=10)]  # m, range, outermost first
    retreat_hold: Positive  # m, hold point at which abandoned docking ends
    retries: Annotated[Integer, Field(ge=0, le=20)]  # after the first try
    reservation: Positive  # s, lease of a port
    restart_timeout: Positive  # s, for the sensors to confirm a rebuilt state
    approach: Approach
    guidance: Steering
    align: Align
    soft: Soft
    checks: Checks
    undock: Undock

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        points = list(self.hold_points)
        if any(a <= b for a, b in pairwise(points)):
            raise ValueError(f"hold_points {points} m; allowed: each smaller than the one before")
        if self.retreat_hold not in points:
            raise ValueError(f"retreat_hold {self.retreat_hold} m; allowed: one of hold_points {points} m")
        if not self.align.predict_from < points[-1]:
            raise ValueError(
                f"align.predict_from {self.align.predict_from} m; "
                f"allowed: below the last of hold_points ({points[-1]} m)"
            )
        box = self.contact_box
        if not box.closing_min < self.guidance.closing < box.closing_max:
            raise ValueError(
                f"guidance.closing {self.guidance.closing} m/s; allowed: above contact_box.closing_min "
                f"({box.closing_min} m/s), below closing_max ({box.closing_max} m/s)"
            )
        return self


class Bridge(Section):
    """Power bridge of a docked port."""

    resistance: Positive  # ohm of one hop, there and back
    capacitance: Positive  # F behind the contacts
    precharge_resistance: Positive  # ohm
    precharge_share: Annotated[Positive, Field(lt=1.0)]  # of the source's volts
    precharge_time_constants: Positive  # within which it is reached
    soft_start: Positive  # s
    volts_max: Positive  # V
    current_max: Positive  # A
    back_current_max: Positive  # A, against the direction of feeding
    drop_max: Positive  # V, across closed contacts
    depth_max: _Count  # hops from the source
    handover_timeout: Positive  # s, for another edge to take over before one is opened

    @model_validator(mode="after")
    def _possible(self) -> Self:
        reached = 1.0 - math.exp(-self.precharge_time_constants)
        if self.precharge_share > reached:
            raise ValueError(
                f"precharge_share {self.precharge_share}; allowed: at most {reached:.4f}, which "
                f"precharge_time_constants {self.precharge_time_constants} give"
            )
        return self
