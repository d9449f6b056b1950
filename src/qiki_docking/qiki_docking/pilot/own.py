"""Track of the own body from its odometry."""

import math
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_docking.pilot.covariance import correct, predict
from qiki_vehicle import Pose, quaternion
from qiki_vehicle.quaternion import rotated
from qiki_vehicle.sensors import Noise
from qiki_vehicle.vectors import Triple, along, crossed

Floats = npt.NDArray[np.float64]

_KEPT = 100
"""States kept, for sights that arrive late."""
_AHEAD = 0.15  # s; beyond the last odometry, a state is not extrapolated
_JUMP = 5.0
"""m, and m/s, by which no body departs from its track between two odometries: beyond it they are outliers."""


@dataclass(frozen=True, eq=False)
class OwnState:
    """Own motion, in world axes.

    Attributes:
        stamp: s.
        com: (3,) m, centre of mass.
        velocity: (3,) m/s, of it.
        orientation: (4,) of base_link.
        turning: (3,) rad/s.
    """

    stamp: float
    com: Floats
    velocity: Floats
    orientation: Floats
    turning: Floats

    def at(self, stamp: float) -> "OwnState":
        """Moved on uniformly, or back."""
        step = stamp - self.stamp
        turn = quaternion.from_rotation_vector(step * self.turning)
        orientation = quaternion.product(turn, self.orientation)
        return OwnState(stamp, self.com + step * self.velocity, self.velocity, orientation, self.turning)

    def pose(self, com: Floats) -> Pose:
        """Of base_link; com: (3,) m, centre of mass in it."""
        return Pose(self.com - quaternion.rotate(self.orientation, com), self.orientation)


class OwnTrack:
    """Kalman filter of the own motion: centre of mass and attitude, from noisy odometry.

    Noise is equal along all axes, so that one 2 x 2 covariance of position and velocity serves the three of them.

    Attributes:
        covariance: (2, 2) of position m and velocity m/s, per axis.
        angle_variance: rad^2, per axis.
        rate_variance: (rad/s)^2, per axis, of the odometry.
    """

    def __init__(self, noise: Noise, com: Floats, rejections: int) -> None:
        """rejections: outliers in sequence that are none: the track begins again at the last of them."""
        self._noise, self._rejections = noise, rejections
        self._rejected = 0
        self.com = com
        self._states: deque[OwnState] = deque(maxlen=_KEPT)
        self.covariance = np.zeros((2, 2))
        self.angle_variance = 0.0
        self.rate_variance = noise.angular_velocity**2

    @property
    def latest(self) -> OwnState | None:
        """The newest state; None: there is none."""
        return self._states[-1] if self._states else None

    def clear(self) -> None:
        """Forget everything."""
        self._states.clear()
        self._rejected = 0

    def observe(self, stamp: float, pose: Pose, twist: Floats, acceleration: float) -> None:
        """Take odometry in. One that is not newer than the last, or an outlier, is ignored.

        twist: (6,) m/s and rad/s in own axes, of base_link's origin.
        acceleration: m/s^2, deviation of the own acceleration since the last odometry.
        """
        noise, turn = self._noise, pose.orientation.tolist()
        own, com = twist.tolist(), self.com.tolist()
        turning = rotated(turn, own[3:])
        position = along(pose.position.tolist(), 1.0, rotated(turn, com))
        velocity = rotated(turn, along(own[:3], 1.0, crossed(own[3:], com)))
        last = self.latest
        if last is None:
            self._rejected = 0
            self.covariance = np.diag([max(noise.position, 1e-6) ** 2, max(noise.velocity, 1e-6) ** 2])
            self.angle_variance = noise.orientation**2
            self._keep(stamp, position, velocity, pose.orientation, turning)
            return
        step = stamp - last.stamp
        if step <= 0.0:
            return
        before, speed = last.turning.tolist(), last.velocity.tolist()
        place = along(last.com.tolist(), step, speed)
        off, faster = along(position, -1.0, place), along(velocity, -1.0, speed)
        if not max(math.hypot(*off), math.hypot(*faster)) <= _JUMP:
            self._rejected += 1
            if self._rejected >= self._rejections:
                self.clear()
                self.observe(stamp, pose, twist, acceleration)
            return
        self._rejected = 0
        covariance = predict(self.covariance, step, (acceleration * step) ** 2)
        covariance, gain = correct(covariance, 0, max(noise.position, 1e-6) ** 2)
        place, speed = along(place, gain[0], off), along(speed, gain[1], off)
        self.covariance, gain = correct(covariance, 1, max(noise.velocity, 1e-6) ** 2)
        faster = along(velocity, -1.0, speed)
        place, speed = along(place, gain[0], faster), along(speed, gain[1], faster)
        # The mean rate of the step: a pulse in it has changed the rate.
        mean = [0.5 * step * (old + new) for old, new in zip(before, turning, strict=True)]
        ahead = quaternion.product(quaternion.from_rotation_vector(mean), last.orientation)
        changed = math.hypot(*along(turning, -1.0, before))
        prior = self.angle_variance + (step * noise.angular_velocity) ** 2 + (0.25 * step * changed) ** 2
        gain_angle = prior / (prior + max(noise.orientation, 1e-7) ** 2)
        self.angle_variance = (1.0 - gain_angle) * prior
        turned = quaternion.rotation_vector(quaternion.product(turn, quaternion.conjugate(ahead)))
        orientation = quaternion.product(quaternion.from_rotation_vector(gain_angle * turned), ahead)
        orientation /= math.sqrt(float(orientation @ orientation))
        self._keep(stamp, place, speed, orientation, turning)

    def _keep(self, stamp: float, com: Triple, velocity: Triple, orientation: Floats, turning: Triple) -> None:
        place, speed, rate = np.array((com, velocity, turning))
        self._states.append(OwnState(stamp, place, speed, orientation, rate))

    def at(self, stamp: float) -> OwnState | None:
        """State at a time, s; None: it lies before the states kept, or too far after the newest."""
        states = self._states
        if not states or not states[0].stamp <= stamp <= states[-1].stamp + _AHEAD:
            return None
        after = bisect_right(states, stamp, key=lambda state: state.stamp)
        before = states[after - 1]
        return before.at(stamp)
