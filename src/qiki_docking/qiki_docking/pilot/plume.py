"""Plumes of the own thrusters against the partner: the thrusters that may fire, and the impulse that hit it."""

import numpy as np
import numpy.typing as npt

from qiki_docking.phases import Guidance
from qiki_docking.pilot.navigation import Fix
from qiki_vehicle import Vehicle, quaternion

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_YIELDS = (Guidance.RETREAT, Guidance.PUSH_OFF)


class Plumes:
    """A plume is a cone against the direction of its thruster's force; the partner's hull is a sphere about its origin.

    Within `plume.range` the thrusters whose plume hits the partner do not fire. The rule yields where the geometry
    allows no other way: in retreat, push-off and abort, and while guidance brakes, for braking along the port axis
    comes from those very thrusters.

    Attributes:
        impulse: N s, of the plumes that hit the partner so far.
    """

    def __init__(self, vehicle: Vehicle, radius: float) -> None:
        """radius: m, of the partner's hull."""
        self._rules = vehicle.docking.guidance.plume
        self._radius = radius
        self._places = np.array([thruster.position_m for thruster in vehicle.thrusters])
        self._plumes = -np.array([thruster.direction for thruster in vehicle.thrusters])
        self._thrust = np.array([thruster.f_max_n for thruster in vehicle.thrusters])
        self.impulse = 0.0

    def hits(self, fix: Fix) -> Flags:
        """(n,) thrusters whose plume would hit the partner."""
        pose = fix.own.pose(fix.com)
        centre = quaternion.rotate(quaternion.conjugate(pose.orientation), fix.centre - pose.position)
        away = centre - self._places
        distance = np.linalg.norm(away, axis=1)
        within = np.arcsin(np.minimum(self._radius / np.maximum(distance, 1e-9), 1.0))
        cosine = np.einsum("ij,ij->i", away, self._plumes) / np.maximum(distance, 1e-9)
        return np.asarray(np.arccos(np.clip(cosine, -1.0, 1.0)) <= within + self._rules.half_angle)

    def bounds(self, guidance: Guidance, fix: Fix, outward: float) -> Floats | None:
        """(n,) 0 or 1; None: all may fire.

        outward: m/s, change of the speed away from the partner that guidance wants.
        """
        if fix.motion.range > self._rules.range or guidance in _YIELDS or outward > self._rules.braking:
            return None
        hit = self.hits(fix)
        return np.where(hit, 0.0, 1.0) if hit.any() else None

    def fired(self, seconds: Floats, fix: Fix) -> None:
        """Count on-times, (n,) s, of firings near this fix."""
        if fix.motion.range > self._rules.range:
            return
        self.impulse += float(np.sum(self._thrust * np.where(self.hits(fix), seconds, 0.0)))
