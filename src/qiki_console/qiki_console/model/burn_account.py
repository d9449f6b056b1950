"""Account of a burn: the change of velocity and of angular rate that a wrench should give, against odometry.

Velocities are those of the centre of mass, in world; odometry gives those of base_link's origin, in base_link.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qiki_console.model.snapshot import Motion
from qiki_vehicle import MassProperties
from qiki_vehicle.quaternion import rotate

Array = NDArray[np.float64]

_RATE_STEP = 0.005
"""s, longest step of the integration of Euler's equations."""


@dataclass(frozen=True)
class Sample:
    """Odometry at a simulated time (s)."""

    time: float
    motion: Motion


@dataclass(frozen=True)
class Command:
    """A constant wrench in base_link, torque about the centre of mass, for a simulated time: N, N m, s."""

    force: Array
    torque: Array
    duration: float


@dataclass(frozen=True)
class Account:
    """Expected changes and those of odometry: velocities m/s in world, rates rad/s in base_link.

    `difference` is (gained - expected) / expected along the expected change, None where none is expected; `across`
    is the gain perpendicular to it (m/s). `noise` is three standard errors of the gained velocity (m/s), `rate_noise`
    of the gained rate (rad/s): no smaller difference means anything.
    """

    expected: Array
    gained: Array
    difference: float | None
    across: float
    expected_rate: Array
    gained_rate: Array
    noise: float = 0.0
    rate_noise: float = 0.0

    def closes(self, command: Command, tolerance: float) -> bool:
        """True if what was commanded was gained, velocity for a force and rate for a torque, up to a share of it and
        the noise of odometry."""
        velocity = not command.force.any() or _within(self.gained, self.expected, tolerance, self.noise)
        rate = not command.torque.any() or _within(self.gained_rate, self.expected_rate, tolerance, self.rate_noise)
        return velocity and rate


def _within(gained: Array, expected: Array, tolerance: float, noise: float) -> bool:
    return bool(np.linalg.norm(gained - expected) <= tolerance * np.linalg.norm(expected) + noise)


def velocity_of_com(motion: Motion, com: Array) -> Array:
    """Velocity of the centre of mass in world (m/s): v + omega x r, turned into world."""
    velocity = np.asarray(motion.velocity) + np.cross(motion.rate, com)
    return _in_world(motion, velocity)


def expected_delta_v(samples: Sequence[Sample], start: float, command: Command, mass: float) -> Array:
    """Integral of R(t) F / m over the command (m/s, world), R from odometry, by trapezoids between the samples.

    Args:
        samples: in order of time; the attitude before the first and after the last is taken from those.
        start: simulated time of the command's start (s).
        mass: mean mass during the command (kg).

    Raises:
        ValueError: there is no sample.
    """
    if not samples:
        raise ValueError("samples: none; at least one is needed")
    end = start + command.duration
    times = np.array([sample.time for sample in samples])
    forces = np.array([_in_world(sample.motion, command.force) for sample in samples])
    inside = times[(times > start) & (times < end)]
    grid = np.concatenate(([start], inside, [end]))
    values = np.column_stack([np.interp(grid, times, forces[:, axis]) for axis in range(3)])
    means = 0.5 * (values[1:] + values[:-1])
    total: Array = np.diff(grid) @ means / mass
    return total


def expected_rate(rate: Array, command: Command, inertia: Array) -> Array:
    """Angular rate (rad/s, base_link) after the command: Euler's equations, I w' = T - w x I w, by Runge-Kutta 4."""
    inverse = np.linalg.inv(inertia)

    def slope(w: Array) -> Array:
        change: Array = inverse @ (command.torque - np.cross(w, inertia @ w))
        return change

    steps = max(1, int(np.ceil(command.duration / _RATE_STEP)))
    h = command.duration / steps
    w = np.asarray(rate, dtype=np.float64)
    for _ in range(steps):
        k1 = slope(w)
        k2 = slope(w + 0.5 * h * k1)
        k3 = slope(w + 0.5 * h * k2)
        k4 = slope(w + h * k3)
        w = w + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    return w


def account(
    *,
    before: Sequence[Sample],
    during: Sequence[Sample],
    after: Sequence[Sample],
    start: float,
    command: Command,
    body: MassProperties,
) -> Account:
    """Compare odometry before and after (each averaged) with the change that the command should give.

    Args:
        before, during, after: odometry before the command, until it has taken effect, and from then on.
        start: simulated time of the command's start (s).
        body: mass properties, the mass as the mean over the command.

    Raises:
        ValueError: there is no odometry before, during or after.
    """
    for name, samples in (("before", before), ("during", during), ("after", after)):
        if not samples:
            raise ValueError(f"odometry {name} the command: none; at least one sample is needed")
    gained = _mean_velocity(after, body.com) - _mean_velocity(before, body.com)
    expected = expected_delta_v(during, start, command, body.mass)
    rate = _mean_rate(before)
    difference, across = _compare(gained, expected)
    return Account(
        expected=expected,
        gained=gained,
        difference=difference,
        across=across,
        expected_rate=expected_rate(rate, command, body.inertia) - rate,
        gained_rate=_mean_rate(after) - rate,
        noise=_noise(before, lambda sample: velocity_of_com(sample.motion, body.com))
        + _noise(after, lambda sample: velocity_of_com(sample.motion, body.com)),
        rate_noise=_noise(before, lambda sample: np.asarray(sample.motion.rate))
        + _noise(after, lambda sample: np.asarray(sample.motion.rate)),
    )


def _compare(gained: Array, expected: Array) -> tuple[float | None, float]:
    size = float(np.linalg.norm(expected))
    if size == 0.0:
        return None, float(np.linalg.norm(gained))
    direction = expected / size
    along = float(gained @ direction)
    return (along - size) / size, float(np.linalg.norm(gained - along * direction))


def _mean_velocity(samples: Sequence[Sample], com: Array) -> Array:
    mean: Array = np.mean([velocity_of_com(sample.motion, com) for sample in samples], axis=0)
    return mean


def _mean_rate(samples: Sequence[Sample]) -> Array:
    mean: Array = np.mean([sample.motion.rate for sample in samples], axis=0)
    return mean


def _noise(samples: Sequence[Sample], value: Callable[[Sample], Array]) -> float:
    """Three standard errors of a mean; a steady motion is assumed."""
    spread = np.std([value(sample) for sample in samples], axis=0)
    return float(3.0 * np.linalg.norm(spread) / np.sqrt(len(samples)))


def _in_world(motion: Motion, vector: Any) -> Array:
    return rotate(motion.orientation, vector)
