"""Measurements of the last seconds, from which another docking begins."""

from collections import deque
from collections.abc import Iterator

from qiki_vehicle import Pose
from qiki_vehicle.port_hardware import DockReading, Floats, PortReading, Sight

Motion = tuple[float, Pose, Floats]
"""Stamp s, base_link in world, twist (6,) m/s and rad/s in own axes."""


class RecentMeasurements:
    """Own motions and readings that the machine would take as valid.

    Args:
        age: s, for which they are.
    """

    def __init__(self, age: float) -> None:
        self._age = age
        self._motions: deque[Motion] = deque()
        self._readings: deque[DockReading] = deque()

    def odometry(self, motion: Motion) -> None:
        """Keep an own motion."""
        self._motions.append(motion)
        self._forget(motion[0])

    def read(self, reading: DockReading) -> None:
        """Keep a reading."""
        self._readings.append(reading)
        self._forget(reading.stamp)

    @property
    def sights(self) -> tuple[Sight, ...]:
        """Ports of other bodies in sight, of the latest reading."""
        return self._readings[-1].sights if self._readings else ()

    def port(self, name: str) -> PortReading | None:
        """Latest reading of an own port."""
        ports = self._readings[-1].ports if self._readings else ()
        return next((one for one in ports if one.port == name), None)

    def series(self) -> Iterator[tuple[list[Motion], DockReading | None]]:
        """Each reading after the motions up to its stamp; at last the motions since then, and None."""
        motions = deque(self._motions)
        for reading in self._readings:
            before = []
            while motions and motions[0][0] <= reading.stamp:
                before.append(motions.popleft())
            yield before, reading
        yield list(motions), None

    def _forget(self, stamp: float) -> None:
        while self._motions and not -self._age <= stamp - self._motions[0][0] <= self._age:
            self._motions.popleft()
        while self._readings and not -self._age <= stamp - self._readings[0].stamp <= self._age:
            self._readings.popleft()
