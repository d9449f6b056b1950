"""Attitude hold, rate damping and brake: wrenches computed from a body's motion.

Pure functions. Rates (3,) rad/s, velocities (3,) m/s and wrenches (6,) N, N m are in base_link, torque about the centre
of mass. Quaternions (4,) x, y, z, w turn base_link into world.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_allocator.checks import require
from qiki_vehicle import ConfigurationError, MassProperties, quaternion
from qiki_vehicle.vectors import cross

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ControlConfig:
    """Gains and limits of attitude hold and brake.

    Attributes:
        natural_frequency: rad/s of the attitude loop, > 0; sampled slower than about ten times that it may ring.
        damping_ratio: of the attitude loop, > 0; 1 is critical.
        braking_share: share of the torque limit that a slew plans its deceleration with, above 0 to 1;
            the rest is left to the gyroscopic torque and the loop.
        rate_limit: rad/s, of a slew, > 0.
        brake_time: s, > 0, in which a brake inside its limits takes the motion down to 1/e.
        force_limit, torque_limit: (3) N and N m, per axis of base_link, > 0. A wrench beyond keeps its direction.

    Raises:
        ConfigurationError: naming field, value and allowed range.
    """

    natural_frequency: float
    damping_ratio: float
    braking_share: float
    rate_limit: float
    brake_time: float
    force_limit: tuple[float, float, float]
    torque_limit: tuple[float, float, float]

    def __post_init__(self) -> None:
        require("natural_frequency", self.natural_frequency, "rad/s", 0.0, above=True)
        require("damping_ratio", self.damping_ratio, "", 0.0, above=True)
        require("braking_share", self.braking_share, "", 0.0, 1.0, above=True)
        require("rate_limit", self.rate_limit, "rad/s", 0.0, above=True)
        require("brake_time", self.brake_time, "s", 0.0, above=True)
        for name, unit in (("force_limit", "N"), ("torque_limit", "N m")):
            values = getattr(self, name)
            if len(values) != 3:
                raise ConfigurationError(f"{name}: {values}; allowed: three numbers")
            for axis, value in zip("xyz", values, strict=True):
                require(f"{name}.{axis}", value, unit, 0.0, above=True)


def gains(body: MassProperties, config: ControlConfig) -> tuple[Floats, Floats]:
    """Stiffness (3, 3) N m/rad and damping (3, 3) N m s/rad of the attitude loop.

    K = I wn^2 and D = 2 zeta wn I give the linearised loop I e'' + D e' + K e = 0 the natural frequency and damping
    ratio asked for about every axis.
    """
    wn = config.natural_frequency
    return body.inertia * wn**2, body.inertia * (2.0 * config.damping_ratio * wn)


def attitude_error(attitude: npt.ArrayLike, target: npt.ArrayLike) -> Floats:
    """Rotation vector (3,) rad in base_link that turns `attitude` into `target` the shortest way, at most pi long.

    Raises:
        ValueError: a quaternion is not finite, or its length not within 0.99 to 1.01.
    """
    inverse = quaternion.conjugate(quaternion.unit("attitude", attitude).tolist())
    turn = quaternion.product(inverse.tolist(), quaternion.unit("target", target).tolist())
    return quaternion.rotation_vector(turn.tolist())


def attitude_hold(
    attitude: npt.ArrayLike,
    rates: npt.ArrayLike,
    target: npt.ArrayLike,
    body: MassProperties,
    config: ControlConfig,
    *,
    turn: npt.ArrayLike = (0.0, 0.0, 0.0),
) -> Floats:
    """Wrench (6,), a pure torque, that brings the body to rest at the `target` attitude, or turns it along with a
    target that turns at `turn`, (3,) rad/s in world.

    Near the target it is the proportional-derivative law K e - D w + w x (I w) with `gains`. Further away the rate that
    K e stands for, e wn / (2 zeta), is kept to the rate from which a share of the torque limit can still stop the slew
    at the target, and to the rate limit: so the slew turns about one axis and does not overshoot.

    Raises:
        ValueError: an argument is not finite or of another shape, or a quaternion not of unit length.
    """
    w = _vector("rates", rates)
    wanted = _slew_rate(attitude_error(attitude, target), body, config)
    if np.any(turn):
        inverse = quaternion.conjugate(quaternion.unit("attitude", attitude).tolist())
        wanted = wanted + quaternion.rotate(inverse.tolist(), _vector("turn", turn).tolist())
    _, damping = gains(body, config)
    torque = damping @ (wanted - w) + cross(w, body.inertia @ w)
    return np.concatenate([np.zeros(3), _within(torque, config.torque_limit)])


def rate_damping(rates: npt.ArrayLike, body: MassProperties, config: ControlConfig) -> Floats:
    """Wrench (6,), a pure torque -D w along the angular momentum, that takes the rates to zero.

    It needs no gyroscopic term: the angular momentum H = I w decays along itself (H' = -2 zeta wn H in world), and the
    energy falls at any limit.

    Raises:
        ValueError: rates are not finite or of another shape.
    """
    _, damping = gains(body, config)
    torque = -damping @ _vector("rates", rates)
    return np.concatenate([np.zeros(3), _within(torque, config.torque_limit)])


def brake(velocity: npt.ArrayLike, rates: npt.ArrayLike, body: MassProperties, config: ControlConfig) -> Floats:
    """Wrench (6,) against the motion: force -m v / T and torque -I w / T, T = brake_time, each within its limit.

    It is the whole command: whatever else was commanded is dropped. `velocity` is that of the origin of base_link (as
    in nav_msgs/Odometry); v is that of the centre of mass. Force opposes v and torque opposes the angular momentum, so
    that the energy of both falls at any limit.

    Raises:
        ValueError: an argument is not finite or of another shape.
    """
    w = _vector("rates", rates)
    v = _vector("velocity", velocity) + cross(w, body.com)
    force = v * (-body.mass / config.brake_time)
    torque = body.inertia @ w * (-1.0 / config.brake_time)
    return np.concatenate([_within(force, config.force_limit), _within(torque, config.torque_limit)])


def _slew_rate(error: Floats, body: MassProperties, config: ControlConfig) -> Floats:
    """Rate (3,) rad/s to turn at with `error` (3,) rad to go.

    With a deceleration a and slope k = wn / (2 zeta): k e up to e = a / k^2, then sqrt(2 a e - (a / k)^2), which
    continues it smoothly and is the rate from which the constant deceleration a leads onto the straight line.
    """
    angle = math.sqrt(float(error @ error))
    if angle < 1e-12:
        return np.zeros(3)
    axis = error / angle
    slope = config.natural_frequency / (2.0 * config.damping_ratio)
    per_acceleration = (body.inertia @ axis).tolist()
    deceleration = config.braking_share * min(
        limit / max(abs(need), 1e-9) for limit, need in zip(config.torque_limit, per_acceleration, strict=True)
    )
    rate = slope * angle
    if angle > deceleration / slope**2:
        rate = math.sqrt(2.0 * deceleration * angle - (deceleration / slope) ** 2)
    return axis * min(rate, config.rate_limit)


def _within(vector: Floats, limit: tuple[float, float, float]) -> Floats:
    """`vector` scaled down, direction kept, until each component is within its limit."""
    excess = max(abs(value) / most for value, most in zip(vector.tolist(), limit, strict=True))
    return vector / excess if excess > 1.0 else vector


def _vector(name: str, values: npt.ArrayLike) -> Floats:
    vector = np.asarray(values, dtype=float)
    if vector.shape != (3,) or not all(map(math.isfinite, vector.tolist())):
        raise ValueError(f"{name}: {vector.tolist()}; allowed: three finite numbers")
    return vector
