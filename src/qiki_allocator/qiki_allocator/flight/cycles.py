"""What goes to the valves, cycle after cycle, and what there is to know of it."""

import math

import numpy as np

from qiki_allocator.allocation.answers import Allocation
from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.flight import occurrences
from qiki_allocator.flight.drive import Drive
from qiki_allocator.flight.motion_control import AttitudeMode, MotionControl
from qiki_allocator.flight.occurrences import Journal, Standing
from qiki_allocator.flight.orders import Orders
from qiki_allocator.flight.profile import ProfileConfig
from qiki_allocator.flight.profile_flight import ProfileFlight
from qiki_allocator.flight.stream import CommandStream
from qiki_allocator.flight.telemetry import Mode, State, Telemetry
from qiki_allocator.limits.limiter import HardLimits
from qiki_allocator.modulation.valves import ValveCommand

_BACK = 1e-3
"""s; a clock that goes back by more has been set back."""


class Cycles:
    """Flies what is asked for, for one bot; `Controller` takes what is asked for.

    Time is the caller's clock in s. A clock that is set back, as by a simulator that was restarted, clears all that was
    commanded.

    Args:
        watchdog: s.
        tick: s between two cycles.

    Attributes:
        drive: takes telemetry of energy and heat.
        motion: attitude mode and brake.
        profile: what is flown of a thrust profile.
        journal: keeps what happened until it is taken.
    """

    def __init__(
        self, drive: Drive, motion: MotionControl, profiles: ProfileConfig, *, watchdog: float, tick: float
    ) -> None:
        self.drive = drive
        self.motion = motion
        self.profile = ProfileFlight(drive, profiles, tick)
        self.journal = Journal()
        self._orders = Orders(motion, self.profile, len(drive.array))
        self._stream = CommandStream(watchdog)
        self._mode = Mode.ADAPTIVE
        self._now = self._standing_at = -math.inf
        self._is_composite = False
        self._demanded = np.zeros(6)

    # What there is to know ------------------------------------------------------------------------------------------

    @property
    def is_active(self) -> bool:
        """Whether `tick` must be called at the control rate."""
        return self._stream.is_active or self.drive.is_active or self._orders.is_standing

    @property
    def mode(self) -> Mode:
        """Which thrusters may be combined."""
        return self._mode

    @property
    def status(self) -> tuple[State, str, int]:
        """State, why the last command was refused (empty if it was not), and how many were."""
        return self._stream.state, self._stream.refusal, self._stream.refused

    @property
    def allocation(self) -> Allocation:
        """The answer to the wrench commanded now."""
        if self._orders.levels.any():
            return self.drive.answer_of_levels(self._now, self._orders.levels)
        return self.drive.answer(self._now, self._wanted())

    def limits(self, now: float) -> HardLimits:
        """All hard limits at `now`."""
        limits = self.drive.limits(now)
        self._observe(now)
        return limits

    def warnings(self, now: float) -> tuple[str, ...]:
        """What an operator should know of telemetry."""
        needs_motion = self.motion.is_braking or self.motion.mode is not AttitudeMode.OFF
        stale = needs_motion and not self.motion.is_fresh(now)
        odometry = (f"odometry {self.motion.age(now):.2f} s old: attitude is not kept",) if stale else ()
        return self.drive.limits(now).warnings + odometry

    def telemetry(self, now: float) -> Telemetry:
        """What there is to tell at `now`; duty and mean power are those since the last call."""
        self._keep_time(now)
        drive, orders = self.drive, self._orders
        limits, answer = drive.limits(now), self.allocation
        duty, power_mean = drive.tell(now)
        self._observe(now)
        return Telemetry(
            state=self._stream.state,
            mode=self._mode,
            activity=orders.activity,
            attitude_mode=self.motion.mode,
            refusal=self._stream.refusal,
            refused=self._stream.refused,
            commanded=answer.wrench if orders.levels.any() else self._demanded,
            allocation=answer,
            binding=((orders.blocked,) if orders.blocked else ()) + answer.binding,
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
            warnings=self.warnings(now),
        )

    # Cycles ---------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> ValveCommand | None:
        """The valve command to send at `now`, if any."""
        self._keep_time(now)
        orders, stream = self._orders, self._stream
        if orders.is_standing:
            self._standing_at = now
        if stream.is_dry(now):
            orders.wrench, orders.levels = np.zeros(6), np.zeros(len(orders.levels))
            if now - self._standing_at > stream.watchdog:
                return self._silence(now)
        return self._cycle(now)

    def _silence(self, now: float) -> ValveCommand | None:
        """Commands stopped coming."""
        was_flown = self._mode is Mode.MANUAL_OVERRIDE or bool(self._wanted().any())
        if not was_flown:
            self._demanded = np.zeros(6)
            self._stream.state = State.IDLE
            return self._cycle(now)
        silent = now - self._stream.heard
        self.journal.record(
            occurrences.WATCHDOG_STOPPED,
            now,
            silent=silent if math.isfinite(silent) else None,
            allowed=self._stream.watchdog,
            commanded=None if self._is_manual else self._demanded.tolist(),
        )
        self._demanded = np.zeros(6)
        self._stream.state = State.WATCHDOG
        command = self.drive.stop(now)
        self._observe(now)
        return command

    def _cycle(self, now: float) -> ValveCommand | None:
        command = self._cycle_of_levels(now) if self._is_manual else self._cycle_of_wrench(now)
        self._observe(now)
        return command

    @property
    def _is_manual(self) -> bool:
        return self._mode is Mode.MANUAL_OVERRIDE and not self.motion.is_braking

    def _cycle_of_levels(self, now: float) -> ValveCommand | None:
        if not self._stream.is_active:
            return None
        if self._orders.levels.any():
            return self.drive.step_levels(now, self._orders.levels)
        self._stream.state = State.IDLE
        return self.drive.stop(now)

    def _cycle_of_wrench(self, now: float) -> ValveCommand | None:
        orders, is_asked = self._orders, self._stream.is_active
        if is_asked:
            was_blocked = orders.blocked
            self._demanded = orders.demand(now, self.drive.limits(now).energy)
            if orders.blocked:
                self._stream.refusal = orders.refusal
                if not was_blocked:
                    self.journal.refused(now, "flown", orders.refusal)
        else:
            self._demanded = np.zeros(6)
        wanted = self._wanted()
        command = self.drive.step(now, wanted)
        self.profile.follow(now)
        if is_asked and not orders.is_standing and not self.drive.is_active and not wanted.any():
            self._stream.state = State.IDLE
        return command

    def _wanted(self) -> Floats:
        """What the good thrusters must give: the wrench, less that of the thrusters stuck open."""
        return self._demanded - self.drive.bias if self._stream.is_active else self._demanded

    def _cancel(self, now: float, reason: str) -> ValveCommand:
        command = self.drive.stop(now)
        self.profile.end(reason)
        self._forget_commands()
        self._observe(now)
        return command

    def _forget_commands(self) -> None:
        self._orders.forget()
        self._demanded = np.zeros(6)

    # Time and journal ----------------------------------------------------------------------------------------------

    def _keep_time(self, now: float) -> None:
        if now < self._now - _BACK:
            self._clear(now)
        self._now = now

    def _clear(self, now: float) -> None:
        """The clock was set back."""
        self.drive.reset()
        self.motion.reset()
        self.profile.end("clock: set back; allowed: forward only")
        self._observe(now)
        self.journal.begin_anew("clock set back")
        self._stream.reset()
        self._standing_at = -math.inf
        self._forget_commands()

    def _observe(self, now: float) -> None:
        """Let the journal see what the allocator is now."""
        energy = (self.drive.known or self.drive.limits(now)).energy
        flown = self.profile.name if self.profile.is_on else None
        standing = Standing(self._mode, energy.gate, self.motion.mode, self.drive.health, flown)
        self.journal.see(now, standing, energy, self.profile)
