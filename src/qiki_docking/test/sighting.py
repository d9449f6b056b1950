"""A body without forces and a drifting, turning partner: truth, noisy odometry and sights of them."""

import math

import numpy as np
from plant import VEHICLE

from qiki_docking.contact import PortMotion, RelativeMotion
from qiki_docking.pilot import Pilot
from qiki_vehicle import Port, Pose, quaternion
from qiki_vehicle.port_hardware import Sight

STATION = Port(name="A", position=(0.0, 0.0, 6.15), axis=(0.0, 0.0, 1.0), radius=0.30, length=0.15)
OWN = VEHICLE.port("B")


class Scene:
    """Truth and sensors. Times s; `drift` m/s and `turn` rad/s of the partner in world; own motion alike."""

    def __init__(self, seed, *, start=(0.3, -0.2, 12.0), velocity=(0.0, 0.0, -0.05), spin=(0.0, 0.0, 0.0),
                 drift=(0.01, -0.01, 0.012), turn=(0.0012, -0.001, 0.0008), outliers=0.0, delay=0.1):  # fmt: skip
        self.rng = np.random.default_rng(seed)
        self.pilot = Pilot(VEHICLE, OWN, STATION, partner_radius=6.8)
        self.start, self.velocity, self.spin = map(np.array, (start, velocity, spin))
        self.drift, self.turn = np.array(drift), np.array(turn)
        self.outliers, self.delay, self.waiting = outliers, delay, []
        self.com = np.array(VEHICLE.body.com)
        self.now, self.step = 0.0, 0

    def own(self, time):
        """Pose of base_link and twist in own axes, of a body whose centre of mass moves uniformly."""
        turned = quaternion.from_rotation_vector(time * self.spin)
        back = quaternion.conjugate(turned)
        place = self.start + time * self.velocity - quaternion.rotate(turned, self.com)
        rate = quaternion.rotate(back, self.spin)
        return Pose(place, turned), np.concatenate(
            [quaternion.rotate(back, self.velocity) - np.cross(rate, self.com), rate]
        )

    def partner(self, time):
        turned = quaternion.from_rotation_vector(time * self.turn)
        back = quaternion.conjugate(turned)
        twist = np.concatenate([quaternion.rotate(back, self.drift), quaternion.rotate(back, self.turn)])
        return Pose(time * self.drift, turned), twist

    def truth(self, time=None):
        time = self.now if time is None else time
        return PortMotion.of(RelativeMotion.between(*self.own(time), *self.partner(time)), OWN, STATION)

    def sight(self, time, outlier=False):
        rng = self.rng
        pose = self.own(time)[0].inverse().then(self.partner(time)[0])
        position = pose.point(STATION.position)
        sigma = math.hypot(0.01, 0.002 * float(np.linalg.norm(position)))
        position = position + rng.normal(0.0, sigma, 3)
        angle = rng.normal(0.0, math.radians(0.3), 3)
        if outlier:
            position, angle = position + rng.normal(0.0, 2.0, 3), angle + rng.normal(0.0, 0.5, 3)
        turned = quaternion.product(quaternion.from_rotation_vector(angle), pose.orientation)
        return Sight("B", "station", "A", 1.0, position, turned)

    def run(self, seconds, looking=True):
        """Odometry at 50 Hz, sights at 10 Hz that come up to `delay` late."""
        noise = VEHICLE.sensors.noise
        for _ in range(round(seconds * 50)):
            self.step += 1
            now = self.now = self.step * 0.02
            pose, twist = self.own(now)
            turned = quaternion.from_rotation_vector(self.rng.normal(0.0, noise.orientation, 3))
            seen = Pose(pose.position + self.rng.normal(0.0, noise.position, 3),
                        quaternion.product(turned, pose.orientation))  # fmt: skip
            error = [noise.velocity] * 3 + [noise.angular_velocity] * 3
            self.pilot.odometry(now, seen, twist + self.rng.normal(0.0, 1.0, 6) * error)
            if looking and self.step % 5 == 0:
                late = now + self.rng.uniform(0.0, self.delay)
                self.waiting.append((late, now, self.sight(now, self.rng.random() < self.outliers)))
            for one in [one for one in self.waiting if one[0] <= now]:
                self.waiting.remove(one)
                self.pilot.sight(*one[1:])
        return self
