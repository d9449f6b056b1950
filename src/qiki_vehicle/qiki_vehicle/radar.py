"""Sections of the vehicle file: radar, and the tracks made of its returns."""

import math
from typing import Annotated, Self

from pydantic import Field, model_validator

from qiki_vehicle.files import Fraction, Integer, NonNegative, Number, Positive, Section

_Small = Annotated[Positive, Field(lt=math.pi / 4.0)]


class Radar(Section):
    """Radar: what a frame of it holds. Its frame is base_link."""

    rate: Annotated[Positive, Field(ge=0.1, le=100.0)]  # Hz, frames
    range_max: Positive  # m
    detection: Annotated[Fraction, Field(gt=0.0)]  # 1, probability that a body in range gives a return
    clutter: NonNegative  # 1, mean number of false returns in a frame
    range: Positive  # m, standard deviation
    angle: _Small  # rad, of bearing and of elevation
    radial_velocity: Positive  # m/s
    extent: NonNegative  # m, radius of a body's hull: its return comes from some point of it
    range_resolution: Positive  # m, bodies nearer to each other than this, and
    angle_resolution: _Small  # rad, than this, give one return
    radial_velocity_max: Positive  # m/s, of a return
    short_range: Positive  # m, up to which identity exists: band SR, beyond LR
    band_hysteresis: NonNegative  # m
    reference_snr: Number  # dB, of a body of 1 m^2 at short_range
    debris: NonNegative  # m^2, radar cross section below that of any craft
    detections_max: Annotated[Integer, Field(ge=1, le=100_000)]  # 1, of a frame; the nearest are kept

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.band_hysteresis < self.short_range <= self.range_max:
            raise ValueError(
                f"short_range {self.short_range} m; allowed: above band_hysteresis ({self.band_hysteresis} m), "
                f"up to range_max ({self.range_max} m)"
            )
        return self


class Tracking(Section):
    """Life of a track."""

    acceleration: Positive  # m/s^2 per sqrt(Hz), density of the unknown acceleration per axis
    speed: Positive  # m/s, deviation of the velocity across the line of sight before it is known
    gate: Annotated[Positive, Field(ge=0.5, lt=1.0)]  # 1, probability that an own return falls into the gate
    confirm_hits: Annotated[Integer, Field(ge=1, le=20)]  # returns in
    confirm_frames: Annotated[Integer, Field(ge=1, le=32)]  # frames that confirm a track
    coast_misses: Annotated[Integer, Field(ge=1, le=100)]  # frames in sequence without a return: COASTING
    stale: Positive  # s without a return: LOST
    dead: Positive  # s without a return: the track ends
    tracks_max: Annotated[Integer, Field(ge=1, le=10_000)]  # 1
    reply_share: Annotated[Fraction, Field(gt=0.5)]  # 1, posterior probability from which a reply is of a track
    reply_gate: Annotated[
        Positive, Field(ge=0.5, lt=1.0)
    ]  # 1, probability that a track's own reply falls into the gate

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.confirm_hits > self.confirm_frames:
            raise ValueError(f"confirm_hits {self.confirm_hits}; allowed: 1 to confirm_frames ({self.confirm_frames})")
        if not self.stale < self.dead:
            raise ValueError(f"stale {self.stale} s; allowed: below dead ({self.dead} s)")
        return self
