"""The markers of docking as RViz receives them, against the vehicle file and the motion of the body."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nav_msgs.msg import Odometry
from pilot import rotation
from rclpy.node import Node
from visualization_msgs.msg import Marker, MarkerArray

from qiki_msgs.msg import DockingState
from qiki_node.qos import TELEMETRY
from qiki_node.stamps import seconds
from qiki_vehicle import Vehicle

NEAR = 0.06  # s between a marker and the odometry that it is compared with


def points(marker: Marker) -> np.ndarray:
    """(n, 3) m."""
    return np.array([[one.x, one.y, one.z] for one in marker.points])


class DockingMarkers:
    """Markers and odometry of a body."""

    def __init__(self, node: Node, body: str) -> None:
        self.body = body
        self._arrays: list[MarkerArray] = []
        self._odometry: list[Odometry] = []
        self._found: tuple[MarkerArray, Odometry, DockingState] | None = None
        node.create_subscription(MarkerArray, f"/{body}/docking/markers", self._arrays.append, TELEMETRY)
        node.create_subscription(Odometry, f"/{body}/odom", self._odometry.append, TELEMETRY)

    def show_a_corridor(self, states: Sequence[DockingState]) -> bool:
        """True once an array with a corridor has come, and the odometry and the state of the same time."""
        for array in self._arrays[-20:]:
            stamp = seconds(array.markers[0].header.stamp)
            near = [one for one in self._odometry[-100:] if abs(seconds(one.header.stamp) - stamp) <= NEAR]
            same = [one for one in states if seconds(one.header.stamp) == stamp and np.isfinite(one.range)]
            if near and same and corridor_of(array).action == Marker.ADD:
                self._found = array, near[0], same[0]
        return self._found is not None

    def check(self, vehicle_file: Path, partner_port: tuple[Any, Any]) -> None:
        """Arrows stand on the ports of the vehicle file; the corridor on the partner's port, as wide as the rules say;
        and between both lies the range that the state reports."""
        assert self._found is not None
        vehicle = Vehicle.from_file(vehicle_file)
        array, odometry, state = self._found
        arrows = [one for one in array.markers if one.ns == "ports"]
        assert [one.type for one in arrows] == [Marker.ARROW] * len(vehicle.ports)
        for arrow, port in zip(arrows, vehicle.ports, strict=True):
            assert arrow.header.frame_id == f"{self.body}/base_link"
            base, tip = points(arrow)
            assert base == pytest.approx(np.array(port.position), abs=1e-6)
            assert (tip - base) / np.linalg.norm(tip - base) == pytest.approx(np.array(port.axis), abs=1e-6)

        corridor, (position, axis) = corridor_of(array), map(np.array, partner_port)
        assert corridor.header.frame_id == f"{state.partner}/base_link"
        lines = points(corridor)
        begins, ends = lines[0::2], lines[1::2]
        assert begins == pytest.approx(np.tile(position, (len(begins), 1)), abs=1e-6)
        along = (ends - position) @ axis
        across = np.linalg.norm(ends - position - np.outer(along, axis), axis=1)
        rules = vehicle.docking
        assert along == pytest.approx(np.full(len(along), rules.hold_points[0]), abs=1e-4)
        assert np.arctan2(across, along) == pytest.approx(np.full(len(along), rules.approach.half_angle), abs=1e-4)
        assert np.linalg.norm(ends.mean(axis=0) - position - along.mean() * axis) < 1e-4, "around the axis"

        # The station stands at the origin of the world.
        own = next(one for one in arrows if one.id == [port.name for port in vehicle.ports].index(state.own_port))
        pose = odometry.pose.pose
        turn = rotation(np.array([getattr(pose.orientation, name) for name in "xyzw"]))
        face = np.array([pose.position.x, pose.position.y, pose.position.z]) + turn @ points(own)[0]
        assert (face - position) @ axis == pytest.approx(state.range, abs=0.08)


def corridor_of(array: MarkerArray) -> Marker:
    (found,) = (one for one in array.markers if one.ns == "corridor")
    return found
