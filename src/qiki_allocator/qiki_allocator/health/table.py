"""Conditions of the thrusters, and the forces that follow."""

import enum
from typing import NamedTuple

import numpy as np

from qiki_allocator.allocation.thrusters import Floats, ThrusterArray
from qiki_allocator.checks import RefusalError


class Condition(enum.Enum):
    """Health of one thruster."""

    OK = "ok"
    DEAD = "dead"
    STUCK_OPEN = "stuck"
    WEAK = "weak"


def checked_level(condition: Condition, level: float) -> float:
    """The level, 0..1 of full thrust, for a condition; of a weak thruster above 0 and below 1: it is never left out.

    Raises:
        RefusalError: naming the value and the allowed range.
    """
    if condition is Condition.WEAK and not 0.0 < level < 1.0:
        raise RefusalError(f"level: {level:g}; allowed for weak: above 0 and below 1")
    return level


class ThrusterHealth(NamedTuple):
    """Believed condition of a thruster, and its level: 0..1 of full thrust."""

    condition: Condition
    level: float


class HealthTable:
    """n thrusters' conditions, all good at first."""

    def __init__(self, n: int) -> None:
        self._conditions = [Condition.OK] * n
        self._levels = np.ones(n)
        self._is_stuck = np.zeros(n, dtype=bool)

    def set(self, thruster: int, condition: Condition, level: float = 1.0) -> None:
        """Take note of one thruster's condition; level (0..1 of full thrust) counts for a weak one.

        Raises:
            RefusalError: there is no such thruster, or the level is out of range.
        """
        if not 0 <= thruster < len(self._conditions):
            raise RefusalError(f"thruster: {thruster}; allowed: 0 to {len(self._conditions) - 1}")
        if condition is Condition.WEAK and not 0.0 <= level <= 1.0:
            raise RefusalError(f"level: {level}; allowed: 0 to 1")
        self._conditions[thruster] = condition
        self._is_stuck[thruster] = condition is Condition.STUCK_OPEN
        of_condition = {Condition.OK: 1.0, Condition.WEAK: level}
        self._levels[thruster] = of_condition.get(condition, 0.0)

    def conditions(self) -> tuple[Condition, ...]:
        """The condition of each thruster."""
        return tuple(self._conditions)

    def thrust(self, array: ThrusterArray) -> Floats:
        """(n,) N that opening each valve gives; 0 where opening it changes nothing."""
        return array.f_max * self._levels

    def bias(self, array: ThrusterArray) -> Floats:
        """(6,) N and N m of the thrusters that are stuck open."""
        return np.asarray(array.effectiveness @ (array.f_max * self._is_stuck))

    def names(self) -> tuple[str, ...]:
        """Names of the bounds by health: `dead:<i>`, `weak:<i>`, `stuck:<i>`; empty if it is good."""
        return tuple(
            "" if condition is Condition.OK else f"{condition.value}:{i}"
            for i, condition in enumerate(self._conditions)
        )

    def stuck_power(self, array: ThrusterArray, watts: Floats) -> float:
        """W drawn by the thrusters that are stuck open."""
        return float(watts @ (array.f_max * self._is_stuck))

    def levels(self) -> Floats:
        """(n,) 0..1, share of its thrust that opening each valve gives."""
        return self._levels.copy()

    def stuck(self) -> tuple[int, ...]:
        """The thrusters that are stuck open."""
        return tuple(int(i) for i in np.flatnonzero(self._is_stuck))
