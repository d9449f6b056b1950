"""A pilot for the final metre to a port, in one process: guides a bot into contact and takes down how it touches.

The partner's state is known to the pilot; the bot's own comes from its odometry with noise, filtered.
"""

import math
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import yaml
from shipped import VEHICLE

from qiki_allocator.assembly import assemble
from qiki_allocator.checks import RefusalError
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_loop import ClosedLoop
from qiki_sim import World
from qiki_vehicle import MassProperties, Vehicle, quaternion

FACE = np.array([0.0, 0.0, 6.15])
"""m, centre of the station's port, which faces its +z."""

PORT = np.array([0.0, 0.0, -1.2])
"""m, centre of the bot's port B, which faces its -z."""

CLOSING = 0.075
"""m/s, the middle of the box."""

LIMITS = {
    "closing": (0.05, 0.10),  # m/s
    "lateral_rate": (0.0, 0.04),  # m/s
    "tilt_rate": (0.0, 0.20),  # deg/s, pitch and yaw together
    "roll_rate": (0.0, 0.20),  # deg/s
    "offset": (0.0, 0.10),  # m
    "tilt": (0.0, 4.0),  # deg
    "roll": (0.0, 4.0),  # deg
}
"""Contact box: first contact is within these."""

BRAKING = (12, 13, 14, 15)
"""Thrusters of cluster D, whose plumes hit the partner."""


@dataclass(frozen=True)
class Touch:
    """First contact. Values as `LIMITS`; time s; propellant kg; opened: firings of each thruster while inhibited."""

    values: dict[str, float]
    time: float
    propellant: float
    firings: int
    inhibited_firings: int
    findings: tuple[str, ...] = ()

    @property
    def missed(self):
        """Names of the limits that are not kept."""
        return [name for name, (low, high) in LIMITS.items() if not low <= self.values[name] <= high]


class Touching:
    """One approach of a final metre.

    Args:
        folder: for the scenario file.
        seed: of start errors and noise.
        modulator: of the approach.
        gap: m between the ports at the start.
        fault: kind and thruster, from the start on.
        turn: deg/s of the station about its own axes.
        soc: of the supercapacitor.
        mass_error: 1, by which the bot believes itself heavier than it is.
        inhibit: m, gap from which on the braking thrusters are inhibited.
        faithful: control cycles and fault detection as in the node; else 20 Hz and none, which is cheaper.
    """

    def __init__(self, folder, seed, *, modulator="impulse_bit", gap=1.0, fault=None, turn=(0.0, 0.0, 0.0),
                 soc=None, mass_error=0.0, inhibit=None, faithful=False):  # fmt: skip
        rng = np.random.default_rng(seed)
        self.turn = np.radians(turn)
        self._inhibit = inhibit
        start = {
            "name": "alpha",
            "vehicle": str(VEHICLE),
            "position": [*rng.uniform(-0.08, 0.08, 2).tolist(), 6.15 + 1.2 + gap + float(rng.uniform(-0.05, 0.05))],
            "velocity": rng.uniform(-0.02, 0.02, 3).tolist(),
            "orientation": quaternion.from_rotation_vector(np.radians(rng.uniform(-2.0, 2.0, 3))).tolist(),
            "angular_velocity": np.radians(rng.uniform(-0.4, 0.4, 3)).tolist(),
        }
        if soc is not None:
            start["supercap_soc"] = soc
        port = {"radius": 0.3, "length": 0.15}
        station = {
            "name": "station",
            "type": "STATION",
            "shape": {"kind": "cylinder", "radius": 3.0, "length": 12.0},
            "mass": 80000.0,
            "angular_velocity": self.turn.tolist(),
            "ports": [{"name": "A", "position": FACE.tolist(), "axis": [0.0, 0.0, 1.0], **port}],
        }
        path = folder / f"touch{seed}.yaml"
        path.write_text(yaml.safe_dump({"name": "touch", "seed": 1, "bots": [start], "bodies": [station]}))
        self.world = World.from_file(path, seed)
        if fault is not None:
            self.world.inject_fault("alpha", *fault)
        rate = 100.0 if faithful else 20.0
        vehicle = heavier(Vehicle.from_file(VEHICLE), mass_error)
        core = assemble(vehicle, modulator=modulator, rate=rate, fault_detection=faithful, stopwatch=lambda: 0.0)
        self.body = MassProperties.of(vehicle.body)
        self._own = mass_error == 0.0
        self.loop = ClosedLoop(self.world, {"alpha": core}, control_rate=rate, telemetry_rate=0)
        self.core = core
        if not self._own:
            core.update_mass = lambda *_, **__: False
            core.motion.take_mass(self.body, composite=False)
            core.drive.move(self.body)
        self._position = self._velocity = None
        self._begun = self._held = False
        self._firings_at_inhibition = self._inhibited_at = None
        self.loop.listen("alpha", "odom", self._guide)

    # The bot's own state ---------------------------------------------------------------------------------------------

    def _filter(self, motion):
        """Position and velocity of the centre of mass, world."""
        arm = quaternion.rotate(motion.orientation, self.body.com)
        position = motion.position + arm
        velocity = quaternion.rotate(
            motion.orientation, motion.velocity + np.cross(motion.angular_velocity, self.body.com)
        )
        if self._position is None:
            self._position, self._velocity = position, velocity
            return
        self._position = self._position + 0.02 * self._velocity
        self._position = self._position + 0.08 * (position - self._position)
        self._velocity = self._velocity + 0.06 * (velocity - self._velocity)

    def _guide(self, motion):
        self._filter(motion)
        now = self.loop.time
        station = self.world.motion("station")
        rate = quaternion.rotate(station.orientation, station.angular_velocity)
        if now < 0.1:
            return
        if not self._held:
            self._held = True
            self.loop.act(
                "alpha",
                lambda core, at: core.set_attitude(at, AttitudeMode.HOLD, station.orientation, rate),
            )
        frame = quaternion.matrix(station.orientation)
        away = self._position - station.position
        error = frame.T @ away - (FACE - PORT + self.body.com)
        drift = frame.T @ (
            self._velocity - quaternion.rotate(station.orientation, station.velocity) - np.cross(rate, away)
        )
        wanted = -CLOSING if now > 8.0 else 0.0
        push = np.array([*(-0.04 * error[:2] - 0.4 * drift[:2]), (wanted - drift[2]) / 3.0])
        force = quaternion.rotate(quaternion.conjugate(motion.orientation), frame @ push) * self.body.mass
        if self._inhibit is not None and error[2] < self._inhibit and now > 8.0:
            bounds = np.ones(len(self.core.drive.array))
            bounds[list(BRAKING)] = 0.0
            self.loop.act("alpha", lambda core, at: core.inhibit(at, at, bounds, "plume"))
            if self._inhibited_at is None:
                self._inhibited_at = now
            elif self._firings_at_inhibition is None and now > self._inhibited_at + 0.05:
                # Openings of the lead had been sent before.
                self._firings_at_inhibition = self._braking_firings()
        with suppress(RefusalError):  # a force while the gate is STABILISE
            self.loop.command("alpha", [*force, 0.0, 0.0, 0.0])

    def _braking_firings(self):
        return int(np.asarray(self.world.bot("alpha").valves.firings)[list(BRAKING)].sum())

    # Contact ---------------------------------------------------------------------------------------------------------

    def state(self):
        """Gap, m, and the values of `LIMITS`, of the truth now."""
        bot, station = self.world.motion("alpha"), self.world.motion("station")
        frame = quaternion.matrix(station.orientation)
        turned = quaternion.matrix(bot.orientation)
        arm, reach = turned @ PORT, frame @ FACE
        spin, turn = turned @ bot.angular_velocity, frame @ station.angular_velocity
        place = frame.T @ (bot.position + arm - station.position - reach)
        at = bot.position + arm - station.position
        slide = frame.T @ (turned @ bot.velocity + np.cross(spin, arm) - frame @ station.velocity - np.cross(turn, at))
        rates = np.degrees(frame.T @ (spin - turn))
        tilt = frame.T @ turned
        return float(place[2]), {
            "closing": -float(slide[2]),
            "lateral_rate": math.hypot(*slide[:2]),
            "tilt_rate": math.hypot(*rates[:2]),
            "roll_rate": abs(float(rates[2])),
            "offset": math.hypot(*place[:2]),
            "tilt": math.degrees(math.acos(min(max(float(tilt[2, 2]), -1.0), 1.0))),
            "roll": abs(math.degrees(math.atan2(tilt[1, 0] - tilt[0, 1], tilt[0, 0] + tilt[1, 1]))),
        }

    def fly(self, longest=150.0):
        """To the first contact; None: none came."""
        values = None
        while self.loop.time < longest:
            gap, values = self.state()
            if gap < 0.06 or self.world.bodies.touching():
                before = values
                self.loop.step(0.01)
                if any("station" in pair for pair in self.world.bodies.touching()):
                    bot = self.world.bot("alpha")
                    since = self._firings_at_inhibition
                    found = [one.data["finding"] for one in self.loop.links["alpha"].occurrences
                             if one.type == "allocator.fault_detected"]  # fmt: skip
                    return Touch(before, self.loop.time, 60.0 - bot.working_mass, int(sum(bot.valves.firings)),
                                 0 if since is None else self._braking_firings() - since, tuple(found))  # fmt: skip
            else:
                self.loop.run(0.1)
        return None


def heavier(vehicle, share):
    """A vehicle file that has mass and inertia wrong by a share."""
    if not share:
        return vehicle
    factor = 1.0 + share
    body = vehicle.body.model_copy(
        update={"mass": vehicle.body.mass * factor, "inertia": tuple(factor * one for one in vehicle.body.inertia)}
    )
    return vehicle.model_copy(update={"body": body})
