"""Motion of a rigid body between two samples of its twist, in its own axes, and growth of the twist's errors."""

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats, ThrusterArray
from qiki_allocator.checks import require
from qiki_vehicle import ConfigurationError
from qiki_vehicle.vectors import cross, skew


class BodyMotion:
    """A body and its thrusters. A twist is (6,): velocity of the centre of mass m/s, angular velocity rad/s.

    Args:
        array: the thrusters, with the centre of mass.
        mass: kg.
        inertia: (3, 3) kg m^2 about the centre of mass, axes of base_link.

    Attributes:
        gives: (6, n) change of the twist per second that each thruster is open.

    Raises:
        ConfigurationError: an argument is not allowed.
    """

    def __init__(self, array: ThrusterArray, mass: float, inertia: npt.ArrayLike) -> None:
        require("mass", mass, "kg", 0.0, above=True)
        tensor = np.array(inertia, dtype=float)
        if tensor.shape != (3, 3) or not np.isfinite(tensor).all() or np.linalg.eigvalsh(tensor).min() <= 0.0:
            raise ConfigurationError(f"inertia: {tensor.tolist()} kg m^2; allowed: (3, 3), positive definite")
        self._com = array.com
        self._inertia = tensor
        self._inverse = np.linalg.inv(tensor)
        wrench = array.effectiveness * array.f_max
        self.gives: Floats = np.vstack([wrench[:3] / mass, self._inverse @ wrench[3:]])

    def twist(self, linear: Floats, angular: Floats) -> Floats:
        """From the velocity of base_link's origin, (3,) m/s, and the angular velocity, (3,) rad/s."""
        return np.concatenate([linear + cross(angular, self._com), angular])

    def after(self, twist: Floats, kick: Floats, interval: float) -> Floats:
        """Twist after an interval, s, over which thrust changes it by kick, (6,), by the midpoint rule."""
        middle = twist + 0.5 * (kick + interval * self._free(twist))
        return twist + kick + interval * self._free(middle)

    def _free(self, twist: Floats) -> Floats:
        velocity, spin = twist[:3], twist[3:]
        turning = self._inverse @ cross(self._inertia @ spin, spin)
        return np.concatenate([cross(velocity, spin), turning])

    def growth(self, twist: Floats) -> Floats:
        """(6, 6) per second: how fast a small error of the twist changes without thrust."""
        velocity, spin = skew(twist[:3]), skew(twist[3:])
        rates = np.zeros((6, 6))
        rates[:3, :3], rates[:3, 3:] = -spin, velocity
        rates[3:, 3:] = self._inverse @ (skew(self._inertia @ twist[3:]) - spin @ self._inertia)
        return rates
