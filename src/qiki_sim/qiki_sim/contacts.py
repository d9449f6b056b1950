"""Contacts of bodies, and lines of sight between them, as of MuJoCo's last step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Key = tuple[str, str]


class Contacts:
    """Queries of one model. Collars of ports go by body and port."""

    def __init__(self, model: Any, data: Any, names: tuple[str, ...], collars: Mapping[Key, int]) -> None:
        """names: of the bodies in their order. collars: their geoms."""
        self._model, self._data, self._names, self._collars = model, data, names, collars

    def is_hidden(self, begin: Floats, end: Floats, own: str, target: str) -> bool:
        """A third body stands between two points in world, m."""
        line = end - begin
        distance = float(np.linalg.norm(line))
        if distance < 1e-9 or len(self._names) < 3:
            return False
        hit = np.array([-1], dtype=np.int32)
        own_body = self._names.index(own) + 1
        at = mujoco.mj_ray(self._model, self._data, begin, line / distance, None, 1, own_body, hit, None)
        return 0.0 <= at < distance and self._names[self._model.geom_bodyid[hit[0]] - 1] not in (own, target)

    def force(self, first: Key, second: Key) -> float:
        """N, of the contacts of two ports' collars now."""
        collars = {self._collars[first], self._collars[second]}
        total, force = 0.0, np.zeros(6)
        for index in range(self._data.ncon):
            if set(self._data.contact.geom[index].tolist()) == collars:
                mujoco.mj_contactForce(self._model, self._data, index, force)
                total += float(force[0])
        return total

    def touching_outside(self, ports: set[tuple[Key, Key]]) -> set[tuple[str, str]]:
        """Pairs of bodies in contact elsewhere than at pairs of ports."""
        if self._data.ncon == 0:
            return set()
        allowed = {frozenset(self._collars[key] for key in pair) for pair in ports}
        found = set()
        for geoms, distance in zip(self._data.contact.geom.tolist(), self._data.contact.dist.tolist(), strict=True):
            if distance < 0.0 and frozenset(geoms) not in allowed:
                a, b = sorted(int(self._model.geom_bodyid[geom]) - 1 for geom in geoms)
                found.add((self._names[a], self._names[b]))
        return found

    def touching(self) -> set[tuple[str, str]]:
        """Pairs of bodies in contact."""
        geoms = self._data.contact.geom
        bodies = self._model.geom_bodyid[geoms[self._data.contact.dist < 0.0]] - 1
        return {(self._names[a], self._names[b]) for a, b in np.sort(bodies, axis=1).reshape(-1, 2)}
