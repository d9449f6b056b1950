"""The directions that come first, by the thrusters that are left: what these barely reach comes last."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.answers import Certificate
from qiki_allocator.allocation.ray import Ray
from qiki_allocator.allocation.spans import WEAK, are_surely_strong, span, strong_and_weak
from qiki_allocator.allocation.strategies import Found, Levels, Starts, nothing
from qiki_allocator.allocation.task import Room, Scaling, Task, as_limit
from qiki_allocator.allocation.thrusters import Floats

_KEPT = 64
"""Sets of thrusters remembered."""

_NOTHING = 1e-9
"""Share of a wrench that counts as nothing."""

Value = TypeVar("Value")

_AXES = {"force": slice(0, 3), "torque": slice(3, 6)}
_ALL = np.eye(3)


class Choices:
    """Programs of the policy "priority", and of "direction" where there are weak directions.

    A direction that the remaining thrusters barely reach (see `spans.WEAK`) has no priority: an error in it, however
    small, could only be avoided by giving up most of what they can do.

    Args:
        scaling: units.
        order: "torque" and "force", most important first.
        starts: see `strategies.Levels`.

    Attributes:
        bent: for "direction"; None: the healthy thrusters reach every direction well, or not at all.
    """

    def __init__(self, scaling: Scaling, order: Sequence[str], starts: Starts) -> None:
        self._scaling = scaling
        self._order = order
        self._starts = starts
        self._levels: dict[bytes, Levels] = {}
        self._splits: dict[bytes, Levels] = {}
        every = np.ones(len(scaling.f_max), dtype=bool)
        self.priority(Room(scaling.f_max, np.ones(len(every)), 0.0))
        strong, weak = self._strong_and_weak(every, slice(0, 6))
        is_weak = len(strong) > 0 and len(span(scaling.rows, weak)[1]) > 0
        self.bent = Bent(scaling, strong, weak) if is_weak else None

    def priority(self, room: Room) -> Levels:
        """First what the thrusters reach well of the first of force and torque, then the rest."""
        alive, key = _alive(room)
        found = self._levels.get(key)
        if found is None:
            found = self._levels_of(alive)
            _keep(self._levels, key, found)
        return found

    def _levels_of(self, alive: npt.NDArray[np.bool_]) -> Levels:
        first, second = (_AXES[name] for name in self._order)
        # Of most sets of thrusters all three axes are strong.
        strong, weak, split = _ALL, _ALL[:0], b""
        if not are_surely_strong(self._scaling.gains[first], alive):
            strong, weak = self._strong_and_weak(alive, first)
            split = b"" if len(strong) == 3 else strong.tobytes()
        found = self._splits.get(split)
        if found is None:
            directions = np.eye(6)
            found = Levels(
                self._scaling,
                strong @ directions[first] if split else directions[first],
                np.vstack([weak @ directions[first], directions[second]]),
                weights=np.ones(6),
                starts=self._starts,
            )
            _keep(self._splits, split, found)
        return found

    def _strong_and_weak(self, alive: npt.NDArray[np.bool_], axes: slice) -> tuple[Floats, Floats]:
        scaling = self._scaling
        return strong_and_weak(scaling.gains[axes], alive, scaling.error_units[axes])


class Bent:
    """As much of a wrench in the strong directions as they give, its weak components as well as that allows.

    Args:
        scaling: units.
        strong, weak: (k, 6), (6 - k, 6) orthonormal directions.
    """

    def __init__(self, scaling: Scaling, strong: Floats, weak: Floats) -> None:
        self._scaling = scaling
        self._strong = strong
        directions, reach, units = span(scaling.rows, strong)
        self._to_units = (directions / reach).T @ strong
        self._ray = Ray(units, scaling.power)
        self._levels = Levels(scaling, strong, weak, weights=np.ones(6))

    def solve(self, task: Task) -> Found:
        """The answer to a wrench."""
        target = self._to_units.dot(self._scaling.per_reach * task.wanted)
        share = 1.0
        if float(target.dot(target)) > 0.0:
            limit = as_limit(task.room.power, self._scaling.power_unit)
            share, _ = self._ray.longest(target, task.room.relative, limit)
        if not share > _NOTHING:
            return nothing(task, Certificate(0.0, 0.0))
        return self._levels.solve(Task(self._scaling, task.wanted * min(share, 1.0), task.room))


def _alive(room: Room) -> tuple[npt.NDArray[np.bool_], bytes]:
    alive = room.relative > WEAK * room.relative[room.relative.argmax()]
    return alive, alive.tobytes()


def _keep(known: dict[bytes, Value], key: bytes, value: Value) -> None:
    if len(known) >= _KEPT:
        known.clear()
    known[key] = value
