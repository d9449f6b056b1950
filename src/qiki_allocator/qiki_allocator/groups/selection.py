"""Mode AUTO: which thrusters may fire, by thrust groups."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats, ThrusterArray
from qiki_allocator.checks import RefusalError, require
from qiki_allocator.groups.controllability import AXES, ROTATIONS, TRANSLATIONS, authority
from qiki_allocator.groups.thrust_groups import ThrustGroup, ThrustGroups, thrust_groups
from qiki_allocator.health.table import HealthTable

_FULL = 1.0 - 1e-6

LOST_BELOW = 0.02
"""Share of its healthy authority below which an axis counts as lost."""


@dataclass(frozen=True, eq=False)
class Selection:
    """Groups for a wrench.

    Attributes:
        names: of the groups.
        members: (n,) thrusters that may fire.
        wrench: (6,) N and N m, what the groups give at levels of at most 1.
    """

    names: tuple[str, ...]
    members: npt.NDArray[np.bool_]
    wrench: Floats


class GroupTable:
    """The groups of a bot as it is now, computed on first use."""

    def __init__(self, power: float, watts_per_newton: float, torque_tolerance: float) -> None:
        self._arguments = power, watts_per_newton, torque_tolerance
        self._known: tuple[ThrusterArray, ThrustGroups] | None = None

    def forget(self) -> None:
        """Health changed."""
        self._known = None

    def groups(self, array: ThrusterArray, health: HealthTable) -> ThrustGroups:
        """All groups."""
        if self._known is None or self._known[0] is not array:
            self._known = array, thrust_groups(array, health.levels(), *self._arguments)
        return self._known[1]

    def find(self, array: ThrusterArray, health: HealthTable, name: str) -> ThrustGroup:
        """A group by its name, as `ZTT +x`.

        Raises:
            RefusalError: there is none, or it has no thrusters.
        """
        groups = {group.name: group for group in self.groups(array, health)}
        if name not in groups:
            raise RefusalError(f"group: {name!r}; allowed: {', '.join(groups)}")
        if not groups[name].thrusters:
            raise RefusalError(f"group: {name!r}: {groups[name].note}; allowed: a group that has thrusters")
        return groups[name]

    def select(self, array: ThrusterArray, health: HealthTable, wrench: Floats) -> Selection:
        """For each axis of a wrench, (6,), the economy group where it is enough, else the full one."""
        groups = self.groups(array, health)
        names, members, given = [], np.zeros(len(array), dtype=bool), np.zeros(6)
        pairs = [(groups.ztt, groups.ftg, TRANSLATIONS), (groups.torque, groups.full_torque, ROTATIONS)]
        for row, wanted in enumerate(wrench.tolist()):
            if wanted == 0.0:
                continue
            small, full, axes = pairs[row // 3]
            axis = axes[2 * (row % 3) + (wanted < 0.0)]
            enough = small[axis].size * _FULL >= abs(wanted)
            group = small[axis] if enough or full[axis].size <= small[axis].size else full[axis]
            if not group.thrusters:
                continue
            names.append(group.name)
            members[list(group.thrusters)] = True
            if row >= 3:
                # A controller's torque changes its sign all the time: the thrusters in use should not.
                members[list(small[_opposite(axis)].thrusters)] = True
            given += group.wrench * min(abs(wanted) / group.size, 1.0)
        return Selection(tuple(names), members, given)


def _opposite(axis: str) -> str:
    return ("-" if axis[0] == "+" else "+") + axis[1:]


class Authority:
    """Share of its healthy authority that is left of each signed axis.

    Args:
        lost_below: share below which an axis counts as lost.
    """

    def __init__(self, lost_below: float = LOST_BELOW) -> None:
        require("lost_authority", lost_below, "", 0.0, 1.0)
        self._lost_below = lost_below
        self._healthy: tuple[ThrusterArray, list[float]] | None = None

    def left(self, array: ThrusterArray, health: HealthTable) -> dict[str, float]:
        """0..1 by axis, in the order of `AXES`; NaN where the healthy thrusters give none. See `authority`."""
        if self._healthy is None or self._healthy[0] is not array:
            self._healthy = array, [authority(array, axis) for axis in AXES]
        levels, stuck = health.levels(), health.stuck()
        if not stuck and (levels == 1.0).all():
            return {axis: 1.0 if size > 0.0 else math.nan for axis, size in zip(AXES, self._healthy[1], strict=True)}
        return {
            axis: min(authority(array, axis, levels, stuck) / size, 1.0) if size > 0.0 else math.nan
            for axis, size in zip(AXES, self._healthy[1], strict=True)
        }

    def lost(self, left: Mapping[str, float]) -> tuple[str, ...]:
        """The axes along which too little is left, or never was any."""
        return tuple(axis for axis, share in left.items() if not (share > 0.0 and share >= self._lost_below))
