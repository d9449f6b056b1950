"""Own motion at the time of a measurement, from odometry that is a few milliseconds earlier or later."""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from qiki_vehicle import quaternion
from qiki_xpdr.geometry import Own

REACH: Final = 0.2
"""s, from a sample of odometry, for which its velocity holds."""
_FARTHEST: Final = 1e9
"""m and m/s."""
_SAMPLES: Final = 64


# One sample is a few numbers: as Python's own they cost a third of numpy's arrays.
_Triple = tuple[float, float, float]


@dataclass(frozen=True)
class _Sample:
    stamp: float
    position: _Triple
    orientation: tuple[float, float, float, float]
    velocity: _Triple
    rates: _Triple


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
        self,
        stamp: float,
        position: Iterable[float],
        orientation: ArrayLike,
        velocity: Iterable[float],
        rates: Iterable[float],
    ) -> None:
        """Take a sample.

        Args:
            stamp: s, later than the one before.
            position: (3,) m, world. orientation: (4,) from base_link to world.
            velocity, rates: (3,) m/s, rad/s, in base_link.

        Raises:
            ValueError: naming field, value and what is allowed.
        """
        x, y, z, w = quaternion.unit("orientation", orientation).tolist()
        place, speed, spin = _triple("position", position), _triple("velocity", velocity), _triple("rates", rates)
        if self._samples and not stamp > self._samples[-1].stamp:
            raise ValueError(f"stamp: {stamp} s; allowed: later than {self._samples[-1].stamp} s")
        turn = (x, y, z, w)
        self._samples.append(_Sample(stamp, place, turn, quaternion.rotated(turn, speed), spin))

    def at(self, time: float, reach: float = REACH) -> Own | None:
        """Own motion at a time, s: the nearest sample, carried on by its velocity and rates; None: none so near."""
        nearest, gap = None, math.inf
        for one in reversed(self._samples):  # stamps rise: behind the nearest all are farther
            apart = abs(time - one.stamp)
            if not apart < gap:
                break
            nearest, gap = one, apart
        if nearest is None or gap > reach:
            return None
        ahead = time - nearest.stamp
        turned = quaternion.from_rotation_vector([ahead * rate for rate in nearest.rates])
        x, y, z, w = quaternion.multiplied(nearest.orientation, turned.tolist())
        length = math.hypot(x, y, z, w)
        axes = quaternion.matrix((x / length, y / length, z / length, w / length))
        moved = [p + ahead * v for p, v in zip(nearest.position, nearest.velocity, strict=True)]
        return Own(np.array(moved), np.array(nearest.velocity), axes)

    def clear(self) -> None:
        """Forget all samples, as after a reset of the world."""
        self._samples.clear()


def _triple(name: str, values: Iterable[float]) -> _Triple:
    numbers = [float(value) for value in values]
    if len(numbers) != 3 or not all(abs(number) <= _FARTHEST for number in numbers):
        raise ValueError(f"{name}: {numbers}; allowed: three finite numbers, up to {_FARTHEST:g}")
    x, y, z = numbers
    return x, y, z
