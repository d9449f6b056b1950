"""Time of control: simulated time, or one that no setting of the computer's clock disturbs. No ROS in here."""

from collections.abc import Callable

_STEP = 1_000_000
"""ns by which ROS time must have moved against steady time to be followed: two clocks are not read at one instant."""


class ControlTime:
    """Time for control cycles, watchdogs and ages.

    With /clock it is ROS time. Without, ROS time is the computer's clock, which may be set back or forward at any
    moment: control time then runs with the steady clock, from ROS time at the construction on. `ahead` relates the two
    for stamps, which other nodes read by the computer's clock.

    Args:
        ros, steady: clocks, ns.
        is_simulated: whether ROS time is that of /clock.
    """

    def __init__(self, ros: Callable[[], int], steady: Callable[[], int], is_simulated: Callable[[], bool]) -> None:
        self._ros, self._steady, self._is_simulated = ros, steady, is_simulated
        self._epoch = 0 if is_simulated() else ros() - steady()
        self._ahead = 0

    def now(self) -> float:
        """s."""
        ros = self._ros()
        if self._is_simulated():
            self._ahead = 0
            return ros * 1e-9
        now = self._steady() + self._epoch
        if abs(ros - now - self._ahead) > _STEP:
            self._ahead = ros - now
        return now * 1e-9

    @property
    def ahead(self) -> float:
        """s that ROS time was ahead of control time at the last `now`."""
        return self._ahead * 1e-9
