"""Limits, allocations and certificates as plain values."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats


class Limits(NamedTuple):
    """Limits at a moment.

    Attributes:
        power: W, electrical power of all thrusters together; where they draw from several buses, one number for each;
            None: no limit.
        bounds: (n,) N, largest force of each thruster, 0 = dead; None: f_max. More than f_max counts as f_max.
        names: n names of what sets each bound, for `Allocation.binding` (`heat:A`, `burn:3`, ...);
            None or an empty name: `dead:<i>` where the bound is 0, else `thruster:<i>`.
    """

    power: float | tuple[float, ...] | None = None
    bounds: npt.ArrayLike | None = None
    names: tuple[str, ...] | None = None

    def by_bus(self, count: int) -> Floats:
        """(count,) W of each bus; inf: no limit."""
        return np.full(count, np.inf) if self.power is None else np.array(self.power, dtype=float).reshape(count)


class Certificate(NamedTuple):
    """Proof of an answer, computed from the answer and not believed from the solver.

    Attributes:
        primal_violation: largest relative violation of a bound or of a power limit (0 = none).
        gap: bound on how far the answer may be from the optimum, by weak duality, whatever multipliers the solver gave.
            Exact answers: nozzle thrust, relative to the thrust used. Closest answers: half the squared wrench error
            (of each priority), relative to half the squared commanded wrench, in scaled units. NaN if there is none.
    """

    primal_violation: float
    gap: float

    def holds(self, violation: float = 1e-6, gap: float = 1e-3) -> bool:
        """True if the answer is accurate enough to be flown."""
        return self.primal_violation <= violation and self.gap <= gap


class Allocation(NamedTuple):
    """Forces of the thrusters for a wrench.

    Attributes:
        forces: (n,) N, mean force of each thruster.
        wrench: (6,) N and N m, what the forces give.
        residual: (6,) commanded wrench minus `wrench`.
        attainable: the commanded wrench lies in the attainable set.
        scale: largest s for which s * commanded is attainable; +inf for a zero wrench.
        margin: smallest signed distance of the commanded wrench to the facets of the attainable set, each relative
            to the reach that all healthy thrusters without a power limit have in that direction; negative outside; for
            more than 21 thrusters a lower bound.
        power: W, electrical power of the forces.
        binding: names of the limits that bind: relaxing one of them gives a smaller wrench error, or less thrust.
        certificate: proof of the answer.
        fallback: empty; or what was done when the first answer's certificate failed: `weighted` (a closest answer of
            the weighted policy is flown instead) or `zero` (nothing is flown).
    """

    forces: Floats
    wrench: Floats
    residual: Floats
    attainable: bool
    scale: float
    margin: float
    power: float
    binding: tuple[str, ...]
    certificate: Certificate
    fallback: str = ""


def checked_wrench(wrench: npt.ArrayLike) -> Floats:
    """The wrench as (6,) floats.

    Raises:
        ValueError: naming the component that is not finite or too large, or the wrong shape.
    """
    values = np.asarray(wrench, dtype=float)
    if values.shape != (6,):
        raise ValueError(f"wrench: shape {values.shape}; allowed: (6,)")
    # As floats: neither NaN nor a square that overflows gets past it.
    if not all(-LARGEST_WRENCH <= value <= LARGEST_WRENCH for value in values.tolist()):
        worst = int(np.argmin(np.abs(values) <= LARGEST_WRENCH))
        axis = AXES[worst]
        unit = "N" if worst < 3 else "N m"
        raise ValueError(f"{axis}: {values[worst]} {unit}; allowed: finite, at most {LARGEST_WRENCH:g} {unit} in size")
    return values


def within_largest(wrench: Floats) -> Floats:
    """The wrench, (6,), shortened to `LARGEST_WRENCH`, which a command and its backlog together may exceed."""
    size = float(np.abs(wrench).max())
    if size <= LARGEST_WRENCH:
        return wrench
    return np.clip(wrench * (LARGEST_WRENCH / size), -LARGEST_WRENCH, LARGEST_WRENCH)


AXES = ("force.x", "force.y", "force.z", "torque.x", "torque.y", "torque.z")

LARGEST_WRENCH = 1e6
"""N and N m, beyond which a component is taken for an error of its sender."""
