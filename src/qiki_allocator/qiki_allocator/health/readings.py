"""Telemetry of the body's motion and of the valves, as plain values."""

import math
from dataclasses import dataclass

import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.health.table import Condition


@dataclass(frozen=True, eq=False)
class MotionReading:
    """Odometry.

    Attributes:
        time: s, of measurement.
        attitude: (4,) x, y, z, w, of base_link in world.
        velocity: (3,) m/s of the origin of base_link, in base_link.
        rates: (3,) rad/s, in base_link.
    """

    time: float
    attitude: Floats
    velocity: Floats
    rates: Floats

    def is_finite(self) -> bool:
        """True if every value is finite and the attitude has length 1, within 1 %."""
        values = self.time, *self.attitude.tolist(), *self.velocity.tolist(), *self.rates.tolist()
        return all(map(math.isfinite, values)) and 0.99 <= math.sqrt(float(self.attitude @ self.attitude)) <= 1.01


@dataclass(frozen=True, eq=False)
class ValveReading:
    """Report of n valves.

    Attributes:
        time: s, of measurement.
        on_time: (n,) s, total time that each was open.
        conditions: n, of each thruster by the hardware's own sensors; None: no statement.
        forced_closed: the hardware closed the valves by itself, by its watchdog or for want of working mass.
    """

    time: float
    on_time: npt.ArrayLike
    conditions: tuple[Condition | None, ...]
    forced_closed: bool = False
