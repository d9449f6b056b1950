"""Law of guidance: the commands for each motion that docking requests."""

import math

import numpy as np
import numpy.typing as npt

from qiki_docking.guidance import Drift, drift, in_corridor, speed_limit
from qiki_docking.phases import Guidance, Request
from qiki_docking.pilot.coast import Coast
from qiki_docking.pilot.navigation import Fix
from qiki_docking.pilot.steering import Steering
from qiki_vehicle import Port, Vehicle, quaternion
from qiki_vehicle.vectors import cross

Floats = npt.NDArray[np.float64]

_COASTED = (Guidance.HOLD, Guidance.RETREAT)


class Law:
    """Velocity of the own centre of mass in the partner's turning frame, and the force that brings it about.

    Along the corridor the velocity falls with the distance of the hold point. Outside of it the way leads around the
    partner, in legs of `detour_step` on a sphere just outside of the first hold point, to that hold point.
    """

    def __init__(self, vehicle: Vehicle, own: Port, partner: Port, radius: float | None, depth: float = 0.0) -> None:
        """radius: m, of the partner's hull; None: not known. depth: m, distance of its outermost port."""
        self._rules = vehicle.docking
        self._own, self._partner = own, partner
        self._axis = np.array(partner.axis)
        self._coast = Coast(vehicle.docking.guidance.coast)
        com = np.array(vehicle.body.com)
        reach = float(np.linalg.norm(vehicle.hull.vertices - com, axis=1).max())
        reach = max(reach, math.hypot(*(np.array(own.position) - com)) + own.length)
        if radius is None:
            depth = max(depth, math.hypot(*partner.position))
            radius = math.hypot(depth, min(depth, vehicle.docking.guidance.unknown_width))
        self.radius = radius
        """m, of the partner's hull."""
        self.hulls = radius + reach
        """m, distance of the own centre from the partner's at which the hulls may touch."""
        self.mass = vehicle.body.mass
        """kg."""
        self.deceleration = 0.0
        """m/s^2 towards the outside that is certain after one more failure."""
        self.outward = 0.0
        """m/s, change of the speed away from the partner that was wanted last."""

    def steer(self, request: Request, fix: Fix) -> Steering:
        """Commands for a motion other than OFF and STILL."""
        modulator = "impulse_bit" if fix.motion.range < self._rules.guidance.fine_range else ""
        if request.guidance is Guidance.SEAT:
            self.outward = 0.0
            return Steering(request.force * np.array(self._own.axis), modulator="impulse_bit")
        place, moving, frame = self.relative(fix)
        most = self.velocity(request, fix, place)
        target = quaternion.product(fix.partner.orientation, fix.mated.orientation)
        steer = self._rules.guidance
        if request.guidance not in _COASTED:
            self._coast.correct()
            missing = most - moving
            force = self.force(missing, (steer.response, steer.closing_response), frame, fix)
            return Steering(force, target, fix.partner.turning, modulator)
        missing = self._coast.missing(most, moving)
        away = quaternion.rotation_vector(quaternion.product(fix.own.orientation, quaternion.conjugate(target)))
        turning = fix.own.turning - fix.partner.turning
        near = fix.motion.range <= steer.passive_range
        safe = self.misses(place, moving, fix)
        if self._coast.holds(missing, most, away, turning, near=near) and safe:
            self.outward = float(missing @ self._axis)
            return Steering(modulator=modulator)
        target = quaternion.product(quaternion.from_rotation_vector(self._coast.kept(away)), target)
        force = self.force(missing, (steer.coast.response, steer.coast.response), frame, fix)
        return Steering(force, target, fix.partner.turning, modulator)

    def force(self, missing: Floats, times: tuple[float, float], frame: Floats, fix: Fix) -> Floats:
        """(3,) N in base_link.

        missing: (3,) m/s, velocity in the partner's frame. times: s, in which it is brought about across the axis, and
        along it.
        """
        along = self.outward = float(missing @ self._axis)
        push = (missing - along * self._axis) / times[0] + along / times[1] * self._axis
        size, most = float(np.linalg.norm(push)), self._rules.guidance.acceleration
        if size > most:
            push *= most / size
        world = quaternion.rotate(frame, push)
        return self.mass * quaternion.rotate(quaternion.conjugate(fix.own.orientation), world)

    def clear(self, fix: Fix) -> bool:
        """The own hull keeps out of the partner's surroundings, or is in the corridor, or leaves them."""
        if self._inside(fix):
            return True
        place, moving, _ = self.relative(fix)
        away = float(np.linalg.norm(place))
        if away >= self.hulls + self._rules.guidance.keep_out:
            return True
        return float(moving @ place) > -self._rules.approach.speed_tolerance * away

    def relative(self, fix: Fix) -> tuple[Floats, Floats, Floats]:
        """(3,) m own centre of mass from the partner's origin and (3,) m/s its change, both in the partner's turning
        frame; (4,) that frame's orientation."""
        frame = fix.partner.orientation
        back = quaternion.conjugate(frame)
        away = fix.own.com - fix.centre
        change = fix.own.velocity - fix.centre_velocity - cross(fix.partner.turning, away)
        return quaternion.rotate(back, away), quaternion.rotate(back, change), frame

    def velocity(self, request: Request, fix: Fix, place: Floats) -> Floats:
        """(3,) m/s wanted, in the partner's turning frame."""
        rules, motion, axis = self._rules, fix.motion, self._axis
        face = fix.mated.point(fix.com)
        error = place - face
        distance = float(error @ axis)
        across = error - distance * axis
        steer = rules.guidance
        if request.guidance in (Guidance.HOLD, Guidance.RETREAT) and not self._inside(fix):
            return self._around(face, place, fix)
        sideways = -steer.gain * across
        size = float(np.linalg.norm(sideways))
        if size > steer.across_speed:
            sideways *= steer.across_speed / size
        if request.guidance is Guidance.CLOSE:
            return sideways - steer.closing * axis
        if request.guidance is Guidance.PUSH_OFF:
            return sideways + steer.push_off * axis
        outward = steer.gain * (request.range - distance)
        if request.guidance is Guidance.RETREAT:
            outward = max(outward, 0.0)
        if outward > 0.0:
            return sideways + min(outward, rules.approach.near_speed) * axis
        # The zone's limit is one of the whole speed.
        along = math.sqrt(max(self._zone(motion.range) ** 2 - float(sideways @ sideways), 0.0))
        limit = min(-outward, self._inward(motion.range), along)
        if motion.range <= steer.passive_range:
            return sideways - limit * axis
        return self._safe(sideways - limit * axis, place, fix)

    def _inward(self, distance: float) -> float:
        """Largest speed along the corridor, m/s: less where braking would blow at the partner, so that it is done
        before, and with room for the one across."""
        rules = self._rules
        before = max(distance - rules.guidance.plume.range, 0.0)
        most = speed_limit(distance, self.deceleration, rules)
        return min(most, rules.guidance.closing + rules.guidance.gain * before)

    def _around(self, face: Floats, place: Floats, fix: Fix) -> Floats:
        """On the way to the first hold point from outside of the corridor."""
        rules, axis = self._rules, self._axis
        gate = face + rules.hold_points[0] * axis
        away = float(np.linalg.norm(place))
        radius = float(np.linalg.norm(gate))
        cosine = float(place @ gate) / (away * radius) if away > 0.0 else 1.0
        aim = gate
        if math.acos(min(max(cosine, -1.0), 1.0)) > rules.guidance.detour_step:
            # In the plane of both; straight behind the partner, any plane.
            side = gate - (gate @ place) * place / away**2
            if float(np.linalg.norm(side)) < 1e-6 * radius:
                side = cross(place, np.eye(3)[int(np.argmin(np.abs(place)))])
            side /= np.linalg.norm(side)
            step = rules.guidance.detour_step
            aim = (radius + rules.guidance.detour) * (math.cos(step) * place / away + math.sin(step) * side)
        way = aim - place
        length = float(np.linalg.norm(way))
        distance = away - radius + rules.hold_points[0]
        speed = min(rules.guidance.gain * length, self._zone(distance))
        return self._safe(way * (speed / length if length > 0.0 else 0.0), place, fix)

    def _zone(self, distance: float) -> float:
        """Speed limit outside of the corridor, at the same distance as that range."""
        rules = self._rules
        return rules.approach.far_speed if distance > rules.hold_points[0] else rules.approach.near_speed

    def cone(self, fix: Fix) -> Drift:
        """The present drift cone against the partner's hull."""
        place, moving, _ = self.relative(fix)
        return self._drift(place, moving, fix)

    def misses(self, place: Floats, moving: Floats, fix: Fix) -> bool:
        """The present drift cone misses the partner, or the port is so near that it need not."""
        if fix.motion.range <= self._rules.guidance.passive_range and self._inside(fix):
            return True
        return self._drift(place, moving, fix).clearance > self._rules.guidance.passive_reserve

    def _drift(self, place: Floats, velocity: Floats, fix: Fix) -> Drift:
        """Drift without thrust; place and velocity: (3,) m, m/s in the partner's turning frame."""
        carried = cross(quaternion.rotate(quaternion.conjugate(fix.partner.orientation), fix.partner.turning), place)
        deviations = (fix.deviations.position, fix.deviations.velocity)
        return drift(place, carried + velocity, deviations, self.hulls, self._rules)

    def _inside(self, fix: Fix) -> bool:
        """In the corridor, and not beside the partner."""
        motion, rules = fix.motion, self._rules
        return in_corridor(motion.range, motion.lateral_offset, rules) and motion.range > -rules.guidance.beside

    def _safe(self, velocity: Floats, place: Floats, fix: Fix) -> Floats:
        """The velocity, cut down so far that the bot would miss the partner if no thruster fired any more."""
        rules = self._rules
        if float(velocity @ place) >= 0.0:
            return velocity
        size = float(np.linalg.norm(velocity))
        # The speed falls on the way, and follows late: it must be right for the place at which it is reached.
        ahead = place + rules.guidance.coast.response * velocity

        def misses(speed: float) -> bool:
            return self._drift(ahead, velocity * ((speed + rules.guidance.passive_margin) / size), fix).misses

        if size == 0.0 or misses(size):
            return velocity
        low, high = 0.0, size
        for _ in range(6):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if misses(middle) else (low, middle)
        return velocity * (low / size)
