"""What the allocator is asked for and hears: admitted or refused, then flown."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.answers import checked_wrench
from qiki_allocator.flight import admission
from qiki_allocator.flight.attitude import Body
from qiki_allocator.flight.cycles import Cycles
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_allocator.flight.profile import Segment
from qiki_allocator.flight.telemetry import Mode, State
from qiki_allocator.health.readings import MotionReading, ValveReading
from qiki_allocator.health.table import Condition
from qiki_allocator.health.watch import Finding
from qiki_allocator.limits.energy_gate import EnergyReading
from qiki_allocator.modulation.level_pulses import checked_levels
from qiki_allocator.modulation.valves import ValveCommand

_MOVED = 1e-4
"""m, and relative: changes of mass properties below it are ignored."""


class Controller(Cycles):
    """Takes wrenches, levels, profiles and odometry, and gives valve commands, for one bot.

    Time is the caller's clock in s. A wrench holds until the next one; when none came for the watchdog's time, it ends.
    """

    # What is asked for ----------------------------------------------------------------------------------------------

    def command(self, now: float, wrench: npt.ArrayLike) -> ValveCommand | None:
        """Take a wrench, (6,) N and N m; the valve command to send at once.

        A wrench that is refused changes nothing, does not feed the watchdog and is counted.

        Raises:
            ValueError: the wrench is refused; the text names component, value and allowed range.
        """
        self._keep_time(now)
        try:
            commanded = checked_wrench(wrench)
            admission.check_wrench(self._situation(now), commanded)
        except ValueError as error:
            self.refuse(now, "cmd_wrench", str(error))
            raise
        self._accept(now)
        self._orders.wrench = commanded
        new = self._cycle(now)
        if new is None and self.drive.is_active:
            return self.drive.repeat(now)
        return new

    def _situation(self, now: float) -> admission.Situation:
        return admission.Situation(
            mode=self._mode,
            attitude_mode=self.motion.mode,
            is_braking=self.motion.is_braking,
            is_profile_on=self.profile.is_on,
            stopped=self._stream.pause_left(now),
            energy=self.drive.limits(now).energy,
        )

    def command_levels(self, now: float, levels: npt.ArrayLike) -> ValveCommand | None:
        """Take levels of single thrusters, (n,) 0..1; the valve command to send at once.

        Raises:
            ValueError: they are refused; the text names field, value and allowed range.
        """
        self._keep_time(now)
        try:
            wanted = checked_levels(levels, len(self.drive.array))
            wrench = self.drive.array.effectiveness @ (wanted * self.drive.array.f_max)
            admission.check_levels(self._situation(now), wrench)
        except ValueError as error:
            self.refuse(now, "cmd_levels", str(error))
            raise
        self._accept(now)
        self._orders.levels = wanted
        return self._cycle(now)

    def _accept(self, now: float) -> None:
        self._stream.accept(now)
        self.journal.accepted()

    def refuse(self, now: float, topic: str, reason: str) -> None:
        """Count a command that was refused, and why."""
        self._keep_time(now)
        self._stream.refuse(reason)
        self._observe(now)
        self.journal.refused(now, topic, reason)

    def set_attitude(self, now: float, mode: AttitudeMode, target: npt.ArrayLike | None = None) -> None:
        """Keep the attitude so from now on; HOLD takes a target, (4,) x y z w, or the attitude of now.

        Raises:
            ValueError: it is refused; the text names field, value and allowed range.
        """
        self._keep_time(now)
        admission.check_attitude(self._situation(now), mode)
        self.motion.set_mode(now, mode, target)
        self._orders.wrench[3:] = 0.0
        if mode is not AttitudeMode.OFF:
            self._stream.state = State.ACTIVE
        self._observe(now)

    def brake(self, now: float) -> ValveCommand:
        """Cancel everything and take the motion down to rest; every gate allows it.

        Raises:
            ValueError: there is no odometry.
        """
        self._keep_time(now)
        self.motion.begin_brake(now)
        self.motion.mode = AttitudeMode.OFF
        self._stream.state = State.ACTIVE
        return self._cancel(now, "brake")

    def set_mode(self, now: float, mode: Mode, *, arm: bool = False) -> ValveCommand | None:
        """Set which thrusters may be combined, and end `stop`. A change ends what is flown.

        Raises:
            ValueError: MANUAL_OVERRIDE is not armed.
        """
        self._keep_time(now)
        if mode is Mode.MANUAL_OVERRIDE and not arm:
            raise ValueError("arm: False; allowed for MANUAL_OVERRIDE: True")
        self.resume()
        if mode is self._mode:
            return None
        self._mode = mode
        self.drive.by_groups = mode is Mode.AUTO
        if mode is Mode.MANUAL_OVERRIDE:
            self._orders.leave_attitude()
        elif self.motion.is_braking:
            self.motion.mode = AttitudeMode.OFF
        was_active = self.is_active
        command = self._cancel(now, f"mode set to {mode.value}")
        return command if was_active else None

    def start_profile(self, now: float, segments: Sequence[Segment], name: str = "") -> None:
        """Fly a thrust profile from now on; its name is that of its occurrences.

        Raises:
            ValueError: it is refused; the text names field, value and allowed range.
        """
        self._keep_time(now)
        situation = self._situation(now)
        admission.check_profile(situation)
        for segment in segments:
            admission.check_gate(situation, np.asarray(segment.wrench) * segment.level)
        self.profile.start(now, segments, name)
        self._forget_commands()
        self._stream.state = State.ACTIVE
        self._observe(now)

    def cancel_profile(self, now: float) -> ValveCommand | None:
        """End the profile and close the valves now."""
        self._keep_time(now)
        if not self.profile.is_on:
            return None
        command = self.drive.stop(now)
        self.profile.cancel()
        self._observe(now)
        return command

    def stop(self, now: float) -> ValveCommand:
        """Close all valves, leave the attitude alone; commands are refused until their stream has paused for the
        watchdog's time or `resume`."""
        self._keep_time(now)
        self._orders.leave_attitude()
        self._stream.state = State.STOPPED
        return self._cancel(now, "stopped")

    def resume(self) -> None:
        """End `stop`."""
        self._stream.resume()

    # Telemetry ------------------------------------------------------------------------------------------------------

    def update_energy(self, now: float, reading: EnergyReading) -> None:
        """Take energy telemetry; it counts in the same cycle."""
        self._keep_time(now)
        self.drive.update_energy(reading)

    def update_thermal(self, now: float, time: float, temperatures: Mapping[str, float]) -> None:
        """Take thermal telemetry, measured at `time`, s: degC by node; it counts in the same cycle."""
        self._keep_time(now)
        self.drive.update_thermal(time, temperatures)

    def update_motion(self, now: float, reading: MotionReading) -> list[Finding]:
        """Take odometry; findings about thrusters."""
        self._keep_time(now)
        self.motion.read(reading)
        found = self.drive.faults.move_seen(reading)
        if any(finding.condition is not None for finding in found):
            self.drive.health_changed()
        return self._found(now, found)

    def update_valves(self, now: float, reading: ValveReading) -> list[Finding]:
        """Take a report of the valves; findings about thrusters."""
        self._keep_time(now)
        return self._found(now, self.drive.update_valves(reading))

    def update_mass(self, now: float, body: Body, *, composite: bool = False) -> bool:
        """Take mass properties; whether the centre of mass moved.

        Args:
            composite: of this bot docked to others. From the first of these on, the bot's own are ignored.
        """
        self._keep_time(now)
        if self._is_composite and not composite:
            return False
        self._is_composite = composite
        before = self.motion.body
        if not _differs(before, body):
            return False
        if not np.array_equal(body.com, self.drive.array.com):
            self.drive.move(body.com)
        self.motion.body = body
        self.drive.faults.move(self.drive.array, body)
        return not np.allclose(before.com, body.com, atol=_MOVED)

    def _found(self, now: float, found: list[Finding]) -> list[Finding]:
        for finding in found:
            self.journal.found(now, finding, self.drive.uncontrollable)
        if found:
            self._observe(now)
        return found

    def set_health(self, now: float, thruster: int, condition: Condition, level: float = 1.0) -> Finding:
        """What is known of a thruster; counts from the next cycle on.

        Raises:
            ValueError: there is no such thruster, or the level is out of range.
        """
        self._keep_time(now)
        finding = self.drive.faults.set(thruster, condition, level)
        self.drive.health_changed()
        self._observe(now)
        return finding


def _differs(one: Body, other: Body) -> bool:
    return not (
        np.allclose(one.com, other.com, rtol=0.0, atol=_MOVED)
        and np.allclose(one.inertia, other.inertia, rtol=_MOVED)
        and abs(one.mass - other.mass) <= _MOVED * one.mass
    )
