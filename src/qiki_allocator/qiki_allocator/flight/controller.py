"""The controller of one bot: commands and telemetry in, valve commands out."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.answers import checked_wrench
from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.checks import RefusalError, refusing
from qiki_allocator.flight.control_cycle import ControlCycle
from qiki_allocator.flight.demand import Demand
from qiki_allocator.flight.drive import Drive
from qiki_allocator.flight.following import Following
from qiki_allocator.flight.motion_control import AttitudeMode, MotionControl
from qiki_allocator.flight.occurrences import Journal, Standing
from qiki_allocator.flight.profile_source import ProfileSource
from qiki_allocator.flight.segments import ProfileConfig, Segment
from qiki_allocator.flight.settings import OperatorSettings
from qiki_allocator.flight.telemetry import Activity, Mode, State, Telemetry
from qiki_allocator.flight.telemetry_inputs import TelemetryInputs
from qiki_allocator.groups.controllability import TRANSLATIONS
from qiki_allocator.health.table import Condition, checked_level
from qiki_allocator.health.watch import Finding
from qiki_allocator.limits.inhibition import EXPIRY, check_inhibition
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_allocator.modulation.level_pulses import checked_levels
from qiki_vehicle.intake import Intake

_BACK = 1e-3
"""s; a clock that goes back by more has been set back."""


class Controller(TelemetryInputs, Following):
    """Flies one bot:

        command = controller.command(now, [200.0, 0.0, 0.0, 0.0, 0.0, 0.0])
        while controller.is_active:
            command = controller.tick(now)  # at the control rate

    Each method returns the valve command to send at once, if any, and raises a RefusalError, which names field, value
    and allowed range, for a request that is refused. Time is the caller's clock in s; a clock that is set back, as by a
    simulator that was restarted, clears all that was commanded.

    Args:
        watchdog: s, see `Demand`.
        tick: s between two cycles.

    Attributes:
        drive: the way from a wrench to the valves.
        motion: attitude mode and brake.
        profile: the thrust profile.
        journal: keeps occurrences until they are taken.
        settings: of operators.
    """

    def __init__(
        self, drive: Drive, motion: MotionControl, profiles: ProfileConfig, *, watchdog: float, tick: float
    ) -> None:
        self.drive = drive
        self.motion = motion
        self.profile = ProfileSource(drive, profiles, tick)
        self.journal = Journal()
        chosen = drive.modulators.kind
        self._demand = Demand(motion, self.profile, len(drive.array), watchdog=watchdog, modulator=chosen)
        self._cycle = ControlCycle(drive, self._demand, self.journal)
        self._intake = Intake()
        self.settings = OperatorSettings(drive, self._demand, self.journal)
        self._now = self._cycled = -math.inf

    # Commands -------------------------------------------------------------------------------------------------------

    def command(self, now: float, wrench: npt.ArrayLike) -> ValveCommand | None:
        """Take a wrench, (6,) N and N m. While valves are in use the answer is never None.

        A wrench that is refused (RefusalError) changes nothing, does not feed the watchdog and is counted.
        """
        self._keep_time(now)
        energy = self.drive.limits(now).energy
        try:
            with refusing():
                wanted = checked_wrench(wrench)
            self._demand.take_wrench(now, wanted, energy)
        except RefusalError as error:
            self.refuse(now, "cmd_wrench", str(error))
            raise
        self.journal.accepted()
        new = self._run(now)
        if new is None and self.drive.is_active:
            return self._give(self.drive.repeat(now))
        return new

    def command_levels(self, now: float, levels: npt.ArrayLike) -> ValveCommand | None:
        """Take levels of single thrusters, (n,) 0..1."""
        self._keep_time(now)
        array, energy = self.drive.array, self.drive.limits(now).energy
        try:
            with refusing():
                wanted = checked_levels(levels, len(array))
            wrench = array.effectiveness @ (wanted * array.f_max)
            self._demand.take_levels(now, wanted, wrench, energy)
        except RefusalError as error:
            self.refuse(now, "cmd_levels", str(error))
            raise
        self.journal.accepted()
        return self._run(now)

    def refuse(self, now: float, topic: str, reason: str) -> None:
        """Count a command that was refused, and why."""
        self._keep_time(now)
        self._demand.refuse(reason)
        self._observe(now)
        self.journal.refused(now, topic, reason)

    def set_attitude(
        self,
        now: float,
        mode: AttitudeMode,
        target: npt.ArrayLike | None = None,
        turn: npt.ArrayLike = (0.0, 0.0, 0.0),
    ) -> None:
        """Set the attitude mode; HOLD takes a target, (4,) x y z w, or the attitude of now. From now on the target
        turns at `turn`, (3,) rad/s in world, as a partner does."""
        self._keep_time(now)
        self._demand.check_attitude(now, mode)
        self.motion.set_mode(now, mode, target, turn)
        self._demand.wrenches.value[3:] = 0.0
        if mode is not AttitudeMode.OFF:
            self._demand.state = State.ACTIVE
        self._observe(now)

    def brake(self, now: float) -> ValveCommand:
        """Cancel everything and take the motion down to rest, with any gate but not without odometry, nor while all
        thrusters are inhibited."""
        self._keep_time(now)
        self._demand.check_grounded()
        self._check_inhibited(now)
        self.motion.begin_brake(now)
        self.motion.mode = AttitudeMode.OFF
        self._demand.state = State.ACTIVE
        return self._give(self._cancel(now, "brake"))

    def set_mode(self, now: float, mode: Mode, *, arm: bool = False) -> ValveCommand | None:
        """Set which thrusters may be combined (`arm` for MANUAL_OVERRIDE), and end `stop`. A change cancels profile and
        commands.
        """
        self._keep_time(now)
        self._demand.check_followed()
        if mode is Mode.MANUAL_OVERRIDE and not arm:
            raise RefusalError("arm: False; allowed for MANUAL_OVERRIDE: True")
        self.resume()
        if mode is self._demand.mode:
            return None
        self.settings.set_mode(mode)
        if mode is Mode.MANUAL_OVERRIDE:
            self.motion.leave()
        elif self.motion.is_braking:
            self.motion.mode = AttitudeMode.OFF
        was_active = self.is_active
        command = self._cancel(now, f"mode set to {mode.value}")
        return self._give(command) if was_active else None

    def set_modulator(self, now: float, kind: str) -> None:
        """Set how forces become pulses, from the next cycle on; the new modulator takes over backlog and open valves.
        While a profile flies with a modulator of its own, it counts after that."""
        self._keep_time(now)
        self.drive.modulators.check(kind)
        self._demand.chosen = kind
        self._observe(now)

    def inhibit(
        self, now: float, time: float, bounds: npt.ArrayLike, reason: str = "", *, touching: bool = False
    ) -> ValveCommand | None:
        """Bound the mean thrust of each thruster, (n,) 0..1, until 0.5 s after `time`, s, of the order; 0: its valve
        stays closed, one that is open closes as soon as its shortest pulse allows. All bounds are those of the newest
        order; a refused one leaves those before in force, and is counted.

        touching: the body touches another: for the same time its motion is no evidence about its thrusters.
        """
        self._keep_time(now)
        problem = check_inhibition(now, time, bounds, len(self.drive.array))
        if not self._intake.admits("inhibit", now, time, problem):
            raise RefusalError(self._intake.reason)
        self.drive.inhibit(now, time, np.asarray(bounds, dtype=float), reason)
        if touching:
            self.drive.faults.distrust(min(time, now) + EXPIRY)
        return self._run(now) if self.is_active else None

    def start_profile(self, now: float, segments: Sequence[Segment], name: str = "", modulator: str = "") -> None:
        """Fly a thrust profile from now on; `name` identifies its occurrences. A modulator that is named counts while
        it is flown."""
        self._keep_time(now)
        if modulator:
            self.drive.modulators.check(modulator)
        self.profile.check(segments)
        wrenches = [np.asarray(segment.wrench, dtype=float) * segment.level for segment in segments]
        self._demand.check_profile(now, wrenches, self.drive.limits(now).energy)
        self.profile.start(now, segments, name, modulator)
        self._cycle.clear(now)
        self._demand.state = State.ACTIVE
        self._observe(now)

    def wrench_of_group(self, name: str) -> Floats:
        """(6,) N and N m that a thrust group gives, without the torque of a group for translation while an attitude
        mode gives the torque.

        Raises:
            RefusalError: there is no such group, or it has no thrusters.
        """
        group = self.drive.groups.find(self.drive.array, self.drive.faults.health, name)
        wrench = group.wrench.copy()
        if group.axis in TRANSLATIONS and self.motion.mode is not AttitudeMode.OFF:
            wrench[3:] = 0.0
        return wrench

    def cancel_profile(self, now: float) -> ValveCommand | None:
        """End the profile and close the valves now."""
        self._keep_time(now)
        if not self.profile.is_on:
            return None
        command = self.drive.stop(now)
        self.profile.cancel()
        self._observe(now)
        return self._give(command)

    def stop(self, now: float, reason: str = "stopped") -> ValveCommand:
        """Close all valves, leave the attitude alone; commands are refused until they have paused for the watchdog's
        time, or until `resume`. `reason`: of a profile's end."""
        self._keep_time(now)
        self.motion.leave()
        if self._demand.lead:
            self._end(now, reason)
        self._demand.state = State.STOPPED
        return self._give(self._cancel(now, reason))

    def resume(self) -> None:
        """End `stop`."""
        if self._demand.state is State.STOPPED:
            self._demand.state = State.IDLE

    def ground(self, now: float, reason: str) -> ValveCommand | None:
        """Close all valves and refuse whatever would fly for as long as there is a `reason`; empty: end that, as after
        `stop`."""
        if reason == self._demand.grounded:
            return None
        self._demand.grounded = reason
        return self.stop(now, reason) if reason else None

    def set_health(self, now: float, thruster: int, condition: Condition, level: float = 1.0) -> Finding:
        """Set the condition of a thruster from the next cycle on; level: see `checked_level`."""
        self._keep_time(now)
        finding = self.drive.faults.set(thruster, condition, checked_level(condition, level))
        self.drive.health_changed()
        self._observe(now)
        return finding

    # Cycles ---------------------------------------------------------------------------------------------------------

    @property
    def is_active(self) -> bool:
        """True while `tick` must be called at the control rate."""
        return self._cycle.is_active or bool(self._demand.lead)

    def tick(self, now: float) -> ValveCommand | None:
        """Run a control cycle."""
        self._keep_time(now)
        return self._run(now)

    def _run(self, now: float) -> ValveCommand | None:
        command = self._follow(now) if self._demand.lead else self._cycle.run(now)
        self._cycled = now
        self._observe(now)
        return None if command is None else self._give(command)

    def _give(self, command: ValveCommand) -> ValveCommand:
        """Count a command that the caller sends."""
        self.drive.sent += 1
        return command

    def _cancel(self, now: float, reason: str) -> ValveCommand:
        command = self._cycle.cancel(now, reason)
        self._observe(now)
        return command

    # Telemetry out --------------------------------------------------------------------------------------------------

    @property
    def activity(self) -> Activity:
        """Source of the demand in flight."""
        return self._demand.activity

    @property
    def status(self) -> tuple[State, str, int]:
        """State, reason of the last refusal (empty since a command was accepted), number of refusals."""
        return self._demand.state, self._demand.refusal, self._demand.refused

    def telemetry(self, now: float) -> Telemetry:
        """Snapshot at `now`; duty and mean power are those since the last call."""
        self._keep_time(now)
        telemetry = self._cycle.telemetry(now)
        self._observe(now)
        warnings = telemetry.warnings + self._intake.warnings(now)
        return replace(telemetry, telemetry_refused=dict(self._intake.refused), warnings=warnings)

    # Time and journal ----------------------------------------------------------------------------------------------

    def _keep_time(self, now: float) -> None:
        if now < self._now - _BACK:
            self._clear(now)
        elif not self.is_active:
            self._cycled = now
        elif now - self._cycled > self._demand.watchdog:
            self._cycle.lapse(now)
            self._cycled = now
        self._now = now
        self.settings.keep_time(now)

    def _clear(self, now: float) -> None:
        """The clock was set back."""
        self._intake.reset()
        self.drive.reset()
        self.motion.reset()
        self.profile.abort("clock: set back; allowed: forward only")
        if self._demand.lead:
            self._end(now, "clock set back")
        self._observe(now)
        self.journal.restart("clock set back")
        self._demand.reset()
        self._cycle.clear(-math.inf)

    def _observe(self, now: float) -> None:
        """Use the modulator that is wanted now, and let the journal compare the allocator's standing with the last."""
        modulators = self.drive.modulators
        modulators.switch(now, self._demand.modulator)
        energy = (self.drive.known or self.drive.limits(now)).energy
        flown = self.profile.name if self.profile.is_on else None
        standing = Standing(self._demand.mode, energy.gate, self.motion.mode, self.drive.health, flown, modulators.kind)
        self.journal.see(now, standing, energy, self.profile)
