"""Telemetry into a controller: admitted, passed on, and findings about thrusters recorded."""

import abc
from collections.abc import Mapping

import numpy as np

from qiki_allocator.checks import RefusalError
from qiki_allocator.flight.drive import Drive
from qiki_allocator.flight.motion_control import MOVED, MotionControl
from qiki_allocator.flight.occurrences import Journal
from qiki_allocator.health.readings import MotionReading, ValveReading
from qiki_allocator.health.watch import Finding
from qiki_allocator.limits.energy_gate import EnergyReading
from qiki_vehicle import MassProperties
from qiki_vehicle.intake import Intake


class TelemetryInputs(abc.ABC):
    """The methods of a `Controller` that take telemetry."""

    drive: Drive
    motion: MotionControl
    journal: Journal
    _intake: Intake

    @abc.abstractmethod
    def _keep_time(self, now: float) -> None:
        """Note that it is `now`, s."""

    @abc.abstractmethod
    def _observe(self, now: float) -> None:
        """Let the journal see the changes."""

    def update_energy(self, now: float, reading: EnergyReading) -> None:
        """Take energy telemetry; it counts in the same cycle."""
        self._keep_time(now)
        if self._intake.admits("energy", now, reading.time, reading.problem()):
            self.drive.update_energy(reading)

    def update_thermal(self, now: float, time: float, temperatures: Mapping[str, float]) -> None:
        """Take thermal telemetry, measured at `time`, s: degC by node; it counts in the same cycle."""
        self._keep_time(now)
        if self._intake.admits("thermal", now, time):
            self.drive.update_thermal(time, temperatures)

    def update_motion(self, now: float, reading: MotionReading) -> list[Finding]:
        """Take odometry; findings about thrusters."""
        self._keep_time(now)
        if not self._intake.admits("odom", now, reading.time, reading.problem()):
            return []
        self.motion.read(reading)
        return self._record(now, self.drive.update_motion(reading))

    def update_valves(self, now: float, reading: ValveReading) -> list[Finding]:
        """Take a report of the valves; findings about thrusters."""
        self._keep_time(now)
        if not self._intake.admits("thruster_state", now, reading.time):
            return []
        return self._record(now, self.drive.update_valves(reading))

    def update_mass(self, now: float, body: MassProperties, *, composite: bool = False) -> bool:
        """Take mass properties, see `MotionControl.take_mass`; whether the centre of mass moved.

        Raises:
            RefusalError: naming the field, value and allowed range; counted.
        """
        self._keep_time(now)
        try:
            changed = self.motion.take_mass(body, composite=composite)
        except RefusalError as error:
            self._intake.refuse("mass_properties" if composite else "body/mass_properties", now, str(error))
            raise
        return changed and self._move()

    def separate(self, now: float) -> bool:
        """The body is docked to no other any more: its own mass properties count; whether the centre of mass moved."""
        self._keep_time(now)
        return self.motion.separate() and self._move()

    def _move(self) -> bool:
        before, body = self.drive.array.com, self.motion.body
        self.drive.move(body)
        return not np.allclose(before, body.com, rtol=0.0, atol=MOVED)

    def _record(self, now: float, found: list[Finding]) -> list[Finding]:
        for finding in found:
            self.journal.found(now, finding, self.drive.uncontrollable)
        if found:
            self._observe(now)
        return found
