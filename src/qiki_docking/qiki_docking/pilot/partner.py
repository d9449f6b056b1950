"""Track of the partner's port from sights."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_docking.pilot.covariance import correct, predict
from qiki_vehicle import quaternion
from qiki_vehicle.guidance import Navigation

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PartnerState:
    """Motion of the partner's port, in world axes.

    Attributes:
        stamp: s.
        position: (3,) m, centre of the port's face.
        velocity: (3,) m/s, of it.
        orientation: (4,) of the partner's base_link.
        turning: (3,) rad/s.
        place: (2, 2) covariance of position and velocity, per axis.
        angle: (2, 2) covariance of angle and rate, per axis.
    """

    stamp: float
    position: Floats
    velocity: Floats
    orientation: Floats
    turning: Floats
    place: Floats
    angle: Floats

    def at(self, stamp: float, rules: Navigation) -> "PartnerState":
        """Propagated to a later time."""
        step = max(stamp - self.stamp, 0.0)
        turn = quaternion.from_rotation_vector(step * self.turning)
        return PartnerState(
            stamp,
            self.position + step * self.velocity,
            self.velocity,
            quaternion.product(turn, self.orientation),
            self.turning,
            predict(self.place, step, rules.velocity_walk**2 * step),
            predict(self.angle, step, rules.rate_walk**2 * step),
        )


class PartnerTrack:
    """Kalman filter of a body that drifts and turns nearly uniformly; outliers are rejected by Mahalanobis distance.

    Attributes:
        state: the latest; None: never seen.
        rejected: sights rejected since the last that was taken.
    """

    def __init__(self, rules: Navigation) -> None:
        self._rules = rules
        self.state: PartnerState | None = None
        self.rejected = 0

    def clear(self) -> None:
        """Forget everything."""
        self.state, self.rejected = None, 0

    def at(self, stamp: float) -> PartnerState | None:
        """Propagated to a time; None: never seen."""
        return None if self.state is None else self.state.at(stamp, self._rules)

    def observe(self, stamp: float, position: Floats, orientation: Floats, place: float, angle: float) -> bool:
        """Take a sight in; False: it is older than the state, or an outlier.

        position: (3,) m of the port, orientation: (4,) of base_link, in world.
        place, angle: variances, m^2 and rad^2, per axis.

        `rejections` outliers in sequence are none: the track begins again at the last of them.
        """
        rules = self._rules
        if self.state is None:
            self._begin(stamp, position, orientation, place, angle)
            return True
        if stamp < self.state.stamp:
            return False
        ahead = self.state.at(stamp, rules)
        shift = position - ahead.position
        turned = quaternion.rotation_vector(quaternion.product(orientation, quaternion.conjugate(ahead.orientation)))
        distance = float(shift @ shift) / (ahead.place[0, 0] + place)
        distance += float(turned @ turned) / (ahead.angle[0, 0] + angle)
        if not distance <= rules.gate:
            self.rejected += 1
            if self.rejected >= rules.rejections:
                self._begin(stamp, position, orientation, place, angle)
            return False
        places, on_place = correct(ahead.place, 0, place)
        angles, on_angle = correct(ahead.angle, 0, angle)
        moved = quaternion.product(quaternion.from_rotation_vector(on_angle[0] * turned), ahead.orientation)
        self.state = PartnerState(
            stamp,
            ahead.position + on_place[0] * shift,
            ahead.velocity + on_place[1] * shift,
            moved / math.sqrt(float(moved @ moved)),
            ahead.turning + on_angle[1] * turned,
            places,
            angles,
        )
        self.rejected = 0
        return True

    def _begin(self, stamp: float, position: Floats, orientation: Floats, place: float, angle: float) -> None:
        rules = self._rules
        self.rejected = 0
        self.state = PartnerState(
            stamp,
            position,
            np.zeros(3),
            orientation,
            np.zeros(3),
            np.diag([place, rules.partner_speed**2]),
            np.diag([angle, rules.partner_rate**2]),
        )
