"""Sections of the vehicle file: relative navigation and guidance to a port."""

import math
from typing import Annotated

from pydantic import Field

from qiki_vehicle.files import Fraction, Integer, NonNegative, Positive, Section


class Navigation(Section):
    """Filter of the own motion and of the partner's."""

    acceleration: Positive  # m/s^2, deviation of the own acceleration that is not commanded
    coasting_acceleration: Positive  # m/s^2, the same while no thruster fires
    settled: Positive  # s without commanded thrust after which none fires
    velocity_walk: Positive  # m/s per sqrt(s), random walk of the partner's velocity
    rate_walk: Positive  # rad/s per sqrt(s), of its rate
    partner_speed: Positive  # m/s, deviation of its speed before it is known, per axis
    partner_rate: Positive  # rad/s, of its rate
    gate: Positive  # 1, squared Mahalanobis distance (6 degrees of freedom) from which a sight is an outlier
    rejections: Annotated[Integer, Field(ge=2, le=100)]  # outliers in sequence that begin the track again
    coast: Positive  # s without sights that take the quality down to 0.5, and
    coast_share: NonNegative  # s/m, of the range in addition
    position_allowed: Positive  # m, deviation of the position at the quality 0.5, and
    share_allowed: NonNegative  # 1, of the range in addition
    speed_allowed: Positive  # m/s, deviation of the relative velocity at the quality 0.5, and
    speed_share_allowed: NonNegative  # 1/s, of the range in addition


class Plume(Section):
    """Plumes that must not hit the partner."""

    range: Positive  # m, within which
    half_angle: Annotated[Positive, Field(lt=math.pi / 4.0)]  # rad, of the cone
    braking: Positive  # m/s, wanted change of the speed away from the partner, above which the rule yields


class Prediction(Section):
    """Prediction of the contact."""

    sigmas: Positive  # standard deviations within the box
    back: Fraction  # 1, share of the box that the prediction must return to once it has left it
    velocity: NonNegative  # m/s, deviation per axis that the modulator leaves
    rate: NonNegative  # rad/s, the same of the rates


class Bands(Section):
    """Errors within which the bot coasts."""

    velocity: Positive  # m/s, from the velocity aimed at
    angle: Positive  # rad, from the target attitude
    rate: Positive  # rad/s, from the target's rate


class Coasting(Section):
    """Flight without thrust on the way to a hold point, and at it."""

    share: Annotated[Fraction, Field(lt=1.0)]  # 1, by which a correction aims below the largest speed allowed
    back: Annotated[Fraction, Field(gt=0.0)]  # 1, share of the bands in which a correction ends
    response: Positive  # s, time constant of a correction of the velocity
    far: Bands  # outside of passive_range
    near: Bands


class Steering(Section):
    """Law of guidance to a port."""

    gain: Positive  # 1/s, speed for each metre of distance from a point
    response: Positive  # s, time constant of the velocity across the axis and outside of the corridor
    closing_response: Positive  # s, along the axis
    acceleration: Positive  # m/s^2, the most that is commanded
    closing: Positive  # m/s, at contact
    push_off: Positive  # m/s
    fine_range: Positive  # m, within which the modulator is impulse_bit
    passive_range: Positive  # m, outside of which a bot without thrust misses the hull
    across_speed: Positive  # m/s, the most across the axis
    beside: NonNegative  # m; a range below its negative is no touching port, but a place beside the partner
    passive_reserve: NonNegative  # m, clearance of the drift cone below which a correction begins
    passive_margin: Positive  # m/s, of the speed below the one at which it just misses
    keep_out: NonNegative  # m, least distance of the hulls outside of the corridor
    detour: NonNegative  # m, of the way around, outside of the distance of the first hold point
    detour_step: Annotated[Positive, Field(lt=1.0)]  # rad, of each leg of it
    unknown_width: Positive  # m, half the width of a partner of unknown hull
    coast: Coasting
    navigation: Navigation
    plume: Plume
    prediction: Prediction
