"""Telemetry of the body's motion and of the valves, as plain values."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.health.table import Condition

LARGEST_VELOCITY = 1e5
"""m/s, beyond which odometry is taken for an error of its sender."""

LARGEST_RATE = 1e3
"""rad/s, the same."""


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

    def __post_init__(self) -> None:
        for name in ("attitude", "velocity", "rates"):
            object.__setattr__(self, name, np.array(getattr(self, name), dtype=float))

    def problem(self) -> str:
        """Why it cannot be, by field, value and allowed range; empty: it can."""
        for name, values, most, unit in (
            ("velocity", self.velocity, LARGEST_VELOCITY, "m/s"),
            ("rates", self.rates, LARGEST_RATE, "rad/s"),
            ("attitude", self.attitude, 1.01, ""),
        ):
            # Also true where a component is not finite.
            if not all(abs(value) <= most for value in values.tolist()):
                return f"{name}: {values.tolist()} {unit}; allowed: at most {most:g} {unit} in size".replace("  ", " ")
        if not 0.99 <= math.sqrt(float(self.attitude @ self.attitude)) <= 1.01:
            return f"attitude: {self.attitude.tolist()}; allowed: a quaternion of length 1"
        return ""


@dataclass(frozen=True, eq=False)
class ValveReading:
    """Report of n valves.

    Attributes:
        time: s, of measurement.
        on_time: (n,) s, total time that each was open.
        conditions: n, of each thruster by the hardware's own sensors; None: no statement.
        forced_closed: the hardware closed the valves by itself, by its watchdog or for want of working mass.
        is_empty: there is no working mass, so that open valves give nothing.
        is_open: (n,) position of each valve by its own sensor; None: unknown.
        late_edges: commanded edges that came too late, since the start of the hardware; None: unknown.
        commands: valve commands that were read, since the same; None: unknown.
    """

    time: float
    on_time: npt.ArrayLike
    conditions: tuple[Condition | None, ...]
    forced_closed: bool = False
    is_empty: bool = False
    is_open: tuple[bool, ...] | None = None
    late_edges: int | None = None
    commands: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "on_time", np.array(self.on_time, dtype=float))
