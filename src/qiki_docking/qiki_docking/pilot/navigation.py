"""Relative navigation: own odometry and sights of the partner's port, filtered into the motion of the ports."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from qiki_docking.contact import PortMotion, RelativeMotion
from qiki_docking.pilot.own import OwnState, OwnTrack
from qiki_docking.pilot.partner import PartnerState, PartnerTrack
from qiki_vehicle import Port, Pose, Vehicle, mated, quaternion
from qiki_vehicle.port_hardware import Sight
from qiki_vehicle.vectors import cross

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Deviations:
    """Standard deviations of the relative motion, per axis: m, m/s, rad, rad/s."""

    position: float
    velocity: float
    angle: float
    rate: float


@dataclass(frozen=True, eq=False)
class Fix:
    """Both bodies at one time.

    Attributes:
        own, partner: in world axes.
        com: (3,) m, own centre of mass in base_link.
        own_port, partner_port: as their bodies have them.
        deviations: of their relative motion.
        quality: 0..1.
    """

    own: OwnState
    partner: PartnerState
    com: Floats
    own_port: Port
    partner_port: Port
    deviations: Deviations
    quality: float

    @cached_property
    def centre(self) -> Floats:
        """(3,) m, origin of the partner's base_link in world."""
        return self.partner.position - quaternion.rotate(self.partner.orientation, self.partner_port.position)

    @cached_property
    def centre_velocity(self) -> Floats:
        """(3,) m/s, of it."""
        arm = self.centre - self.partner.position
        return self.partner.velocity + cross(self.partner.turning, arm)

    @cached_property
    def relative(self) -> RelativeMotion:
        """Own base_link in the partner's frame."""
        pose = self.own.pose(self.com)
        partner = Pose(self.centre, self.partner.orientation)
        back = quaternion.conjugate(self.partner.orientation)
        arm = pose.position - self.own.com
        velocity = self.own.velocity + cross(self.own.turning, arm) - self.centre_velocity
        velocity = velocity - cross(self.partner.turning, pose.position - self.centre)
        turning = quaternion.rotate(back, self.own.turning - self.partner.turning)
        return RelativeMotion(partner.inverse().then(pose), quaternion.rotate(back, velocity), turning)

    @cached_property
    def motion(self) -> PortMotion:
        """Motion of the ports."""
        return PortMotion.of(self.relative, self.own_port, self.partner_port)

    @cached_property
    def across(self) -> tuple[Floats, Floats]:
        """(3,) m offset of the own face from the partner's port axis, (3,) m/s its change, in the partner's axes."""
        axis, motion = np.array(self.partner_port.axis), self.relative
        arm = motion.pose.vector(self.own_port.position)
        offset = motion.pose.position + arm - self.partner_port.position
        change = motion.velocity + cross(motion.angular_velocity, arm)
        return offset - float(offset @ axis) * axis, change - float(change @ axis) * axis

    @property
    def mated(self) -> Pose:
        """Own base_link in the partner's when mated."""
        return _mated(self.partner_port, self.own_port)


_LARGEST = 1e7
"""m, m/s and rad/s, of any measured component."""

_mated = lru_cache(maxsize=64)(mated)


class Navigator:
    """Filters of both bodies.

    A sight is placed by the own motion at its stamp, so that its delay does no harm. Values that no body or sensor can
    have, and stamps that are not newer, are ignored; a clock that is set back by more than a second clears everything.
    """

    def __init__(
        self, vehicle: Vehicle, own: Port, partner: Port, markers: Mapping[str, Iterable[float]] | None = None
    ) -> None:
        self._rules = vehicle.docking.guidance.navigation
        self._camera = vehicle.sensors.dock
        self._ports = (own, partner)
        known = {partner.name: partner.position} if markers is None else markers
        self._markers = {name: np.array([*place]) - partner.position for name, place in known.items()}
        self._seen = ("", -math.inf)
        self._quality_min = vehicle.docking.validity.quality_min
        self._own = OwnTrack(vehicle.sensors.noise, np.array(vehicle.body.com), self._rules.rejections)
        self._partner = PartnerTrack(self._rules)
        self._commanded, self._coasting_since = 0.0, math.inf

    @property
    def com(self) -> Floats:
        """(3,) m, own centre of mass in base_link."""
        return self._own.com

    def command(self, acceleration: float | None, now: float) -> None:
        """Size of the own acceleration that is commanded from now on, m/s^2; None: no thruster is to fire. `now`: s."""
        if acceleration is not None:
            self._commanded, self._coasting_since = acceleration, math.inf
        elif not self._coasting_since <= now:
            self._commanded, self._coasting_since = 0.0, now

    def body(self, com: Floats) -> None:
        """The own centre of mass has moved: (3,) m in base_link."""
        if not np.array_equal(com, self._own.com):
            self._own.com = np.array(com, dtype=float)
            self._own.clear()

    def odometry(self, stamp: float, pose: Pose, twist: Floats) -> None:
        """Take own odometry in; twist: (6,) m/s and rad/s in own axes."""
        if not (math.isfinite(stamp) and _possible(pose.position, twist) and _is_unit(pose.orientation)):
            return
        last = self._own.latest
        if last is not None and stamp < last.stamp - 1.0:
            self._own.clear()
            self._partner.clear()
        rules = self._rules
        coasting = stamp - self._coasting_since > rules.settled
        deviation = rules.coasting_acceleration if coasting else rules.acceleration + self._commanded
        self._own.observe(stamp, pose, np.asarray(twist, dtype=float), deviation)

    def sight(self, stamp: float, sight: Sight) -> bool:
        """Take a sight of one of the partner's ports in; False: it is not used."""
        marker = self._markers.get(sight.target_port)
        if marker is None or self._seen == (sight.target_port, stamp):
            return False
        if not (math.isfinite(stamp) and _possible(sight.position) and _is_unit(sight.orientation)):
            return False
        if not self._quality_min <= sight.quality <= 1.0:
            return False
        own = self._own.at(stamp)
        if own is None:
            return False
        self._seen = (sight.target_port, stamp)
        camera, pose = self._camera, own.pose(self.com)
        distance = float(np.linalg.norm(sight.position))
        angle = camera.orientation**2 + self._own.angle_variance
        place = camera.position**2 + (camera.position_share * distance) ** 2
        place += float(self._own.covariance[0, 0]) + self._own.angle_variance * distance**2
        orientation = quaternion.product(pose.orientation, sight.orientation)
        port = pose.point(sight.position)
        arm = float(np.linalg.norm(marker))
        if arm > 0.0:
            # From another port than the ordered one, its place follows by the attitude that is known best.
            known = self._partner.at(stamp)
            turned, spread = (orientation, angle) if known is None else (known.orientation, float(known.angle[0, 0]))
            port, place = port - quaternion.rotate(turned, marker), place + spread * arm**2
        return self._partner.observe(stamp, port, orientation, place, angle)

    def fix(self, stamp: float | None = None) -> Fix | None:
        """Both bodies at the time of the last odometry, or moved on to a later one; None: not known."""
        own, partner = self._own.latest, self._partner.state
        if own is None or partner is None:
            return None
        seen = partner.stamp
        if stamp is not None and stamp > own.stamp:
            own = own.at(stamp)
        partner = partner.at(own.stamp, self._rules)
        covariance = self._own.covariance + partner.place
        distance = float(np.linalg.norm(own.com - partner.position))
        deviations = Deviations(
            math.sqrt(float(covariance[0, 0])),
            math.sqrt(float(covariance[1, 1])),
            math.sqrt(float(partner.angle[0, 0]) + self._own.angle_variance),
            math.sqrt(float(partner.angle[1, 1]) + self._own.rate_variance),
        )
        quality = self._quality(deviations, distance, own.stamp - seen)
        return Fix(own, partner, self.com, *self._ports, deviations, quality)

    def _quality(self, deviations: Deviations, distance: float, age: float) -> float:
        rules = self._rules
        coast = rules.coast + rules.coast_share * distance
        allowed = rules.position_allowed + rules.share_allowed * distance
        slow = rules.speed_allowed + rules.speed_share_allowed * distance
        place, speed = deviations.position / allowed, deviations.velocity / slow
        return 1.0 / (1.0 + max(place**2, speed**2, (max(age, 0.0) / coast) ** 2))


def _possible(*values: npt.ArrayLike) -> bool:
    # Also false where a component is not finite.
    return all((np.abs(np.asarray(value, dtype=float)) <= _LARGEST).all() for value in values)


def _is_unit(orientation: Floats) -> bool:
    return bool((np.abs(orientation) <= 1.01).all()) and 0.99 <= math.sqrt(float(orientation @ orientation)) <= 1.01
