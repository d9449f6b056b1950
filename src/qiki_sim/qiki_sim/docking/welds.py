"""Joints of bodies as MuJoCo's weld constraints, and the collisions that they switch off.

A weld makes the motion between two bodies that of a critically damped oscillator, whatever their masses:
r'' = -2 w r' - w^2 r, w its frequency; the force for it acts on both at one point, so that momentum is kept. The model
has a slot for each pair that its ports can form; bodies and poses are written into it when a joint begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qiki_vehicle import Pose

    Floats = NDArray[np.float64]

_IMPEDANCE = 0.9999
"""Share of the acceleration between the bodies that the joint takes on itself; the rest is compliance."""
_BITS = 30
_ALL = 2**_BITS - 1


def add_slots(spec: Any, bodies: list[str], count: int) -> None:
    """Declare `count` welds, inactive."""
    if len(bodies) < 2:
        return
    for index in range(count):
        slot = spec.add_equality()
        slot.type = mujoco.mjtEq.mjEQ_WELD
        slot.objtype = mujoco.mjtObj.mjOBJ_BODY
        slot.name = f"joint_{index}"
        slot.name1, slot.name2 = bodies[:2]
        slot.active = False


class Welds:
    """The joints in force. Bodies by index, 0 for the first."""

    def __init__(self, model: Any, data: Any, com: list[Floats]) -> None:
        """com: (3,) m of each body in its base_link, where its frame in the model lies."""
        self._model, self._data, self._com = model, data, com
        self._joined: dict[int, tuple[int, int]] = {}

    def join(self, first: int, second: int, pose: Pose, anchor: Floats, frequency: float) -> int:
        """Begin a joint.

        pose: of the second body's base_link in the first's when mated. anchor: (3,) m, the joint's place in the first.
        frequency: rad/s.

        Returns: its slot.
        """
        slot = next(index for index in range(self._model.neq) if index not in self._joined)
        turn = pose.inverse()
        self._model.eq_obj1id[slot], self._model.eq_obj2id[slot] = first + 1, second + 1
        data = self._model.eq_data[slot]
        data[:] = 0.0
        data[0:3] = turn.point(anchor) - self._com[second]
        data[3:6] = anchor - self._com[first]
        data[6:10] = np.roll(pose.orientation, 1)
        data[10] = 1.0
        self._model.eq_solimp[slot] = [_IMPEDANCE, _IMPEDANCE, 0.001, 0.5, 2.0]
        self.stiffen(slot, frequency)
        self._data.eq_active[slot] = 1
        self._joined[slot] = first, second
        self._collide()
        return slot

    def stiffen(self, slot: int, frequency: float) -> None:
        """Change a joint's frequency, rad/s."""
        self._model.eq_solref[slot] = [-(frequency**2), -2.0 * frequency]

    def part(self, slot: int) -> None:
        """End a joint."""
        self._data.eq_active[slot] = 0
        del self._joined[slot]
        self._collide()

    def force(self, slot: int) -> Floats:
        """(3,) N in world of the joint now, on the first body."""
        data = self._data
        rows = (data.efc_type == mujoco.mjtConstraint.mjCNSTR_EQUALITY) & (data.efc_id == slot)
        force: Floats = data.efc_force[rows][:3].copy()
        return force if len(force) == 3 else np.zeros(3)

    @property
    def assemblies(self) -> list[set[int]]:
        """Bodies joined to each other, at least two in each, by their lowest index."""
        groups: list[set[int]] = []
        for pair in self._joined.values():
            near = [group for group in groups if group & set(pair)]
            groups = [group for group in groups if group not in near] + [set(pair).union(*near)]
        return sorted(groups, key=min)

    def joined(self, pairs: tuple[Any, Any]) -> NDArray[np.bool_]:
        """(pairs,) true for pairs of bodies in one assembly."""
        member = np.arange(self._model.nbody - 1) - self._model.nbody
        for number, group in enumerate(self.assemblies):
            member[list(group)] = number
        same: NDArray[np.bool_] = member[pairs[0]] == member[pairs[1]]
        return same

    def _collide(self) -> None:
        """Within an assembly nothing collides: the joints hold its parts where they touch. All else does."""
        model = self._model
        kind, mask = np.ones(model.nbody, dtype=np.int32), np.full(model.nbody, _ALL, dtype=np.int32)
        for number, group in enumerate(self.assemblies):
            bit = 1 << (1 + number % (_BITS - 1))
            for body in group:
                kind[body + 1], mask[body + 1] = bit, _ALL & ~bit
        model.geom_contype[:], model.geom_conaffinity[:] = kind[model.geom_bodyid], mask[model.geom_bodyid]
        model.body_contype[1:], model.body_conaffinity[1:] = kind[1:], mask[1:]
