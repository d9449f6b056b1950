"""The demand on the drive: sources that exclude each other, each with its own watchdog."""

import math
from collections.abc import Sequence

import numpy as np

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.checks import RefusalError
from qiki_allocator.flight.motion_control import AttitudeMode, MotionControl
from qiki_allocator.flight.profile_source import ProfileSource
from qiki_allocator.flight.telemetry import Activity, Mode, State
from qiki_allocator.limits.energy_gate import EnergyLimits

_IN_CHARGE = {
    Activity.BRAKE: "a brake is on; allowed: after it, or after stop",
    Activity.PROFILE: "a thrust profile is flown; allowed: after it, or after its cancellation",
    Activity.LEVELS: "mode MANUAL_OVERRIDE; allowed: cmd_levels, or another mode",
}


_MICROSECOND = 1e-6


class Stream:
    """Commands, each of which holds until the next one.

    Attributes:
        value: (size,) commanded now; zero: nothing.
        time: s, of the last command.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self.time = -math.inf
        self.clear()

    def take(self, now: float, value: Floats) -> None:
        """Take a command."""
        self.time, self.value = now, value.copy()

    def clear(self) -> None:
        """End the last command."""
        self.value = np.zeros(self._size)


class Demand:
    """The demand of the source in charge: a brake, else a thrust profile, else levels of single thrusters (in mode
    MANUAL_OVERRIDE), else the stream of wrenches. An attitude mode gives the torque beside a profile or wrenches.

    Each source has its own watchdog, which commands to other sources do not feed. A stream ends `watchdog` s after its
    last command. Brake and attitude mode demand nothing without fresh odometry. A profile ends when cycles pause.

    Args:
        n: number of thrusters.
        watchdog: s.
        modulator: in use at first.

    Attributes:
        motion: attitude mode and brake.
        profile: the thrust profile.
        wrenches: stream of (6,) N and N m.
        levels: stream of (n,) 0..1.
        mode: which thrusters may be combined.
        chosen: modulator that operators or docking chose.
        state: of the allocator.
        refusal: reason of the last refusal; empty since a command was accepted.
        refused: number of commands refused.
        grounded: reason for which nothing is flown; empty: none.
        lead: body whose allocator flies this bot; empty: none, it flies itself.
        blocked: limit that keeps the force of the demand from being flown; empty: none does.
    """

    def __init__(
        self, motion: MotionControl, profile: ProfileSource, n: int, *, watchdog: float, modulator: str
    ) -> None:
        self.motion, self.profile = motion, profile
        self.watchdog = watchdog
        self.mode, self.chosen = Mode.ADAPTIVE, modulator
        self.refused = 0
        self.grounded = self.lead = ""
        self._n = n
        self.reset()

    def reset(self) -> None:
        """The clock was set back: no command has come."""
        self.wrenches, self.levels = Stream(6), Stream(self._n)
        self.state = State.IDLE
        self.refusal = self.blocked = ""
        self._last_request = self._standing_at = -math.inf

    @property
    def source(self) -> Activity:
        """The source in charge."""
        if self.motion.is_braking:
            return Activity.BRAKE
        if self.profile.is_on:
            return Activity.PROFILE
        return Activity.LEVELS if self.mode is Mode.MANUAL_OVERRIDE else Activity.COMMAND

    @property
    def modulator(self) -> str:
        """The modulator to use: that of a profile in flight, if it names one, else the chosen one."""
        return (self.profile.modulator if self.profile.is_on else "") or self.chosen

    @property
    def stream(self) -> Stream:
        """The stream that counts in this mode."""
        return self.levels if self.mode is Mode.MANUAL_OVERRIDE else self.wrenches

    @property
    def activity(self) -> Activity:
        """The source in charge, if it demands anything."""
        is_idle = self.source in (Activity.LEVELS, Activity.COMMAND) and not self.stream.value.any()
        return Activity.NONE if is_idle else self.source

    @property
    def is_standing(self) -> bool:
        """True while a source that needs no stream is on: brake, attitude mode or profile."""
        return self.motion.is_braking or self.motion.mode is not AttitudeMode.OFF or self.profile.is_on

    # Admission: the text of each RefusalError names field, value and what is allowed --------------------------------

    def take_wrench(self, now: float, wrench: Floats, energy: EnergyLimits) -> None:
        """Take a wrench, (6,). Zero is always accepted, but has no effect while another source is in charge.

        Raises:
            RefusalError: it is refused.
        """
        self._check_running(now)
        if wrench.any():
            self._check_source("cmd_wrench", Activity.BRAKE, Activity.PROFILE, Activity.LEVELS)
            self._check_torque(wrench)
        check_gate(energy, wrench)
        self._last_request, self.refusal = now, ""
        if self.source is Activity.COMMAND:
            self.wrenches.take(now, wrench)
            self.state = State.ACTIVE
        elif self.state in (State.REFUSED, State.STOPPED):
            self.state = State.IDLE

    def take_levels(self, now: float, levels: Floats, wrench: Floats, energy: EnergyLimits) -> None:
        """Take levels, (n,), that give a wrench, (6,).

        Raises:
            RefusalError: they are refused.
        """
        self._check_running(now)
        if self.mode is not Mode.MANUAL_OVERRIDE:
            raise RefusalError(f"cmd_levels: mode {self.mode.value}; allowed: MANUAL_OVERRIDE, armed")
        self._check_source("cmd_levels", Activity.BRAKE)
        check_gate(energy, wrench)
        self._last_request, self.refusal = now, ""
        self.levels.take(now, levels)
        self.state = State.ACTIVE

    def check_attitude(self, now: float, mode: AttitudeMode) -> None:
        """Refuse an attitude mode that may not be set now.

        Raises:
            RefusalError: it may not.
        """
        if mode is not AttitudeMode.OFF:
            self._check_running(now)
            self._check_source(f"mode: {mode.name}", Activity.BRAKE, Activity.LEVELS)
            if self.profile.is_on and self.profile.gives_torque:
                raise RefusalError(f"mode: {mode.name}; allowed: OFF while a thrust profile with torque is flown")

    def check_profile(self, now: float, wrenches: Sequence[Floats], energy: EnergyLimits) -> None:
        """Refuse a thrust profile, the wrench (6,) of each of its segments, that may not be started now.

        Raises:
            RefusalError: it may not.
        """
        self._check_running(now)
        self._check_source("profile", Activity.BRAKE, Activity.PROFILE, Activity.LEVELS)
        for i, wrench in enumerate(wrenches):
            try:
                self._check_torque(wrench)
                check_gate(energy, wrench)
            except RefusalError as error:
                raise RefusalError(f"segments[{i}].{error}") from None

    def _check_torque(self, wrench: Floats) -> None:
        mode = self.motion.mode
        if mode is not AttitudeMode.OFF and wrench[3:].any():
            raise RefusalError(
                f"torque: {wrench[3:].tolist()} N m; allowed: 0 N m while the attitude mode is {mode.name}"
            )

    def _check_running(self, now: float) -> None:
        """Refuse while grounded or stopped; each request restarts the pause."""
        self.check_grounded()
        if self.state is State.STOPPED and now - self._last_request <= self.watchdog:
            self._last_request = now
            pause = f"{self.watchdog:g} s"
            raise RefusalError(f"cmd_wrench: stopped; allowed: after a pause of {pause}, or when the mode is set")

    def check_grounded(self) -> None:
        """
        Raises:
            RefusalError: nothing is flown, or by another body's allocator.
        """
        self.check_followed()
        if self.grounded:
            raise RefusalError(self.grounded)

    def check_followed(self) -> None:
        """
        Raises:
            RefusalError: another body's allocator flies this bot.
        """
        if self.lead:
            raise RefusalError(f"FOLLOWS: {self.lead} flies the assembly; allowed: commands to it, or after its end")

    def _check_source(self, request: str, *excluding: Activity) -> None:
        if self.source in excluding:
            raise RefusalError(f"{request}: {_IN_CHARGE[self.source]}")

    def refuse(self, reason: str) -> None:
        """Count a refusal; it feeds no watchdog."""
        self.refused += 1
        self.refusal = reason
        if self.state in (State.IDLE, State.WATCHDOG):
            self.state = State.REFUSED

    # Cycles ---------------------------------------------------------------------------------------------------------

    def has_lapsed(self, now: float) -> bool:
        """End a stream that has run dry; whether nothing else was demanded for as long."""
        if self.is_standing:
            self._standing_at = now
        # At its very end too: the window that begins then would be flown with its pulses.
        end = now - self.watchdog + _MICROSECOND
        if self.state is not State.ACTIVE or self.stream.time > end:
            return False
        self.stream.clear()
        return self._standing_at < end

    def wrench(self, now: float, energy: EnergyLimits) -> Floats:
        """(6,) for the cycle that begins at `now`. A force that the gate does not admit is dropped, a profile fails."""
        self.blocked = ""
        if self.motion.is_braking:
            return self.motion.brake(now)
        wrench = self.profile.wrench(now) if self.profile.is_on else self.wrenches.value.copy()
        if self.motion.mode is not AttitudeMode.OFF:
            wrench[3:] = self.motion.torque(now)[3:]
        refusal = "" if energy.translation_allowed else energy.refusal(wrench.tolist())
        if refusal:
            wrench[:3] = 0.0
            self.refusal, self.blocked = refusal, f"gate:{energy.gate}"
            self.profile.fail(refusal)
        return wrench

    def clear(self, now: float) -> None:
        """End what streams have commanded."""
        self.wrenches.clear()
        self.levels.clear()
        self.blocked = ""
        self._standing_at = now


def check_gate(energy: EnergyLimits, wrench: Floats) -> None:
    """Refuse a wrench, (6,), that the energy gate does not admit.

    Raises:
        RefusalError: it does not; the text names the force and the gate's reason.
    """
    refusal = "" if energy.translation_allowed else energy.refusal(wrench.tolist())
    if refusal:
        raise RefusalError(refusal)
