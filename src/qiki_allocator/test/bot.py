"""A controller with its hardware, telemetry and clock, for tests without a graph."""

import numpy as np
from valve_hardware import Hardware, on_times

from qiki_allocator.assembly import assemble, thrusters
from qiki_allocator.health.readings import MotionReading, ValveReading
from qiki_allocator.health.table import Condition
from qiki_allocator.limits.energy_gate import EnergyReading

FORCE = [200.0, 0.0, 0.0, 0.0, 0.0, 0.0]
ZERO = [0.0] * 6


class Bot:
    """A controller with its hardware, energy and heat telemetry at 10 Hz, and clock."""

    def __init__(self, vehicle, stopwatch=lambda: 0.0):
        self.array = thrusters(vehicle)
        self.controller = assemble(vehicle, stopwatch=stopwatch)
        self.hardware = Hardware(len(self.array))
        self.soc, self.temperature = 0.8, 20.0
        self.hears = True
        self.sent = 0
        self.now = 10.0
        self.hear()

    def hear(self):
        temperatures = {f"RCS_{k}": self.temperature for k in "ABCD"} | {"HULL": 20.0}
        self.controller.update_energy(self.now, EnergyReading(self.now, self.soc, 22500.0))
        self.controller.update_thermal(self.now, self.now, temperatures)

    def send(self, command):
        if command is not None:
            self.sent += 1
            self.hardware.take(command, self.now)
        return command

    def command(self, wrench):
        return self.send(self.controller.command(self.now, wrench))

    def run(self, duration, wrench=None, rate=100.0):
        """Let time pass; with a wrench, command it all the while."""
        for count in range(round(duration * rate)):
            self.now += 1.0 / rate
            if self.hears and count % 10 == 0:
                self.hear()
            if wrench is not None:
                self.command(wrench)
            elif self.controller.is_active:
                self.send(self.controller.tick(self.now))

    @property
    def state(self):
        return self.controller.status[0]

    @property
    def impulse(self):
        return self.array.effectiveness @ (self.array.f_max * on_times(self.hardware.pulses()))


def valves(bot, on_time, conditions=(Condition.OK,) * 16, after=0.0):
    """The report of the valves."""
    return ValveReading(bot.now + after, on_time, tuple(conditions))


def odometry(bot, velocity=(0.0, 0.0, 0.0), rates=(0.0, 0.0, 0.0), attitude=(0.0, 0.0, 0.0, 1.0)):
    return MotionReading(bot.now, np.array(attitude), np.array(velocity), np.array(rates))
