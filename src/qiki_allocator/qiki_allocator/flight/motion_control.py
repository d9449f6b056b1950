"""Attitude mode and brake of one body."""

import enum
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.checks import RefusalError, refusing, require
from qiki_allocator.flight.attitude import ControlConfig, attitude_hold, brake, rate_damping
from qiki_allocator.health.readings import MotionReading
from qiki_vehicle import MassProperties, quaternion

MOVED = 1e-4
"""m, and relative; smaller changes of mass properties are ignored."""


_ALONE = 1e-3
"""m, and relative; a composite that differs from the body by less is the body alone."""

_MASS_RATIO = 1e4
"""Largest ratio of a mass to that of the vehicle file, and the reverse."""

Quaternion = tuple[float, float, float, float]
"""x, y, z, w; turns base_link into world."""

Turn = tuple[float, float, float]
"""rad/s in world."""

_STILL: Turn = (0.0, 0.0, 0.0)

_ARM = 1e3
"""m, largest distance of a centre of mass from the origin of base_link, and radius of gyration."""


class AttitudeMode(enum.Enum):
    """Law of the attitude."""

    OFF = "off"
    DAMP = "damp"
    HOLD = "hold"


@dataclass(frozen=True, kw_only=True)
class RestConfig:
    """Attributes:
    speed: m/s, and rate: rad/s, below which a brake is over.
    timeout: s, age from which odometry is not used.

    Raises:
        ConfigurationError: naming field, value and allowed range.
    """

    speed: float
    rate: float
    timeout: float

    def __post_init__(self) -> None:
        require("speed", self.speed, "m/s", 0.0, above=True)
        require("rate", self.rate, "rad/s", 0.0, above=True)
        require("timeout", self.timeout, "s", 0.0, above=True)


def _differ(one: MassProperties, other: MassProperties, tolerance: float) -> bool:
    return not (
        np.allclose(one.com, other.com, rtol=0.0, atol=tolerance)
        and np.allclose(one.inertia, other.inertia, rtol=tolerance)
        and abs(one.mass - other.mass) <= tolerance * one.mass
    )


def _check_mass(body: MassProperties, configured: MassProperties) -> None:
    least, most = configured.mass / _MASS_RATIO, configured.mass * _MASS_RATIO
    if not least <= body.mass <= most:
        raise RefusalError(f"mass: {body.mass:g} kg; allowed: {least:g} to {most:g} kg")
    if not np.abs(body.com).max() <= _ARM:
        raise RefusalError(f"com: {body.com.tolist()} m; allowed: at most {_ARM:g} m in size")
    moments = np.linalg.eigvalsh(body.inertia)
    low, high = body.mass / _ARM**2, body.mass * _ARM**2
    if not (low <= moments[0] and moments[-1] <= high):
        raise RefusalError(f"inertia: principal moments {moments.tolist()} kg m^2; allowed: {low:g} to {high:g} kg m^2")


class MotionControl:
    """Attitude mode and brake of one body, fed by odometry.

    Attributes:
        mode: attitude mode.
        is_braking: a brake is on.
    """

    def __init__(self, body: MassProperties, control: ControlConfig, rest: RestConfig) -> None:
        self.body = self._own = self._configured = body
        self._control = control
        self._rest = rest
        self.mode = AttitudeMode.OFF
        self.is_braking = self._is_composite = False
        self._target: Floats | None = None
        self._turn, self._since = _STILL, 0.0
        self._reading: MotionReading | None = None

    @property
    def own(self) -> MassProperties:
        """Mass properties of the body alone."""
        return self._own

    def reset(self) -> None:
        """End attitude mode and brake, and drop odometry: the clock was set back."""
        self.mode, self.is_braking, self._reading = AttitudeMode.OFF, False, None

    def read(self, reading: MotionReading) -> None:
        """Take odometry."""
        self._reading = reading

    def age(self, now: float) -> float:
        """s, of the odometry; inf: there is none."""
        return math.inf if self._reading is None else now - self._reading.time

    def is_fresh(self, now: float) -> bool:
        """True if the odometry is young enough to act on."""
        return -self._rest.timeout <= self.age(now) <= self._rest.timeout

    def set_mode(
        self, now: float, mode: AttitudeMode, target: npt.ArrayLike | None = None, turn: npt.ArrayLike = _STILL
    ) -> None:
        """Set the attitude mode; HOLD takes a target, (4,), or the attitude of now, that turns from now on, rad/s.

        Raises:
            RefusalError: there is no odometry, the target is not a quaternion of length 1, or turns too fast.
        """
        if mode is not AttitudeMode.OFF:
            reading = self._fresh(now)
            with refusing():
                wanted = np.array(reading.attitude if target is None else target, dtype=float)
                quaternion.unit("target", wanted)
            if mode is AttitudeMode.HOLD:
                self._turn, self._since = self._checked_turn(turn), now
                self._target = wanted
        self.mode = mode

    @property
    def target(self) -> Quaternion | None:
        """Attitude that is held; None in other modes than HOLD."""
        if self.mode is not AttitudeMode.HOLD or self._target is None:
            return None
        x, y, z, w = self._target.tolist()
        return x, y, z, w

    @property
    def turning(self) -> tuple[Turn, float] | None:
        """rad/s of the target that is held, and since when, s; None: it stands, or there is none."""
        return None if self.target is None or self._turn == _STILL else (self._turn, self._since)

    def _checked_turn(self, turn: npt.ArrayLike) -> Turn:
        values = np.asarray(turn, dtype=float)
        limit = self._control.rate_limit
        if values.shape != (3,) or not np.linalg.norm(values) <= limit:
            raise RefusalError(f"rate: {values.tolist()} rad/s; allowed: three numbers, at most {limit:g} rad/s in all")
        x, y, z = values.tolist()
        return x, y, z

    def _target_at(self, now: float) -> Floats | None:
        if self._target is None or self._turn == _STILL:
            return self._target
        turned = quaternion.from_rotation_vector([rate * (now - self._since) for rate in self._turn])
        return quaternion.product(turned.tolist(), self._target.tolist())

    def resume(self, mode: AttitudeMode, target: Quaternion | None, turning: tuple[Turn, float] | None = None) -> None:
        """Go on with the attitude mode of an earlier process; it gives no torque before odometry comes."""
        self.mode, self._target = mode, None if target is None else np.array(target)
        self._turn, self._since = turning or (_STILL, 0.0)

    def begin_brake(self, now: float) -> None:
        """Take the motion down to rest.

        Raises:
            RefusalError: there is no odometry.
        """
        self._fresh(now)
        self.is_braking = True

    def brake(self, now: float) -> Floats:
        """(6,) against the motion; zero, and the brake over, at rest. Without odometry zero: it waits."""
        if not self.is_fresh(now) or self._reading is None:
            return np.zeros(6)
        reading = self._reading
        rates = reading.rates
        velocity = reading.velocity + np.cross(rates, self.body.com)
        if np.linalg.norm(velocity) <= self._rest.speed and np.linalg.norm(rates) <= self._rest.rate:
            self.is_braking = False
            return np.zeros(6)
        return brake(reading.velocity, rates, self.body, self._control)

    def torque(self, now: float) -> Floats:
        """(6,), a pure torque for the attitude mode; zero without odometry."""
        if self.mode is AttitudeMode.OFF or not self.is_fresh(now) or self._reading is None:
            return np.zeros(6)
        target = self._target_at(self._reading.time)
        if self.mode is AttitudeMode.HOLD and target is not None:
            at, rates = self._reading.attitude, self._reading.rates
            return attitude_hold(at, rates, target, self.body, self._control, turn=self._turn)
        return rate_damping(self._reading.rates, self.body, self._control)

    def leave(self) -> None:
        """End attitude mode and brake."""
        self.mode, self.is_braking = AttitudeMode.OFF, False

    def take_mass(self, body: MassProperties, *, composite: bool) -> bool:
        """Take mass properties; whether they differ from those in use.

        Args:
            composite: of this body docked to others. From the first of these on until `separate`, the body's own do
                not count. A composite like the body alone ends that too.

        Raises:
            RefusalError: they cannot be those of this vehicle; the text names field, value and allowed range.
        """
        _check_mass(body, self._configured)
        if not composite:
            self._own = body
            return not self._is_composite and self._use(body)
        self._is_composite = _differ(body, self._own, _ALONE)
        return self._use(body if self._is_composite else self._own)

    def separate(self) -> bool:
        """The body is docked to no other any more; whether its own mass properties differ from those in use."""
        self._is_composite = False
        return self._use(self._own)

    def _use(self, body: MassProperties) -> bool:
        differs = _differ(self.body, body, MOVED)
        if differs:
            self.body = body
        return differs

    def _fresh(self, now: float) -> MotionReading:
        if self._reading is None or not self.is_fresh(now):
            age = "none came" if self._reading is None else f"{self.age(now):.2f} s old"
            raise RefusalError(f"odometry: {age}; allowed: at most {self._rest.timeout:g} s old")
        return self._reading
