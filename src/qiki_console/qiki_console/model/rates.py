"""Rate of arrivals: statistics of the intervals between arrivals."""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt


@dataclass(frozen=True)
class Rate:
    """Arrivals per second and the intervals behind it, in seconds; deviation is the population's."""

    mean_rate: float
    shortest: float
    longest: float
    deviation: float
    window: int

    def __str__(self) -> str:
        return (
            f"average rate: {self.mean_rate:.3f}\n"
            f"\tmin: {self.shortest:.3f}s max: {self.longest:.3f}s "
            f"std dev: {self.deviation:.5f}s window: {self.window}"
        )


class RateMeter:
    """Statistics of the last `window` intervals.

    Args:
        window: number of intervals kept, at least 1.
    """

    def __init__(self, window: int) -> None:
        self._arrivals: deque[float] = deque(maxlen=window + 1)
        self.total = 0
        """Arrivals since the start."""

    def arrive(self, time: float) -> None:
        """Count an arrival at `time` (s, of a clock that does not run back)."""
        self._arrivals.append(time)
        self.total += 1

    @property
    def rate(self) -> Rate | None:
        """The statistics, None with fewer than two arrivals (or all at the same instant)."""
        gaps = [later - earlier for earlier, later in pairwise(tuple(self._arrivals))]
        if not gaps or sum(gaps) <= 0.0:
            return None
        mean = sum(gaps) / len(gaps)
        deviation = sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
        return Rate(1.0 / mean, min(gaps), max(gaps), deviation, len(gaps))
