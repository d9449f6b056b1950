"""Own motion at the time of a measurement, from odometry that is a few milliseconds earlier or later."""

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from qiki_vehicle import quaternion
from qiki_xpdr.geometry import Floats, Own

REACH: Final = 0.2
"""s, from a sample of odometry, for which its velocity holds."""
_FARTHEST: Final = 1e9
"""m and m/s."""
_SAMPLES: Final = 64


@dataclass(frozen=True)
class _Sample:
    stamp: float
    position: Floats
    orientation: Floats
    velocity: Floats
    rates: Floats


class OwnMotion:
    """The newest samples of odometry.

    motion.add(stamp, position, orientation, velocity, rates)
    own = motion.at(frame_stamp)        # None: nothing is known of that time
    """

    position_sigma = turn_sigma = 0.0
    """m, rad, standard deviations per axis, by the newest odometry."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=_SAMPLES)

    def add(
        self, stamp: float, position: ArrayLike, orientation: ArrayLike, velocity: ArrayLike, rates: ArrayLike
    ) -> None:
        """Take a sample.

        Args:
            stamp: s, later than the one before.
            position: (3,) m, world. orientation: (4,) from base_link to world.
            velocity, rates: (3,) m/s, rad/s, in base_link.

        Raises:
            ValueError: naming field, value and what is allowed.
        """
        turn = quaternion.unit("orientation", orientation)
        values = {}
        for name, value in (("position", position), ("velocity", velocity), ("rates", rates)):
            one = values[name] = np.asarray(value, dtype=float)
            if one.shape != (3,) or not (np.abs(one) <= _FARTHEST).all():
                raise ValueError(f"{name}: {one.tolist()}; allowed: three finite numbers, up to {_FARTHEST:g}")
        if self._samples and not stamp > self._samples[-1].stamp:
            raise ValueError(f"stamp: {stamp} s; allowed: later than {self._samples[-1].stamp} s")
        world = quaternion.rotate(turn, values["velocity"])
        self._samples.append(_Sample(stamp, values["position"], turn, world, values["rates"]))

    def at(self, time: float, reach: float = REACH) -> Own | None:
        """Own motion at a time, s: the nearest sample, carried on by its velocity and rates; None: none so near."""
        nearest = min(self._samples, key=lambda one: abs(one.stamp - time), default=None)
        if nearest is None or not abs(time - nearest.stamp) <= reach:
            return None
        ahead = time - nearest.stamp
        turn = quaternion.product(nearest.orientation, quaternion.from_rotation_vector(ahead * nearest.rates))
        axes = quaternion.matrix(turn / np.linalg.norm(turn))
        return Own(nearest.position + ahead * nearest.velocity, nearest.velocity, axes)

    def clear(self) -> None:
        """Forget all samples, as after a reset of the world."""
        self._samples.clear()
