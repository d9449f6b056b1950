"""The control cycle: from the demand to the valves."""

import math

import numpy as np

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.flight import occurrences
from qiki_allocator.flight.demand import Demand
from qiki_allocator.flight.drive import Drive
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_allocator.flight.occurrences import Journal
from qiki_allocator.flight.telemetry import Activity, CommandWay, Mode, State, Telemetry
from qiki_allocator.modulation.ledger import ValveCommand


class ControlCycle:
    """Steps the drive with the demand of the source in charge. Methods return the valve command to send, if any.

    Attributes:
        wrench: (6,) N and N m, demanded in the last cycle.
    """

    def __init__(self, drive: Drive, demand: Demand, journal: Journal) -> None:
        self._drive, self._demand, self._journal = drive, demand, journal
        self.wrench = np.zeros(6)
        self._last_run, self._longest_pause = math.inf, 0.0

    def _take_pause(self) -> float:
        pause, self._longest_pause = self._longest_pause, 0.0
        if not self.is_active:
            self._last_run = math.inf
        return pause

    @property
    def is_active(self) -> bool:
        """True while `run` must be called at the control rate."""
        return self._is_flying or self._drive.is_active or self._demand.is_standing

    @property
    def _is_flying(self) -> bool:
        return self._demand.state is State.ACTIVE

    def telemetry(self, now: float) -> Telemetry:
        """Snapshot at `now`, with the allocation of the last cycle's demand."""
        drive, demand, motion, levels = self._drive, self._demand, self._demand.motion, self._demand.levels.value
        limits = drive.limits(now)
        answer = drive.answer_of_levels(now, levels) if levels.any() else drive.answer(now, self._wanted())
        duty, power_mean = drive.take_duty(now)
        needs_motion = motion.is_braking or motion.mode is not AttitudeMode.OFF
        stale = needs_motion and not motion.is_fresh(now)
        odometry = (f"odometry {motion.age(now):.2f} s old: attitude is not kept",) if stale else ()
        return Telemetry(
            state=demand.state,
            mode=demand.mode,
            activity=demand.activity,
            attitude_mode=motion.mode,
            modulator=drive.modulators.kind,
            refusal=demand.refusal,
            refused=demand.refused,
            commanded=answer.wrench if levels.any() else self.wrench,
            allocation=answer,
            achieved=drive.achieved(now),
            way=CommandWay(*drive.way, self._take_pause()),
            binding=((demand.blocked,) if demand.blocked else ()) + answer.binding,
            limits=limits,
            power_now=drive.meter.power_now,
            power_mean=power_mean,
            energy=drive.meter.energy,
            duty=duty,
            firings=drive.meter.firings.copy(),
            solve_time=drive.solve_time,
            conditions=tuple(one.condition for one in drive.health),
            levels=np.array([one.level for one in drive.health]),
            uncontrollable=drive.uncontrollable,
            authority=drive.authority_left,
            warnings=limits.warnings + odometry,
        )

    def run(self, now: float) -> ValveCommand | None:
        """Step the drive, or stop it if the watchdog of all that was demanded has run out."""
        if self.is_active:
            self._longest_pause = max(self._longest_pause, now - self._last_run)
        self._last_run = now
        if not self._demand.has_lapsed(now):
            return self._step(now)
        demand, commanded = self._demand, self.wrench
        was_flown = demand.mode is Mode.MANUAL_OVERRIDE or bool(self._wanted().any())
        self.wrench = np.zeros(6)
        if not was_flown:
            demand.state = State.IDLE
            return self._step(now)
        self._record_stop(now, commanded)
        demand.state = State.WATCHDOG
        return self._drive.stop(now)

    def lapse(self, now: float) -> None:
        """Cycles paused for longer than the watchdog: what was demanded before counts no more. An attitude mode or a
        brake goes on from now, a profile ends."""
        demand, commanded = self._demand, self.wrench
        was_flown = demand.mode is Mode.MANUAL_OVERRIDE or bool(self._wanted().any())
        self._drive.lapse(now)
        self.clear(now)
        demand.profile.follow(now)
        if self._is_flying and was_flown:
            self._record_stop(now, commanded)
        if self._is_flying and not demand.is_standing:
            demand.state = State.WATCHDOG if was_flown else State.IDLE

    def _record_stop(self, now: float, commanded: Floats) -> None:
        silent = now - self._demand.stream.time
        self._journal.record(
            occurrences.WATCHDOG_STOPPED,
            now,
            silent=silent if math.isfinite(silent) else None,
            allowed=self._demand.watchdog,
            commanded=None if self._demand.source is Activity.LEVELS else commanded.tolist(),
        )

    def _step(self, now: float) -> ValveCommand | None:
        if self._demand.source is Activity.LEVELS:
            return self._step_levels(now)
        demand, is_flying = self._demand, self._is_flying
        self.wrench = np.zeros(6)
        if is_flying:
            was_blocked = demand.blocked
            self.wrench = demand.wrench(now, self._drive.limits(now).energy)
            if demand.blocked and not was_blocked:
                self._journal.refused(now, "flown", demand.refusal)
        wanted = self._wanted()
        command = self._drive.step(now, wanted)
        demand.profile.follow(now)
        if is_flying and not demand.is_standing and not self._drive.is_active and not wanted.any():
            demand.state = State.IDLE
        return command

    def _step_levels(self, now: float) -> ValveCommand | None:
        if not self._is_flying:
            return self._drive.give(now, None)
        levels = self._demand.levels.value
        if levels.any():
            return self._drive.step_levels(now, levels)
        self._demand.state = State.IDLE
        return self._drive.stop(now)

    def _wanted(self) -> Floats:
        """Wrench for the thrusters that can be controlled: the demand, less that of thrusters stuck open."""
        return self.wrench - self._drive.bias if self._is_flying else self.wrench

    def cancel(self, now: float, reason: str) -> ValveCommand:
        """Close the valves and end profile and streams."""
        command = self._drive.stop(now)
        self._demand.profile.abort(reason)
        self.clear(now)
        return command

    def clear(self, now: float) -> None:
        """End the streams."""
        self._demand.clear(now)
        self.wrench = np.zeros(6)
