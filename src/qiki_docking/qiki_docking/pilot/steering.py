"""Commands of guidance to the flight core."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Steering:
    """Commands to the flight core, repeated each cycle.

    Attributes:
        force: (3,) N in base_link; None: no wrench is commanded.
        attitude: (4,) x, y, z, w, target of base_link in world; None: attitude mode OFF.
        rate: (3,) rad/s in world, of the target.
        modulator: "impulse_bit", or "" for the operator's own.
        bounds: (n,) 0..1 for the allocator's inhibition; None: none.
        bounds_reason: "plume", "coasting", "docked", or "".
        touching: the ports touch, or may at any moment: motion is no evidence about the thrusters.
    """

    force: Floats | None = None
    attitude: Floats | None = None
    rate: Floats = field(default_factory=lambda: np.zeros(3))
    modulator: str = ""
    bounds: Floats | None = None
    bounds_reason: str = ""
    touching: bool = False
