# ruff: noqa: C408
"""Docked bodies in one place: their ports, latches and bridges do as the docking cores command, messages take time."""

import itertools
import json
import math
import random

from plant import VEHICLE

from qiki_docking import rebuilt
from qiki_docking.bridge import Role
from qiki_docking.core import DockingCore
from qiki_docking.record import Record
from qiki_vehicle.port_hardware import DockReading, PortReading

STEP = 0.1  # s
LATCH = 2.0  # s, of the drive


def counted():
    numbers = itertools.count(1)
    return lambda: f"{next(numbers):032x}"


class Joint:
    """The port of a body against the port of another: the first one docks."""

    def __init__(self, active, port, passive, other):
        self.ends = {active: port, passive: other}
        self.active, self.passive = active, passive
        self.touching = self.magnets = self.captured = True
        self.latch = 0.0
        self.ground = self.precharge = self.main = False
        self.limit = 0.0
        self.current = 0.0  # A, into the active end
        self.fed = 0.0  # V behind open contacts
        self.pull = 0.0
        self.data = dict.fromkeys(self.ends, False)

    def act(self, command):
        for name in ("magnets", "ground", "precharge", "main", "limit"):
            value = getattr(command, {"magnets": "capture", "limit": "current_limit"}.get(name, name))
            if value is not None:
                setattr(self, name, value)
        if command.latch is not None:
            self.latch = min(max(self.latch + (STEP if command.latch else -STEP) / LATCH, 0.0), 1.0)
        self.captured = self.magnets and self.touching
        self.pull = command.pull
        if command.release:
            self.latch, self.captured, self.main, self.touching = 0.0, False, False, False


class Rig:
    """Cores, joints, and messages between them that are late, or lost.

    faults: of sensors, by body, port and field of `PortReading`.
    """

    def __init__(self, roles, joints, *, delay=0.02, loss=0.0, seed=0, **options):
        self.now, self.random = 100.0, random.Random(seed)
        self.options = {
            name: {"role": role, "nonces": counted(), **options.get(name, {})} for name, role in roles.items()
        }
        self.cores = {name: self.make(name) for name in roles}
        self.joints = [Joint(*joint) for joint in joints]
        self.draws = dict.fromkeys(roles, 0.0)
        self.delay, self.loss = delay, loss
        self.mail = []
        self.faults, self.silent = {}, set()
        self.outputs, self.occurrences = {}, {name: [] for name in roles}
        self.volts = dict.fromkeys(roles, 0.0)

    def make(self, name, **options):
        core = DockingCore(VEHICLE, name, **{**self.options[name], **options})
        if core._network.role is not Role.SOURCE:
            core.energy(0.0, 0.5, {})
        return core

    def restart(self, name):
        """Another core in place of one, with the state of its events and its file, as after a kill of its node."""
        events = [(one.type, one.payload) for one in self.occurrences[name]]
        old = self.cores[name]
        record = None if old.record is None else Record.from_payload(json.loads(json.dumps(old.record.as_payload())))
        self.cores[name] = self.make(name, state=rebuilt(events), docking_id=old.docking_id, record=record)

    def step(self):
        self.now = round(self.now + STEP, 6)
        self.power()
        for name, core in self.cores.items():
            if name in self.silent:
                continue
            core.reading(self.reading(name), self.now)
        due, self.mail = (
            [one for one in self.mail if one[0] <= self.now],
            [one for one in self.mail if one[0] > self.now],
        )
        for _, deliver in sorted(due, key=lambda one: one[0]):
            deliver()
        for name, core in self.cores.items():
            if name in self.silent:
                continue
            output = self.outputs[name] = core.step(self.now)
            self.occurrences[name] += core.take_occurrences()
            if output.command.draw is not None:
                self.draws[name] = output.command.draw
            for command in output.command.ports:
                for joint in self.joints:
                    if joint.ends.get(name) == command.port:
                        if command.data is not None:
                            joint.data[name] = command.data
                        if name == joint.active or command.release:
                            joint.act(command)
                        else:
                            # An end that is docked to drives nothing.
                            assert (command.capture, command.latch, command.ground, command.main) == (None,) * 4
            self.post(name, output)
        return self

    def post(self, name, output):
        for other in self.cores:
            if other == name or self.random.random() < self.loss:
                continue
            at = self.now + (self.delay() if callable(self.delay) else self.delay)
            self.mail.append((at, lambda other=other, state=output.state: self.cores[other].partner(state, self.now)))
            self.mail.append((at, lambda other=other, bridge=output.bridge: self.cores[other].bridge(bridge)))

    def run(self, until, limit=120.0):
        end = self.now + limit
        while not until(self):
            assert self.now < end, {
                name: (core.phase, core.state.step, core.state.reason) for name, core in self.cores.items()
            }
            self.step()
        return self

    def of(self, name, type):
        return [one.payload for one in self.occurrences[name] if one.type == type]

    # Ports ----------------------------------------------------------------------------------------------------------

    def power(self):
        """Volts of each body and current of each joint: constant power behind lines, as long as the limiters allow."""
        sources = [name for name, core in self.cores.items() if core._network.role is Role.SOURCE]
        before, self.volts = self.volts, {name: 28.0 if name in sources else 0.0 for name in self.cores}
        for joint in self.joints:
            joint.current = 0.0
        for source in sources:
            self.feed(source, None, before)
        for joint in self.joints:
            near = max((self.volts[name] for name in joint.ends), default=0.0)
            if joint.main:
                joint.fed = min((self.volts[name] for name in joint.ends), default=0.0)
            elif joint.precharge:
                joint.fed = near + (joint.fed - near) * math.exp(-STEP / 0.1)
            else:
                joint.fed *= math.exp(-STEP / 0.05)

    def feed(self, body, above, before):
        """Amperes that a body takes: its own and those of the bodies behind it, by the volts of the step before."""
        drawn = 0.0 if above is None or above.limit == 0.0 else self.draws[body] / (before[body] or 28.0)
        for joint in self.joints:
            far = next((name for name in joint.ends if name != body), None)
            if joint is above or body not in joint.ends or not joint.main:
                continue
            amperes = self.feed(far, joint, before)
            joint.current = amperes if far == joint.active else -amperes
            drawn += amperes
        if above is None:
            self.drop(body, None)
        return drawn

    def drop(self, body, above):
        for joint in self.joints:
            if joint is not above and body in joint.ends and joint.main:
                far = next(name for name in joint.ends if name != body)
                self.volts[far] = self.volts[body] - 0.05 * abs(joint.current)
                self.drop(far, joint)

    def reading(self, name):
        ports = []
        for port in ("A", "B"):
            joint = next((one for one in self.joints if one.ends.get(name) == port), None)
            values = dict(contact=False, capture=False, latch_1=False, latch_2=False, umbilical=False, temperature=30.0,
                          ground=False, contacts_closed=False, isolation=5e6, outer_volts=0.0, inner_volts=0.0,
                          current=0.0, data_carrier=False)  # fmt: skip
            if joint is not None:
                other = next(one for one in joint.ends if one != name)
                own, theirs = self.volts[name], self.volts[other]
                inner = own or joint.fed
                locked = joint.latch >= 1.0
                values |= dict(contact=joint.touching, capture=joint.captured, latch_1=locked, latch_2=locked,
                               umbilical=locked, ground=joint.ground, contacts_closed=joint.main,
                               isolation=math.nan if joint.main else 5e6, inner_volts=inner,
                               outer_volts=theirs or joint.fed,
                               current=joint.current if name == joint.active else -joint.current,
                               data_carrier=joint.data[other] and other not in self.silent)  # fmt: skip
                if joint.pull and name == joint.active:
                    values |= dict(pull_force=498.0, slip_1=0.0002, slip_2=0.0003)
            values |= self.faults.get((name, port), {})
            ports.append(PortReading(port, **values))
        return DockReading(self.now, tuple(ports))
