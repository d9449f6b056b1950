"""RViz markers of the thrusters' forces."""

from typing import Any

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from qiki_allocator.allocation.thrusters import Floats, ThrusterArray

_LENGTH = 1.5  # m, of the plume's arrow at full thrust
_FIRING = ColorRGBA(r=1.0, g=0.55, b=0.1, a=0.9)
_SICK = ColorRGBA(r=0.8, g=0.1, b=0.6, a=0.9)


class ForceMarkers:
    """An arrow per thruster, against the force on the body as the plume goes, as long as the force is strong."""

    def __init__(self, frame: str, n: int) -> None:
        self.message = MarkerArray()
        for i in range(n):
            marker = Marker(ns="thrusters", id=i, type=Marker.ARROW)
            marker.header.frame_id = frame
            marker.pose.orientation.w = 1.0
            marker.scale.x, marker.scale.y, marker.scale.z = 0.05, 0.12, 0.15
            marker.points = [Point(), Point()]
            self.message.markers.append(marker)

    def update(self, stamp: Any, array: ThrusterArray, forces: Floats, healthy: list[bool]) -> MarkerArray:
        """The message for forces, (n,) N."""
        ends = array.positions - array.directions * (_LENGTH * forces / array.f_max)[:, None]
        for i, marker in enumerate(self.message.markers):
            marker.header.stamp = stamp
            # A thruster that is not healthy is shown at rest too.
            visible = forces[i] > 0.0 or not healthy[i]
            marker.action = Marker.ADD if visible else Marker.DELETE
            marker.color = _FIRING if healthy[i] else _SICK
            end = ends[i] if forces[i] > 0.0 else array.positions[i] - 0.2 * np.asarray(array.directions[i])
            for point, place in zip(marker.points, (array.positions[i], end), strict=True):
                point.x, point.y, point.z = place.tolist()
        return self.message
