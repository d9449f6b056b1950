"""Settings of operators: mode, modulator, attitude mode and thruster health. They outlive the process."""

from typing import NamedTuple

from qiki_allocator.flight.demand import Demand
from qiki_allocator.flight.drive import Drive
from qiki_allocator.flight.motion_control import AttitudeMode, Quaternion, Turn
from qiki_allocator.flight.occurrences import Journal
from qiki_allocator.flight.telemetry import Mode, State
from qiki_allocator.health.table import Condition


class Statement(NamedTuple):
    """Health that an operator gave a thruster; level: 0..1 of its thrust, of a weak one."""

    thruster: int
    condition: Condition
    level: float


class Settings(NamedTuple):
    """Settings of operators; those of the defaults are none.

    Attributes:
        target: attitude to hold, in HOLD only.
        health: by thruster, those that are not OK.
        modulator: chosen; None: that of the node's parameter.
        turning: rad/s in world of the target, and since when, s of the controller's clock; None: it stands.
    """

    mode: Mode = Mode.ADAPTIVE
    attitude_mode: AttitudeMode = AttitudeMode.OFF
    target: Quaternion | None = None
    health: tuple[Statement, ...] = ()
    modulator: str | None = None
    turning: tuple[Turn, float] | None = None

    def __str__(self) -> str:
        thrusters = [
            f"thruster {one.thruster} {one.condition.value}"
            + (f" {one.level:g}" if one.condition is Condition.WEAK else "")
            for one in self.health
        ]
        attitude = f"attitude mode {self.attitude_mode.name}"
        if self.target is not None:
            attitude += f" {[round(value, 4) for value in self.target]}"
        if self.turning is not None:
            attitude += f" turning at {[round(value, 6) for value in self.turning[0]]} rad/s"
        modulator = [] if self.modulator is None else [f"modulator {self.modulator}"]
        return ", ".join([f"mode {self.mode.value}", attitude, *modulator, *thrusters])


class OperatorSettings:
    """The settings of one controller: as they are now, and as an earlier process had them.

        core.settings.restore(kept.settings, kept.stamp)  # before the first call of the new core
        core.settings.now

    Attributes:
        lost: reason why the attitude mode was not taken up again; empty: it was, or there was none.
    """

    def __init__(self, drive: Drive, demand: Demand, journal: Journal) -> None:
        self._drive, self._demand, self._journal = drive, demand, journal
        self._restored = Settings()
        self._stamp: float | None = None
        self.lost = ""

    @property
    def now(self) -> Settings:
        """The settings as they are."""
        motion, stated = self._demand.motion, self._drive.faults.stated
        health = tuple(Statement(thruster, *stated[thruster]) for thruster in sorted(stated)) if stated else ()
        chosen = self._demand.chosen
        modulator = None if chosen == self._drive.modulators.configured else chosen
        return Settings(self._demand.mode, motion.mode, motion.target, health, modulator, motion.turning)

    def restore(self, settings: Settings, stamp: float) -> None:
        """Go on with settings of an earlier process, of which the attitude mode was still set at `stamp`, s.

        Raises:
            ValueError: there is no such thruster or modulator, or a level is out of range.
        """
        if settings.modulator is not None:
            self._drive.modulators.check(settings.modulator)
            self._demand.chosen = settings.modulator
        for one in settings.health:
            self._drive.faults.set(*one)
        self._drive.health_changed()
        self.set_mode(settings.mode)
        self._demand.motion.resume(settings.attitude_mode, settings.target, settings.turning)
        self._restored, self._stamp = settings, stamp
        self._journal.restart(f"start; restored: {settings}")

    def set_mode(self, mode: Mode) -> None:
        """Set which thrusters may be combined."""
        self._demand.mode = mode
        self._drive.mode.by_groups = mode is Mode.AUTO

    def keep_time(self, now: float) -> None:
        """At the first moment of a running clock: fly the attitude mode that was restored, or end it if the clock was
        set back meanwhile, as it ends where that happens in flight."""
        if self._stamp is None or now <= 0.0:
            return
        stamp, self._stamp = self._stamp, None
        motion = self._demand.motion
        if motion.mode is AttitudeMode.OFF:
            return
        if stamp <= now:
            self._demand.state = State.ACTIVE
            return
        self.lost = f"attitude mode {motion.mode.name} was set at {stamp:.3f} s, the clock shows {now:.3f} s: it is off"
        motion.leave()
        self._journal.restart(f"start; restored: {self._restored}; {self.lost}")
