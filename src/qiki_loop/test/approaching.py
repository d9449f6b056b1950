"""Flights of docking's pilot to a port, in one process: world, flight core, docking machine.

The sights are emulated from the world's truth with noise, delay, outliers and dropouts; the partner's node is taken to
answer, and the ports have a contact sensor and no magnets: a flight ends at first contact.
"""

import math
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import yaml
from shipped import VEHICLE

from qiki_allocator.assembly import assemble
from qiki_allocator.checks import RefusalError
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_docking import ContactBox, DockingMachine, Order, PortMotion, RelativeMotion, Sample
from qiki_docking.guidance import drift, in_corridor
from qiki_docking.pilot import Pilot
from qiki_loop import ClosedLoop
from qiki_sim import World
from qiki_vehicle import Port, Pose, Vehicle, mated, quaternion
from qiki_vehicle.port_hardware import Sight

STATION = Port(name="A", position=(0.0, 0.0, 6.15), axis=(0.0, 0.0, 1.0), radius=0.30, length=0.15)
RADIUS = 6.8
"""m, of a sphere about the station's hull."""
CYCLE = 0.1  # s, of docking


@dataclass
class Record:
    """Course of a flight. Least clearances outside of 5 m, in any cycle: `passive` of the drift cone as it is known, m;
    `line` of the true drift, m. `braking`: least room left, m."""

    contact: PortMotion | None = None
    time: float = math.nan
    propellant: float = math.nan
    plume: float = math.nan
    passive: float = math.inf
    line: float = math.inf
    at_two: float = math.nan  # m/s, closing speed 2 m before the port
    braking: float = math.inf
    outside: int = 0  # samples outside of the corridor on the way inwards
    nearest: float = math.inf  # m, from the partner's centre, outside of the corridor
    fastest: float = 0.0  # m/s, within 20 m of the port
    tries: int = 0
    reasons: list = field(default_factory=list)


class Approach:
    """One flight from a start to first contact.

    Args:
        place: (3,) m, of the own port from the partner's port, in the partner's axes.
        turned: (3,) deg, rotation vector of the attitude from the mated one.
        own: port that docks.
        drifting: (3,) m/s; turn: (3,) deg/s of the station.
        fault: kind and thruster.
        perfect: the sights have no dropouts and no outliers.
    """

    def __init__(self, folder, seed, *, place=(0.0, 0.0, 20.0), turned=(0.0, 0.0, 0.0), own="B",
                 drifting=(0.0, 0.0, 0.0), turn=(0.0, 0.0, 0.0), fault=None, perfect=False):  # fmt: skip
        self.rng = np.random.default_rng(seed)
        vehicle = self.vehicle = Vehicle.from_file(VEHICLE)
        self.own, self.perfect = vehicle.port(own), perfect
        frame = mated(STATION, self.own)
        orientation = quaternion.product(quaternion.from_rotation_vector(np.radians(turned)), frame.orientation)
        position = np.array(STATION.position) + place - quaternion.rotate(orientation, self.own.position)
        start = {"name": "alpha", "vehicle": str(VEHICLE), "position": position.tolist(),
                 "orientation": orientation.tolist(), "velocity": self.rng.normal(0.0, 0.01, 3).tolist(),
                 "angular_velocity": np.radians(self.rng.normal(0.0, 0.1, 3)).tolist()}  # fmt: skip
        station = {"name": "station", "type": "STATION", "mass": 80000.0,
                   "shape": {"kind": "cylinder", "radius": 3.0, "length": 12.0},
                   "velocity": [*drifting], "angular_velocity": np.radians(turn).tolist(),
                   "ports": [{"name": "A", "position": [0.0, 0.0, 6.15], "axis": [0.0, 0.0, 1.0],
                              "radius": 0.30, "length": 0.15}]}  # fmt: skip
        path = folder / f"approach{seed}.yaml"
        path.write_text(yaml.safe_dump({"name": "approach", "seed": 1, "bots": [start], "bodies": [station]}))
        self.world = World.from_file(path, seed)
        if fault is not None:
            self.world.inject_fault("alpha", *fault)
        core = assemble(vehicle, rate=20.0, fault_detection=False, stopwatch=lambda: 0.0)
        self.loop = ClosedLoop(self.world, {"alpha": core}, control_rate=20.0, telemetry_rate=0)
        self.pilot = Pilot(vehicle, self.own, STATION, partner_radius=RADIUS)
        if fault is not None:
            health = np.ones(16)
            health[int(fault[1])] = 0.0
            self.pilot.authority(health)
        self.machine = DockingMachine(vehicle)
        self.sights, self._blind_until, self._on = [], 0.0, np.zeros(16)
        self._modulator = ""
        self.record = Record()
        self.loop.listen("alpha", "odom", lambda motion: self.pilot.odometry(
            self.loop.time, Pose(motion.position, motion.orientation),
            np.concatenate([motion.velocity, motion.angular_velocity])))  # fmt: skip
        self.loop.listen("alpha", "mass_properties", self.pilot.body)
        self.loop.listen("alpha", "thruster_state", self._fired)

    def _fired(self, reading):
        self.pilot.fired(reading.on_time - self._on)
        self._on = reading.on_time.copy()

    def truth(self):
        """Motion of the ports, m m/s rad rad/s."""
        bot, station = self.world.motion("alpha"), self.world.motion("station")
        self.relative = RelativeMotion.between(
            Pose(bot.position, bot.orientation), np.concatenate([bot.velocity, bot.angular_velocity]),
            Pose(station.position, station.orientation),
            np.concatenate([station.velocity, station.angular_velocity]))  # fmt: skip
        return PortMotion.of(self.relative, self.own, STATION)

    # Sensors --------------------------------------------------------------------------------------------------------

    def _look(self):
        """A sight of now, that arrives up to 0.1 s later."""
        rng, now = self.rng, self.loop.time
        if now < self._blind_until:
            return
        if not self.perfect and rng.random() < 0.003:
            self._blind_until = now + rng.uniform(1.0, 3.0)
            return
        pose = self.relative.pose.inverse()
        position = pose.point(STATION.position)
        sigma = math.hypot(0.01, 0.002 * float(np.linalg.norm(position)))
        position = position + rng.normal(0.0, sigma, 3)
        error = rng.normal(0.0, math.radians(0.3), 3)
        if not self.perfect and rng.random() < 0.02:
            position, error = position + rng.normal(0.0, 1.0, 3), error + rng.normal(0.0, 0.3, 3)
        orientation = quaternion.product(pose.orientation, quaternion.from_rotation_vector(error))
        self.sights.append((now + rng.uniform(0.0, 0.1), now, Sight("B", "station", "A", 1.0, position, orientation)))

    def _measure(self, motion):
        now = self.loop.time
        self._look()
        for sight in [one for one in self.sights if one[0] <= now]:
            self.sights.remove(sight)
            self.pilot.sight(*sight[1:])
        sample = self.pilot.sample(now)
        if sample is not None:
            self.machine.observe(sample, now)
        touching = any("station" in pair for pair in self.world.bodies.touching())
        flags = {"contact": float(touching), "capture": 0.0, "latch_1": 0.0, "latch_2": 0.0}
        flags |= {"link_alive": 1.0, "port_reserved": 1.0}
        self.machine.observe(Sample(now, flags), now)
        self._note(motion)
        return touching

    def _note(self, motion):
        record, rules = self.record, self.vehicle.docking
        bot = self.world.bot("alpha")
        com = quaternion.rotate(self.relative.pose.orientation, (0.0, 0.0, 0.1)) + self.relative.pose.position
        inside = in_corridor(motion.range, motion.lateral_offset, rules) and motion.range > -0.5
        if not inside:
            record.nearest = min(record.nearest, float(np.linalg.norm(com)))
        if motion.range < 20.0 and inside:
            record.fastest = max(record.fastest, motion.closing)
        state = self.machine.state
        if state.phase in ("ALIGN",) or (state.phase == "APPROACH" and state.hold > 0):
            record.outside += not inside
        if inside and motion.closing > 0.0 and motion.range > 1.0 and state.order is not None:
            stop = motion.closing**2 / (2.0 * self.pilot.deceleration) if self.pilot.deceleration else math.inf
            record.braking = min(record.braking, motion.range - 0.5 - stop - motion.closing * rules.approach.latency)
        if motion.range <= 2.0 and math.isnan(record.at_two):
            record.at_two = motion.closing
        if (motion.range > rules.guidance.passive_range + 0.05 or not inside) and state.order is not None:
            spin = self.world.motion("station").angular_velocity
            velocity = self.relative.velocity + np.cross(spin, self.relative.pose.position)
            velocity = velocity + quaternion.rotate(
                self.relative.pose.orientation, np.cross(bot_rate(self), (0, 0, 0.1))
            )
            record.line = min(record.line, drift(com, velocity, (0.0, 0.0), self.pilot.hulls, rules).clearance)
            cone = self.pilot.drift
            if cone is not None and self.loop.time > 12.0:
                record.passive = min(record.passive, cone.clearance)
        record.plume, record.propellant = self.pilot.plume_impulse, 60.0 - bot.working_mass

    # Flight ---------------------------------------------------------------------------------------------------------

    def _steer(self):
        now = self.loop.time
        steering = self.pilot.steer(self.machine.tick(now), now)
        if steering.modulator != self._modulator:
            self._modulator = steering.modulator
            self.loop.act("alpha", lambda core, at: core.set_modulator(at, steering.modulator or "pulse_width"))
        with suppress(RefusalError):
            if steering.attitude is None:
                self.loop.act("alpha", lambda core, at: core.set_attitude(at, AttitudeMode.OFF))
            else:
                self.loop.act("alpha", lambda core, at: core.set_attitude(
                    at, AttitudeMode.HOLD, steering.attitude, steering.rate))  # fmt: skip
            bounds = np.ones(16) if steering.bounds is None else steering.bounds
            self.loop.act("alpha", lambda core, at: core.inhibit(at, at, bounds, steering.bounds_reason))
            if steering.force is not None:
                self.loop.command("alpha", [*steering.force, 0.0, 0.0, 0.0])

    def fly(self, longest=900.0, watch=None):
        """To the first contact; the record's `contact` is None if none came."""
        ordered = False
        before = self.truth()
        while self.loop.time < longest:
            near = before.range < 0.12
            self.loop.run(0.01 if near else CYCLE)
            if near and round(self.loop.time * 100) % 10:
                touching = any("station" in pair for pair in self.world.bodies.touching())
            else:
                touching = self._measure(self.truth())
                if watch is not None:
                    watch(self)
                if not ordered and self.loop.time > 5.0:
                    ordered = self.machine.dock(Order("station", "A", self.own.name), self.loop.time).accepted
                self._steer()
            if touching:
                self.record.contact = before
                break
            before = self.truth()
        self.record.time, self.record.tries = self.loop.time, self.machine.state.tries
        texts = [one for one in self.machine.take_occurrences() if "text" in one.payload]
        self.record.reasons = [(round(one.time, 1), one.payload.get("step"), one.payload["text"]) for one in texts]
        return self.record

    def judged(self):
        """Judgement of the contact by the box."""
        return ContactBox(self.vehicle.docking.contact_box).judge(self.record.contact)


def bot_rate(approach):
    """(3,) rad/s of the bot, own axes."""
    return approach.world.motion("alpha").angular_velocity
