"""What is asked for at the moment, whoever asks: a command, levels, a profile, the attitude, a brake."""

import numpy as np

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.flight.motion_control import AttitudeMode, MotionControl
from qiki_allocator.flight.profile_flight import ProfileFlight
from qiki_allocator.flight.telemetry import Activity
from qiki_allocator.limits.energy_gate import EnergyLimits


class Orders:
    """Makes one wrench of all that is asked for.

    Args:
        n: number of thrusters.

    Attributes:
        motion: attitude mode and brake.
        profile: what is flown of a thrust profile.
        wrench: (6,) N and N m, commanded.
        levels: (n,) 0..1 of single thrusters, commanded.
        refusal: why the energy gate drops the force that is asked for; empty if it does not.
        blocked: the same as the name of a limit that binds.
    """

    def __init__(self, motion: MotionControl, profile: ProfileFlight, n: int) -> None:
        self.motion = motion
        self.profile = profile
        self._n = n
        self.forget()

    def forget(self) -> None:
        """Nothing is commanded."""
        self.wrench, self.levels = np.zeros(6), np.zeros(self._n)
        self.refusal = self.blocked = ""

    @property
    def is_standing(self) -> bool:
        """Whether something goes on without a stream of commands."""
        return self.motion.is_braking or self.motion.mode is not AttitudeMode.OFF or self.profile.is_on

    @property
    def activity(self) -> Activity:
        """Whose wrench is flown."""
        if self.motion.is_braking:
            return Activity.BRAKE
        if self.profile.is_on:
            return Activity.PROFILE
        if self.levels.any():
            return Activity.LEVELS
        return Activity.COMMAND if self.wrench.any() else Activity.NONE

    def leave_attitude(self) -> None:
        """The attitude is left alone, no brake."""
        self.motion.mode, self.motion.is_braking = AttitudeMode.OFF, False

    def demand(self, now: float, energy: EnergyLimits) -> Floats:
        """(6,) for the cycle that begins at `now`; a force that the gate does not admit is dropped, a profile fails."""
        self.refusal = self.blocked = ""
        if self.motion.is_braking:
            return self.motion.brake(now)
        wrench = self.profile.wrench(now) if self.profile.is_on else self.wrench.copy()
        if self.motion.mode is not AttitudeMode.OFF:
            wrench[3:] = self.motion.torque(now)[3:]
        if energy.translation_allowed:
            return wrench
        self.refusal = energy.refusal(wrench.tolist())
        if self.refusal:
            wrench[:3] = 0.0
            self.blocked = f"gate:{energy.gate}"
            self.profile.fail(self.refusal)
        return wrench
