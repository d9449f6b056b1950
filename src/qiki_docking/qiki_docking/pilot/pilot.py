"""Pilot of a docking: from odometry and sights to commands of the flight core."""

from dataclasses import fields

import numpy as np
import numpy.typing as npt

from qiki_docking.contact import PortMotion
from qiki_docking.evidence import Sample
from qiki_docking.phases import Guidance, Request
from qiki_docking.pilot.law import Law
from qiki_docking.pilot.navigation import Deviations, Fix, Navigator
from qiki_docking.pilot.steering import Steering
from qiki_vehicle import MassProperties, Port, Pose, Vehicle
from qiki_vehicle.port_hardware import Sight

Floats = npt.NDArray[np.float64]

_MOTION = tuple(field.name for field in fields(PortMotion))


class Pilot:
    """Flies one body to one port of a partner.

        pilot = Pilot(vehicle, vehicle.port("B"), station_port)
        pilot.odometry(stamp, pose, twist)
        pilot.sight(stamp, sight)
        machine.observe(pilot.sample(now), now)
        steering = pilot.steer(machine.tick(now), now)

    Args:
        own: port that is docked.
        partner: port that is docked to, in the partner's base_link.
        partner_radius: m, of a sphere about the partner's origin that holds its hull; None: not known, then it is taken
            to be `docking.guidance.unknown_width` wide.
    """

    def __init__(self, vehicle: Vehicle, own: Port, partner: Port, *, partner_radius: float | None = None) -> None:
        self._rules = vehicle.docking
        self._law = Law(vehicle, own, partner, partner_radius)
        self._navigator = Navigator(vehicle, own, partner)
        self._mass = vehicle.body.mass
        self._bounds = np.ones(len(vehicle.thrusters))
        self._fix: Fix | None = None
        self._sampled = -np.inf

    def odometry(self, stamp: float, pose: Pose, twist: Floats) -> None:
        """Take own odometry in.

        pose: of base_link in world. twist: (6,) velocity of its origin m/s, and rate rad/s, in own axes.
        """
        self._navigator.odometry(stamp, pose, twist)
        self._fix = None

    def sight(self, stamp: float, sight: Sight) -> None:
        """Take a sight of the partner's port by the own port in; it may be older than the last odometry."""
        self._navigator.sight(stamp, sight)
        self._fix = None

    def body(self, properties: MassProperties) -> None:
        """Own mass properties."""
        self._mass = properties.mass
        self._navigator.body(properties.com)

    def authority(self, bounds: Floats) -> None:
        """Thrust that each thruster can give now, (n,) 0..1."""
        self._bounds = np.clip(np.asarray(bounds, dtype=float), 0.0, 1.0)

    def sample(self, now: float) -> Sample | None:
        """Quantities for the docking machine, at the time of the last odometry; None: there is nothing new."""
        fix = self._now()
        if fix is None or fix.own.stamp <= self._sampled:
            return None
        if now - fix.own.stamp > self._rules.validity.max_age:
            return None
        self._sampled = fix.own.stamp
        return Sample(fix.own.stamp, {name: getattr(fix.motion, name) for name in _MOTION}, fix.quality)

    def steer(self, request: Request, now: float) -> Steering:
        """Commands for a request; `now`: s."""
        if request.guidance is Guidance.STILL:
            return Steering(bounds=np.zeros(len(self._bounds)), bounds_reason="docked")
        fix = self._navigator.fix(now)
        if fix is None or request.guidance is Guidance.OFF:
            return Steering()
        return self._law.steer(request, fix)

    @property
    def motion(self) -> PortMotion | None:
        """Motion of the ports; None: not known."""
        fix = self._now()
        return None if fix is None else fix.motion

    @property
    def deviations(self) -> Deviations | None:
        """Standard deviations of the relative motion; None: not known."""
        fix = self._now()
        return None if fix is None else fix.deviations

    def _now(self) -> Fix | None:
        if self._fix is None:
            self._fix = self._navigator.fix()
        return self._fix
