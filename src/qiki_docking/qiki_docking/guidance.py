"""Limits of guidance: corridor, speed, braking, passive drift. No orbital acceleration is modelled."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_vehicle.docking import Docking


def in_corridor(distance: float, lateral_offset: float, rules: Docking) -> bool:
    """The own face lies in the cone around the partner's port axis.

    distance, lateral_offset: m, `range` and `lateral_offset` of `PortMotion`. The cone's apex lies behind the partner's
    face, so that at the face it is as wide as the contact box. Values that are no finite number are outside.
    """
    width = rules.contact_box.lateral_offset + max(distance, 0.0) * math.tan(rules.approach.half_angle)
    return math.isfinite(distance) and 0.0 <= lateral_offset <= width


def braking_speed(distance: float, deceleration: float, rules: Docking) -> float:
    """Largest closing speed, m/s, at which the bot stops `stop_reserve` before the partner's face.

    v^2 / 2 a + v latency <= distance - reserve, solved for v. `deceleration`: m/s^2 that is certain, after one more
    failure; 0 where none is.
    """
    room = distance - rules.approach.stop_reserve
    if not (room > 0.0 and deceleration > 0.0):
        return 0.0
    lag = rules.approach.latency
    # The root of v^2 + 2 a lag v - 2 a room in the form that loses no digits.
    return 2.0 * room / (lag + math.sqrt(lag * lag + 2.0 * room / deceleration))


def speed_limit(distance: float, deceleration: float, rules: Docking) -> float:
    """Largest speed, m/s, towards the partner: that of the zone, and outside of the last hold point the braking speed.

    Inside of the last hold point the bot closes at the speed of the contact box: there it touches on purpose.
    """
    points = rules.hold_points
    if not distance > points[-1]:
        return rules.contact_box.closing_max
    zone = rules.approach.far_speed if distance > points[0] else rules.approach.near_speed
    return min(zone, braking_speed(distance, deceleration, rules))


@dataclass(frozen=True)
class Drift:
    """Straight line of a bot without thrust, against one hull.

    Attributes:
        clearance: m, least distance of the drift cone from the hull within the horizon; negative: the hull is hit.
        time: s, at which it is least.
    """

    clearance: float
    time: float

    @property
    def misses(self) -> bool:
        """The cone misses the hull."""
        return self.clearance > 0.0


def drift(
    position: npt.ArrayLike, velocity: npt.ArrayLike, deviations: tuple[float, float], radius: float, rules: Docking
) -> Drift:
    """Drift past a sphere at the origin that holds both hulls' extents.

    position m, velocity m/s: (3,), of the bot's centre against that of the partner's hull.
    deviations: standard deviation of position, m, and of velocity, m/s, per axis.
    radius: m, of both hulls together.

    The distance |p + v t| less radius + k (s_p + s_v t) is convex in t, for s_p + s_v t is linear and bounds the true
    deviation from above. Its minimum therefore lies at an end of the horizon, or where its slope is zero.
    """
    p, v = np.asarray(position, dtype=float), np.asarray(velocity, dtype=float)
    sigmas, horizon = rules.approach.drift_sigmas, rules.approach.drift_horizon
    grown = sigmas * deviations[1]

    def clearance(seconds: float) -> float:
        reach = radius + sigmas * deviations[0] + grown * seconds
        return float(np.linalg.norm(p + v * seconds)) - reach

    speed = float(np.linalg.norm(v))
    candidates = [0.0, horizon]
    if speed > grown:
        # |p + v t| = sqrt(d^2 + s^2 (t - t0)^2) with d the miss distance: its slope equals `grown` at one t.
        nearest = -float(p @ v) / speed**2
        miss = float(np.linalg.norm(p + v * nearest))
        stationary = nearest + grown * miss / (speed * math.sqrt(speed**2 - grown**2))
        candidates.append(min(max(stationary, 0.0), horizon))
    time = min(candidates, key=clearance)
    return Drift(clearance(time), time)
