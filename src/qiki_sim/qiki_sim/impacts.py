"""Impacts that are too fast for the physics step: finer steps and harder contact for the bodies that are about to meet.

MuJoCo's contact is a damped spring with a time constant, which a body at speed v enters by about v times that. With the
constant of 0.02 s, and with steps in which it moves by its own thickness, a small fast body would pass through another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SOFT = 0.02
"""s, time constant of contacts (MuJoCo's own)."""
COLLAR = 0.05
"""s, of contacts of port collars, which are sprung: a touch at 0.1 m/s stays well under the strength of the latches."""
DEPTH = 0.5
"""Share of the smaller half thickness that a body may move in one time constant of its contact."""
STEPS = 4
"""Integration steps in a time constant."""
MOST = 200
"""Steps into which a physics step is divided, at most. It bounds the speed at which bodies surely meet."""


class Impacts:
    """The pairs of bodies that are near each other and fast."""

    def __init__(self, model: Any, pairs: tuple[Any, Any], step: float, collars: list[int]) -> None:
        """pairs: indices of both bodies of each pair, 0 for the first body. step: s, of the physics. collars: geoms."""
        self._model, self._pairs, self._step = model, pairs, step
        thickness = np.full(model.nbody - 1, np.inf)
        np.minimum.at(thickness, model.geom_bodyid - 1, _half_thickness(model))
        self._thickness = np.minimum(thickness[pairs[0]], thickness[pairs[1]])
        self._constant = np.full(len(pairs[0]), SOFT)
        self._soft = np.full(model.ngeom, SOFT)
        self._soft[collars] = COLLAR
        model.geom_solref[:, 0] = self._soft
        self._hard = False

    def soften(self) -> None:
        """No two bodies are near: contacts are as soft as ever."""
        if self._hard:
            self._constant[:] = SOFT
            self._model.geom_solref[:, 0] = self._soft
            self._hard = False

    def steps(self, gap: Floats, speed: Floats, seconds: float) -> int:
        """Number of integration steps in each physics step of the next `seconds`; sets the hardness of contacts.

        gap: (pairs,) m between the spheres about the bodies. speed: (pairs,) m/s of one against the other.
        """
        near = gap < 2.0 * speed * seconds
        if not near.any() and not (gap < 0.0).any():
            self.soften()
            return 1
        wanted = DEPTH * self._thickness / np.maximum(speed, 1e-9)
        # A contact stays as hard as it began, until the bodies are apart.
        self._constant = np.where(near | (gap < 0.0), np.minimum(self._constant, wanted), SOFT)
        self._hard = True
        least = float(self._constant.min())
        count = min(MOST, max(1, int(np.ceil(STEPS * self._step / least)))) if least < STEPS * self._step else 1
        constants = np.full(self._model.nbody - 1, SOFT)
        for bodies in self._pairs:
            np.minimum.at(constants, bodies, self._constant)
        hard = constants[self._model.geom_bodyid - 1]
        self._model.geom_solref[:, 0] = np.where(hard < SOFT, hard, self._soft)
        return count


def _half_thickness(model: Any) -> Floats:
    """(geoms,) m: the smallest half extent."""
    kinds, size = model.geom_type, model.geom_size
    two = np.minimum(size[:, 0], size[:, 1])
    mesh = kinds == mujoco.mjtGeom.mjGEOM_MESH
    sphere = kinds == mujoco.mjtGeom.mjGEOM_SPHERE
    box = kinds == mujoco.mjtGeom.mjGEOM_BOX
    return np.select([mesh | box, sphere], [size.min(axis=1), size[:, 0]], two)
