"""Thrust groups: sets of thrusters with fixed levels that push or turn along one axis and nothing else.

Four groups for each direction, computed from geometry, centre of mass and health:

* ZTT, zero-torque translation: the smallest set whose torque about the centre of mass is zero (within a tolerance);
* FTG, full thrust group: the largest pure force;
* TORQUE and FULL_TORQUE: the same two for roll, pitch and yaw, with zero net force.

The smallest sets are found by looking at every set of one, two, ... thrusters: for each the one combination with a pure
force and the least torque per newton (a closed form), opened up until the first valve is open all the time. Opening it
fully *before* looking at the tolerance matters: any set passes if it only pushes little enough. The largest groups are
linear programs, see `controllability`.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats, ThrusterArray
from qiki_allocator.checks import require
from qiki_allocator.groups.controllability import (
    AXES,
    ROTATIONS,
    TRANSLATIONS,
    axis_vector,
    checked_health,
    controllable_axes,
    largest_wrench,
)

ZTT = "ZTT"
FTG = "FTG"
TORQUE = "TORQUE"
FULL_TORQUE = "FULL_TORQUE"
KINDS = (ZTT, FTG, TORQUE, FULL_TORQUE)

MOST_SUBSETS = 60_000
"""Sets of one size looked at: every size up to 6 for 21 thrusters, up to 4 for 34."""

_OPEN = 1e-6  # a level below it is no use of a thruster
_PURE = 1e-6  # force across the axis, relative to the strongest thruster, that counts as none
_FORCE_WEIGHT = 1e4  # of an error in force against one in torque, per strongest thruster's force and torque


@dataclass(frozen=True, eq=False)
class ThrustGroup:
    """A set of thrusters that fire together.

    Attributes:
        kind: one of `KINDS`.
        axis: one of `AXES`.
        thrusters: their indices; empty: there is no such group, see `note`.
        levels: (n,) 0..1, share of time each valve is open at full command; scale all by the same factor for less.
        wrench: (6,) N, N m, mean wrench at these levels, health included.
        power: W, mean electrical power at these levels.
        note: what an operator should know; may be empty.
    """

    kind: str
    axis: str
    thrusters: tuple[int, ...]
    levels: Floats
    wrench: Floats
    power: float
    note: str = ""

    @property
    def name(self) -> str:
        """Kind and axis, as `ZTT +x`."""
        return f"{self.kind} {self.axis}"

    @property
    def size(self) -> float:
        """N or N m along the axis."""
        return float(axis_vector(self.axis) @ self.wrench)

    @property
    def parasitic_torque(self) -> float:
        """N m, size of the torque across the axis."""
        return float(np.linalg.norm(_across(self.axis, self.wrench)[3:]))


@dataclass(frozen=True, eq=False)
class ThrustGroups:
    """All groups of a body, by axis: `TRANSLATIONS` for ztt and ftg, `ROTATIONS` for the torque maps."""

    ztt: Mapping[str, ThrustGroup]
    ftg: Mapping[str, ThrustGroup]
    torque: Mapping[str, ThrustGroup]
    full_torque: Mapping[str, ThrustGroup]

    def __iter__(self) -> Iterator[ThrustGroup]:
        for groups in (self.ztt, self.ftg, self.torque, self.full_torque):
            yield from groups.values()

    def rows(self) -> list[tuple[str, ...]]:
        """Table for an operator, one row per group under `COLUMNS`; what a missing group would give is N/A."""
        return [_row(group) for group in self]


COLUMNS = ("group", "thrusters", "levels", "gives", "torque across", "power", "note")


def thrust_groups(
    array: ThrusterArray,
    health: npt.ArrayLike | None = None,
    power: float | None = None,
    watts_per_newton: float = 33.333,
    torque_tolerance: float = 0.074,
) -> ThrustGroups:
    """All groups of an array. Some 20 ms for 16 thrusters: for configuration and changes of health, not for each cycle.

    Args:
        array: the thrusters, with the centre of mass.
        health: (n,) 0..1, share of its thrust that each thruster still gives, 0 = dead; None: all 1.
        power: W, limit of the mean electrical power of a group at full command; None: no limit. A weak thruster draws
            what a healthy one does.
        watts_per_newton: W/N, of nominal thrust.
        torque_tolerance: parasitic torque allowed in ZTT and TORQUE groups at full command, as share of the largest
            torque of one healthy thruster.

    Raises:
        ConfigurationError: an argument is not allowed.
    """
    share = checked_health(array, health)
    require("torque_tolerance", torque_tolerance, "", 0.0, 1.0)
    tolerance = torque_tolerance * float(np.linalg.norm((array.effectiveness * array.f_max)[3:], axis=0).max())
    possible = controllable_axes(array, share)
    full = array.effectiveness * (array.f_max * share)
    draw = array.f_max * watts_per_newton

    def group(kind: str, axis: str, levels: Floats, note: str) -> ThrustGroup:
        levels = np.where(levels > _OPEN, levels, 0.0)
        used = tuple(int(i) for i in np.flatnonzero(levels))
        return ThrustGroup(kind, axis, used, levels, full @ levels, float(draw @ levels), note)

    def largest(kind: str, axis: str) -> ThrustGroup:
        reach = largest_wrench(array, axis, share, power=power, watts_per_newton=watts_per_newton)
        return group(kind, axis, reach.levels, "" if axis in possible else _lost(axis, share))

    small = _smallest(full, tolerance)

    def smallest(kind: str, axis: str) -> ThrustGroup:
        if axis not in small:
            fallback = largest(kind, axis)
            if not fallback.thrusters:
                return fallback
            return group(kind, axis, fallback.levels, "no small set: the largest one")
        levels = small[axis]
        used = float(draw @ levels)
        if power is not None and used > power:
            levels = levels * (power / used)
        notes = [_evenness(full, levels, axis, tolerance), _more(ftg[axis], levels) if axis in ftg else ""]
        return group(kind, axis, levels, "; ".join(filter(None, notes)))

    ftg = {axis: largest(FTG, axis) for axis in TRANSLATIONS}
    return ThrustGroups(
        ztt={axis: smallest(ZTT, axis) for axis in TRANSLATIONS},
        ftg=ftg,
        torque={axis: smallest(TORQUE, axis) for axis in ROTATIONS},
        full_torque={axis: largest(FULL_TORQUE, axis) for axis in ROTATIONS},
    )


def _smallest(full: Floats, tolerance: float) -> dict[str, Floats]:
    """Levels (n,) of the smallest set of each axis that has one; among equally small ones the strongest.

    Args:
        full: (6, n) wrench of each thruster at level 1, 0 where it is dead.
        tolerance: N m.
    """
    n = full.shape[1]
    size = np.array([np.linalg.norm(full[:3], axis=0).max(), np.linalg.norm(full[3:], axis=0).max()])
    size = np.maximum(size, 1e-9)
    scale = np.repeat([_FORCE_WEIGHT, 1.0] / size, 3)
    alive = np.flatnonzero(full.any(axis=0))
    found: dict[str, Floats] = {}
    for count in range(1, min(6, len(alive)) + 1):
        if len(found) == len(AXES) or math.comb(len(alive), count) > MOST_SUBSETS:
            break
        sets = np.array(list(itertools.combinations(alive, count)))
        columns = full.T[sets].transpose(0, 2, 1)
        inverse = np.linalg.pinv(scale[:, None] * columns)
        for axis in AXES:
            if axis in found:
                continue
            levels = inverse @ (scale * axis_vector(axis))
            pushes = (levels > _OPEN * np.abs(levels).max(axis=1, keepdims=True)).all(axis=1)
            levels = np.where(pushes[:, None], levels, 1.0)
            levels /= levels.max(axis=1, keepdims=True)
            wrench = np.einsum("sij,sj->si", columns, levels)
            along = wrench @ axis_vector(axis)
            across = _across(axis, wrench)
            pure = np.abs(across[:, :3]).max(axis=1) <= _PURE * size[0]
            steady = np.linalg.norm(across[:, 3:], axis=1) <= max(tolerance, _PURE * size[1])
            enough = along > _PURE * size[0 if axis in TRANSLATIONS else 1]
            along = np.where(pushes & pure & steady & enough, along, 0.0)
            best = int(along.argmax())
            if along[best] > 0.0:
                # among equals, rounding must not decide
                best = int((along > along[best] * (1.0 - 1e-6)).argmax())
                found[axis] = np.zeros(n)
                found[axis][sets[best]] = levels[best]
    return found


def _across(axis: str, wrench: Floats) -> Floats:
    """The wrench (…, 6) without its component along the axis."""
    return np.where(axis_vector(axis) == 0.0, wrench, 0.0)


def _evenness(full: Floats, levels: Floats, axis: str, tolerance: float) -> str:
    """Reason for which the levels of a set differ; empty if they are equal."""
    used = levels > _OPEN
    if np.ptp(levels[used]) <= 1e-3:
        return ""
    across = _across(axis, full @ np.where(used, levels.max(), 0.0))
    torque = float(np.linalg.norm(across[3:]))
    if torque <= tolerance:
        return "levels differ for zero torque"
    return f"levels differ: equal ones would leave {torque:.3g} N m, allowed {tolerance:.3g} N m"


def _more(largest: ThrustGroup, levels: Floats) -> str:
    """Number of thrusters of the largest force, if more than a small set has."""
    if len(largest.thrusters) <= np.count_nonzero(levels):
        return ""
    return f"{largest.size:.0f} N without torque take {len(largest.thrusters)} thrusters"


def _lost(axis: str, share: Floats) -> str:
    dead = [str(i) for i in np.flatnonzero(share == 0.0)]
    if not dead:
        return f"the thrusters give no pure {axis}"
    return f"no pure {axis} without thruster{'s' if len(dead) > 1 else ''} {', '.join(dead)}"


def _row(group: ThrustGroup) -> tuple[str, ...]:
    if not group.thrusters:
        return (group.name, "none", "N/A", "N/A", "N/A", "N/A", group.note)
    unit = "N" if group.axis in TRANSLATIONS else "N m"
    return (
        group.name,
        " ".join(map(str, group.thrusters)),
        " ".join(f"{group.levels[i]:.2f}" for i in group.thrusters),
        f"{group.size:.1f} {unit}",
        f"{group.parasitic_torque:.1f} N m",
        f"{group.power / 1000.0:.1f} kW",
        group.note,
    )
