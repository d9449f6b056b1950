"""Pilot of a docking: from odometry and sights to commands of the flight core."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace

import numpy as np
import numpy.typing as npt

from qiki_docking.contact import PortMotion
from qiki_docking.evidence import Sample
from qiki_docking.guidance import Drift, in_corridor
from qiki_docking.phases import Guidance, Request
from qiki_docking.pilot.authority import Authority
from qiki_docking.pilot.law import Law
from qiki_docking.pilot.navigation import Deviations, Fix, Navigator
from qiki_docking.pilot.plume import Plumes
from qiki_docking.pilot.prediction import Prediction, Predictor
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
            to be as deep as its outermost port, `docking.guidance.unknown_width` wide, and no wider than deep.
        markers: (3,) m, positions of the partner's ports in its base_link, by name: those that sights may show. None:
            that of `partner`.
    """

    def __init__(
        self,
        vehicle: Vehicle,
        own: Port,
        partner: Port,
        *,
        partner_radius: float | None = None,
        markers: Mapping[str, Iterable[float]] | None = None,
    ) -> None:
        self._rules = vehicle.docking
        self._steering = Steering()
        known = {} if markers is None else {name: np.array([*place]) for name, place in markers.items()}
        depth = max((float(np.linalg.norm(place)) for place in known.values()), default=0.0)
        self._navigator = Navigator(vehicle, own, partner, known or None)
        self._law = Law(vehicle, own, partner, partner_radius, depth)
        self._plumes = Plumes(vehicle, self._law.radius)
        # Forces away from the partner are those against the own port's axis, once the ports face each other.
        self._authority = Authority(vehicle, -np.array(own.axis))
        self._predictor = Predictor(vehicle.docking, vehicle.control.attitude.natural_frequency)
        self._properties = MassProperties.of(vehicle.body)
        self._bounds = np.ones(len(vehicle.thrusters))
        self._request = Request()
        self._fires = self._drifts = False
        self._fix: Fix | None = None
        self._sampled = -np.inf
        self._prediction: Prediction | None = None

    # Inputs ---------------------------------------------------------------------------------------------------------

    def odometry(self, stamp: float, pose: Pose, twist: Floats) -> None:
        """Take own odometry in.

        pose: of base_link in world. twist: (6,) velocity of its origin m/s, and rate rad/s, in own axes.
        """
        self._navigator.odometry(stamp, pose, twist)
        self._fix = None

    def sight(self, stamp: float, sight: Sight) -> None:
        """Take a sight of one of the partner's ports by any own camera in; it may be older than the last odometry."""
        self._navigator.sight(stamp, sight)
        self._fix = None

    def body(self, properties: MassProperties) -> None:
        """Own mass properties."""
        self._properties = properties
        self._navigator.body(properties.com)
        self._fix = None

    def authority(self, bounds: Floats) -> None:
        """Thrust that each thruster can give now, (n,) 0..1.

        Raises:
            ValueError: not one finite number for each thruster.
        """
        given = np.asarray(bounds, dtype=float)
        if given.shape != self._bounds.shape or not np.isfinite(given).all():
            raise ValueError(f"bounds: {given.tolist()}; allowed: {self._bounds.size} numbers 0..1")
        self._bounds = np.clip(given, 0.0, 1.0)

    def fired(self, on_times: Floats) -> None:
        """Count the time that each thruster has been open since the last call, (n,) s, for the plume impulse."""
        seconds = np.asarray(on_times, dtype=float)
        self._fires = self._fires or bool(seconds.any())
        fix = self._now() if seconds.any() else None
        if fix is not None:
            self._plumes.fired(seconds, fix)

    # Outputs --------------------------------------------------------------------------------------------------------

    def sample(self, now: float) -> Sample | None:
        """Quantities for the docking machine, at the time of the last odometry; None: there is nothing new."""
        fix = self._now()
        if fix is None or fix.own.stamp <= self._sampled or now - fix.own.stamp > self._rules.validity.max_age:
            return None
        self._sampled = fix.own.stamp
        values = {name: float(getattr(fix.motion, name)) for name in _MOTION}
        values |= {
            "prediction_inside": float(self._closes_inside(fix)),
            "in_corridor": float(self._in_corridor(fix)),
            "clear": float(self._law.clear(fix)),
        }
        return Sample(fix.own.stamp, values, fix.quality)

    def steer(self, request: Request, now: float) -> Steering:
        """Commands for a request; `now`: s. Without navigation no wrench is commanded, and the bot drifts."""
        if request.guidance is not self._request.guidance:
            self._predictor.reset()
            self._prediction = None
        self._request = request
        fires, drifts, self._fires, self._drifts = self._fires, self._drifts, False, False
        if request.guidance is Guidance.STILL:
            # Magnets, a touch or the partner's thrusters may move the bot.
            self._navigator.command(0.0, now)
            return Steering(bounds=np.zeros(self._bounds.size), bounds_reason="docked", touching=True)
        fix = self._navigator.fix(now)
        if fix is None or request.guidance is Guidance.OFF:
            return Steering()
        law = self._law
        law.mass = self._properties.mass
        law.deceleration = self._authority.deceleration(self._bounds, self._properties)
        touching = fix.motion.range < self._rules.align.predict_to
        if self._coasts(request, fix, quiet=drifts or not fires):
            self._navigator.command(0.0, now)
            last, self._drifts = self._steering, drifts or not fires
            # Shut, so that the flight core does not make up for what its pulses have left. While a set of pulses is
            # fired that would cut it in two, and leave the half that turns the bot into contact.
            bounds, reason = (np.zeros(self._bounds.size), "coasting") if self._drifts else (last.bounds, "plume")
            return Steering(modulator=last.modulator, bounds=bounds, bounds_reason=reason, touching=touching)
        steering = replace(law.steer(request, fix), touching=touching)
        pushed = None if steering.force is None else float(np.linalg.norm(steering.force)) / law.mass
        self._navigator.command(pushed, now)
        bounds = self._plumes.bounds(request.guidance, fix, law.outward)
        if bounds is not None:
            steering = replace(steering, bounds=bounds, bounds_reason="plume")
        self._steering = steering
        return steering

    def _coasts(self, request: Request, fix: Fix, *, quiet: bool) -> bool:
        """Without thrust: the last decimetre, for no pulse is short enough to be made good before contact; and before,
        from `predict_from` on, while the drift leads to a contact that is certain to be good. That is judged between
        two sets of pulses alone (`quiet`): half a set may look as good as it will not be at its end."""
        motion, align = fix.motion, self._rules.align
        if request.guidance is not Guidance.CLOSE or motion.range > align.predict_from or not motion.closing > 0.0:
            return False
        if motion.range < align.predict_to:
            return True
        return quiet and self._predictor.drift(motion, fix.deviations, fix.across).certain

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

    @property
    def prediction(self) -> Prediction | None:
        """Contact as predicted while closing; None: not predicted."""
        return self._prediction

    @property
    def plume_impulse(self) -> float:
        """N s, of the plumes that hit the partner so far."""
        return self._plumes.impulse

    @property
    def deceleration(self) -> float:
        """m/s^2 away from the partner that is certain after one more failure, as of the last cycle."""
        return self._law.deceleration

    @property
    def drift(self) -> Drift | None:
        """Drift without thrust, against the partner's hull; None: not known."""
        fix = self._now()
        return None if fix is None else self._law.cone(fix)

    @property
    def hulls(self) -> float:
        """m, distance of the centres at which the hulls may touch."""
        return self._law.hulls

    # Flags ----------------------------------------------------------------------------------------------------------

    def _closes_inside(self, fix: Fix) -> bool:
        if self._request.guidance is not Guidance.CLOSE:
            return True
        prediction = self._prediction = self._predictor.predict(fix.motion, fix.deviations, fix.across)
        align = self._rules.align
        # Nearer, the ports may touch, and a touch changes the motion.
        if align.predict_to <= fix.motion.range <= align.predict_from:
            drift = self._predictor.drift(fix.motion, fix.deviations, fix.across)
            if drift.certain:
                prediction = self._prediction = drift
                self._predictor.reset()
            return self._predictor.watch(prediction)
        return self._predictor.inside

    def _in_corridor(self, fix: Fix) -> bool:
        """Held to it: on the way inwards from the first hold point."""
        request, rules = self._request, self._rules
        held = request.guidance in (Guidance.HOLD, Guidance.CLOSE) and not request.range >= rules.hold_points[0]
        return not held or in_corridor(fix.motion.range, fix.motion.lateral_offset, rules)

    def _now(self) -> Fix | None:
        if self._fix is None:
            self._fix = self._navigator.fix()
        return self._fix
