"""A pilot for whole flights in one process: flies a bot by wrenches and watches that every limit is kept."""

import json
import math

import numpy as np

from qiki_allocator.assembly import assemble
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_allocator.flight.telemetry import Activity
from qiki_loop import ClosedLoop
from qiki_sim import World
from qiki_vehicle import quaternion

MASS = 1200.0  # kg, launch/config/vehicles/dodecahedron.yaml
LIMIT = 45000.0  # W
LONGEST = 120.0  # s of simulated time that a manoeuvre may take


class Pilot:
    """Flies one bot by wrenches, from rest, and watches that every limit is kept."""

    def __init__(self, loop, bot):
        self.loop, self.bot = loop, bot
        self.odom = self.allocation = self.goal = None
        self.largest_force, self.cruise = 400.0, 0.6  # N, m/s
        self.peak = 0.0
        self.trips = None
        self.gates = []
        self.worst_tilt = 0.0
        self.arrived = None  # s
        self.modes = set()
        self.attitude = np.array(quaternion.IDENTITY)
        self._booked = (loop.time, 0.0)
        loop.listen(bot, "odom", self._fly)
        loop.listen(bot, "energy", self._watch)
        loop.listen(bot, "allocation", self._note)
        self.wait(lambda: self.allocation is not None and self.allocation.limits.energy.gate in ("BOOST", "HOLD"))
        self.act(lambda controller, now: controller.brake(now))
        self.allocation = None
        self.wait(lambda: self.allocation is not None and self.allocation.activity is Activity.NONE)
        self.gates.clear()
        self.tripped = self.trips

    def act(self, order):
        self.loop.act(self.bot, order)

    def fault(self, kind, target, value=0.0):
        self.loop.world.inject_fault(self.bot, kind, target, value)

    def set_mode(self, mode):
        self.act(lambda controller, now: controller.set_mode(now, mode))

    def hold(self, *target):
        self.attitude = np.array(target)
        self.act(lambda controller, now: controller.set_attitude(now, AttitudeMode.HOLD, target))

    @property
    def position(self):
        return self.odom.position

    @property
    def speed(self):
        return float(np.linalg.norm(self.odom.velocity))

    @property
    def rate(self):
        """deg/s."""
        return math.degrees(float(np.linalg.norm(self.odom.angular_velocity)))

    @property
    def tilt(self):
        """deg between the attitude and the one to hold."""
        return math.degrees(2.0 * math.acos(min(abs(float(self.odom.orientation @ self.attitude)), 1.0)))

    @property
    def conditions(self):
        """Of the thrusters, as the allocator believes."""
        return list(self.allocation.conditions)

    def wait(self, condition):
        """Until the condition holds; s of simulated time."""
        try:
            return self.loop.run_until(condition, LONGEST)
        except TimeoutError:
            self.figures()
            raise

    def _fly(self, motion):
        self.odom = motion
        if self.goal is None:
            return
        self.worst_tilt = max(self.worst_tilt, self.tilt)
        if self.arrived is None and self.has_arrived():
            self.arrived = self.loop.time
        turn = quaternion.matrix(motion.orientation)
        velocity = turn @ motion.velocity
        towards = 0.3 * (self.goal - self.position)
        towards *= min(1.0, self.cruise / max(float(np.linalg.norm(towards)), 1e-9))
        force = turn.T @ (MASS * (towards - velocity))
        force *= min(1.0, self.largest_force / max(float(np.abs(force).max()), 1e-9))
        self.loop.command(self.bot, [*force, 0.0, 0.0, 0.0])

    def _watch(self, reading):
        then, before = self._booked
        self._booked = (self.loop.time, reading.thrust_energy)
        passed = self.loop.time - then
        mean = (reading.thrust_energy - before) / passed if passed > 0.0 else 0.0
        self.peak = max(self.peak, reading.thrust_power, mean)
        self.trips = reading.trips

    def _note(self, telemetry):
        self.allocation = telemetry
        self.modes.add(telemetry.mode)
        gate = telemetry.limits.energy.gate.value
        if not self.gates or self.gates[-1] != gate:
            self.gates.append(gate)

    def has_arrived(self):
        return (
            float(np.linalg.norm(self.goal - self.position)) < 0.10
            and self.speed < 0.03
            and self.tilt < 1.0
            and self.rate < 0.5
        )

    def check_limits(self):
        assert self.trips == self.tripped
        assert self.peak <= LIMIT
        assert not self.loop.links[self.bot].refusals

    def figures(self, **more):
        figures = {
            "bot": self.bot,
            "peak_kw": round(self.peak / 1000.0, 1),
            "worst_tilt_deg": round(self.worst_tilt, 2),
            "tilt_deg": round(self.tilt, 3),
            "rate_deg_s": round(self.rate, 3),
            "gates": self.gates,
            "conditions": [condition.value for condition in self.conditions],
            "trips": self.trips - self.tripped,
            **more,
        }
        print(json.dumps(figures))


def start(scenario, **modulators):
    """Pilots of bots with a modulator each, side by side: start(path, alpha="pulse_width")."""
    world = World.from_file(scenario)
    controllers = {
        bot: assemble(world.bot(bot).vehicle, modulator=modulator, stopwatch=lambda: 0.0)
        for bot, modulator in modulators.items()
    }
    loop = ClosedLoop(world, controllers)
    return [Pilot(loop, bot) for bot in modulators]


def translate(*pilots, fault=None):
    """Ten metres along x side by side with the attitude held; the fault, if there is one, comes to all after two."""
    for pilot in pilots:
        pilot.hold(*quaternion.IDENTITY)
    for pilot in pilots:
        pilot.wait(lambda pilot=pilot: pilot.tilt < 1.0 and pilot.rate < 0.5)
    starts = [pilot.position for pilot in pilots]
    begun = pilots[0].loop.time
    for pilot, start in zip(pilots, starts, strict=True):
        pilot.worst_tilt, pilot.arrived = 0.0, None
        pilot.modes.clear()
        pilot.goal = start + np.array([10.0, 0.0, 0.0])
    if fault is not None:
        for pilot, start in zip(pilots, starts, strict=True):
            pilot.wait(lambda pilot=pilot, start=start: pilot.position[0] - start[0] > 2.0)
            pilot.fault(*fault)
    for pilot in pilots:
        pilot.wait(lambda pilot=pilot: pilot.arrived is not None)
        missed = round(float(np.linalg.norm(pilot.goal - pilot.position)), 3)
        pilot.figures(seconds=round(pilot.arrived - begun, 1), missed_m=missed)
        pilot.check_limits()
