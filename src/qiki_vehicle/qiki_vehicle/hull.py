"""Hulls of vehicles."""

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from qiki_vehicle.files import Section, Size

_PHI = (1.0 + math.sqrt(5.0)) / 2.0


class Hull(Section):
    """A hull centred at the origin of base_link."""

    shape: Literal["dodecahedron"]
    circumradius: Size  # m

    @property
    def vertices(self) -> npt.NDArray[np.float64]:
        """(20, 3) m, in base_link."""
        return dodecahedron_vertices(self.circumradius)


def dodecahedron_vertices(circumradius: float) -> npt.NDArray[np.float64]:
    """Vertices (20, 3) in m of a regular dodecahedron centred at the origin.

    Two of its edges cross the z axis, parallel to y (likewise for x and y in turn).
    """
    signs = (-1.0, 1.0)
    cube = [(x, y, z) for x in signs for y in signs for z in signs]
    rectangle = [(0.0, a / _PHI, b * _PHI) for a in signs for b in signs]
    corners = np.array(cube + rectangle + [(y, z, x) for x, y, z in rectangle] + [(z, x, y) for x, y, z in rectangle])
    return np.asarray(corners * (circumradius / math.sqrt(3.0)))
