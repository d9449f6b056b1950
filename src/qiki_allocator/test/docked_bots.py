"""Bots docked rigidly, with a controller and valves each, and a flight lead: rigid-body motion without ROS."""

import itertools

import numpy as np

from qiki_allocator.assembly import assemble
from qiki_allocator.docked.lead import FlightLead
from qiki_allocator.docked.members import Joint
from qiki_allocator.docked.report import Fixture, report
from qiki_allocator.health.readings import MotionReading, ValveReading
from qiki_allocator.limits.energy_gate import EnergyReading
from qiki_allocator.modulation.ledger import ValveLedger
from qiki_vehicle import quaternion

TICK = 0.01
NODES = ("HULL", "RCS_A", "RCS_B", "RCS_C", "RCS_D")


class Member:
    """One bot: its controller, and valves that do what they are commanded."""

    def __init__(self, name, vehicle):
        self.name, self.controller = name, assemble(vehicle, fault_detection=False)
        self.fixture = Fixture.of(name, vehicle)
        self.n = len(vehicle.thrusters)
        self.valves, self.soc = ValveLedger(self.n), 0.9
        self.heat, self.reports, self.sent = 20.0, True, []
        self._on = np.zeros(self.n)

    def send(self, command):
        if command is not None:
            self.sent.append(command)
            self.valves.take(command)

    def telemetry(self, now):
        self.controller.update_energy(now, EnergyReading(now, self.soc))
        self.controller.update_thermal(now, now, dict.fromkeys(NODES, self.heat))
        reading = ValveReading(
            now, self.valves.on_time, (None,) * self.n, is_open=tuple(self.valves.is_open.tolist()), late_edges=0
        )
        self.controller.update_valves(now, reading)
        return reading

    def report(self, now):
        return report(now, self.fixture, self.controller)

    def pulses(self, now):
        """(n,) share of the last tick that each valve was open."""
        self.valves.advance(now)
        on, self._on = self.valves.on_time - self._on, self.valves.on_time.copy()
        return on / TICK

    @property
    def power(self):
        return float(self.controller.drive.meter.power @ self.valves.is_open)


class Docked:
    """A chain of bots, each docked with port B to port A of the one before; the first leads."""

    def __init__(self, vehicle, names=("alpha", "bravo"), **options):
        self.now, self.members = 100.0, {name: Member(name, vehicle) for name in names}
        self.first = names[0]
        for member in self.members.values():
            member.telemetry(self.now)
            member.controller.follow(self.now, self.first)
        joints = [Joint(a, "A", b, "B") for a, b in itertools.pairwise(names)]
        reports = {name: member.report(self.now) for name, member in self.members.items()}
        self.lead = FlightLead(vehicle, self.first, joints, reports, stopwatch=lambda: 0.0, **options)
        self.is_leading, self.worst = True, {}
        body = self.lead.assembly.body
        self.mass, self.inertia, self.com = body.mass, body.inertia, body.com
        self.velocity = np.zeros(3)
        self.attitude, self.rates = np.array(quaternion.IDENTITY), np.zeros(3)

    @property
    def tilt(self):
        """deg."""
        return np.degrees(2.0 * np.arccos(min(abs(float(self.attitude[3])), 1.0)))

    def command(self, wrench):
        self._give(self.lead.controller.command(self.now, wrench))

    def _give(self, command):
        if command is None or not self.is_leading:
            return
        for name, part in self.lead.assembly.split(command).items():
            member = self.members[name]
            if member.reports:
                member.send(member.controller.forward(self.now, self.first, part))

    def run(self, duration):
        for _ in range(round(duration / TICK)):
            self._tick()

    def _tick(self):
        self.now = round(self.now + TICK, 6)
        count = round(self.now / TICK)
        self._move()
        if count % 2 == 0:
            still = quaternion.matrix(self.attitude).T @ self.velocity - np.cross(self.rates, self.com)
            self.lead.controller.update_motion(self.now, MotionReading(self.now, self.attitude, still, self.rates))
        if count % 5 == 0:
            for name, member in self.members.items():
                reading = member.telemetry(self.now)
                if member.reports and self.is_leading:
                    self.lead.valves(self.now, name, reading)
                    self.lead.member(self.now, member.report(self.now))
                    member.controller.hear_lead(self.now, self.first)
        if self.is_leading and self.lead.controller.is_active:
            self._give(self.lead.controller.tick(self.now))
        for member in self.members.values():
            if member.controller.is_active:
                member.send(member.controller.tick(self.now))

    def _move(self):
        forces = np.concatenate([member.pulses(self.now) for member in self.members.values()])
        array = self.lead.assembly.array
        wrench = array.effectiveness @ (forces * array.f_max)
        for name, member in self.members.items():
            self.worst[name] = max(self.worst.get(name, 0.0), member.power)
        self.velocity = self.velocity + quaternion.rotate(self.attitude, wrench[:3]) / self.mass * TICK
        spin = np.linalg.solve(self.inertia, wrench[3:] - np.cross(self.rates, self.inertia @ self.rates))
        self.rates = self.rates + spin * TICK
        step = quaternion.from_rotation_vector(quaternion.rotate(self.attitude, self.rates * TICK).tolist())
        self.attitude = quaternion.product(step.tolist(), self.attitude.tolist())
        self.attitude /= np.linalg.norm(self.attitude)
