"""RViz markers of all bodies: hulls as wire frames, other bodies as solids, names above."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from qiki_node.stamps import set_nanoseconds
from qiki_sim.ros import conversions
from qiki_sim.shapes import Box, Cylinder, Dodecahedron, Sphere
from qiki_vehicle.hull import dodecahedron_vertices

if TYPE_CHECKING:
    from qiki_sim.world import World

_COLOURS = {  # red, green, blue, opacity
    "BOT": (0.2, 0.6, 1.0, 1.0),
    "STATION": (0.8, 0.8, 0.8, 0.8),
    "SHIP": (0.9, 0.6, 0.2, 0.8),
    "DRONE": (0.9, 0.2, 0.2, 0.9),
    "ASTEROID": (0.5, 0.4, 0.3, 1.0),
    "DEBRIS": (0.6, 0.6, 0.6, 1.0),
}


class MarkerSet:
    """The markers of one world, made once and moved."""

    def __init__(self, world: World) -> None:
        file = world.scenario.file
        self.message = MarkerArray()
        self._bodies: list[str] = []
        self._reach: list[float] = []
        for entry, vehicle in zip(file.bots, world.scenario.vehicles, strict=True):
            radius = vehicle.hull.circumradius
            self._add(entry.name, "BOT", Dodecahedron(kind="dodecahedron", circumradius=radius), radius)
        for body in file.bodies:
            self._add(body.name, body.type, body.shape, _reach(body.shape))

    def _add(self, name: str, kind: str, shape: Any, reach: float) -> None:
        red, green, blue, opacity = _COLOURS[kind]
        colour = ColorRGBA(r=red, g=green, b=blue, a=opacity)
        solid = Marker(ns=name, id=0, action=Marker.ADD, color=colour)
        _shape_marker(solid, shape)
        label = Marker(ns=name, id=1, action=Marker.ADD, type=Marker.TEXT_VIEW_FACING, text=name, color=colour)
        label.scale.z = 0.8
        for marker in (solid, label):
            marker.header.frame_id = "world"
            marker.pose.orientation.w = 1.0
        self.message.markers += [solid, label]
        self._bodies.append(name)
        self._reach.append(reach)

    def update(self, world: World) -> MarkerArray:
        """The message with the poses of now."""
        for index, name in enumerate(self._bodies):
            motion = world.motion(name)
            solid, label = self.message.markers[2 * index : 2 * index + 2]
            conversions.fill_vector(solid.pose.position, motion.position)
            conversions.fill_vector(solid.pose.orientation, motion.orientation)
            conversions.fill_vector(label.pose.position, motion.position)
            label.pose.position.z += self._reach[index] + 1.0
            for marker in (solid, label):
                set_nanoseconds(marker.header.stamp, 1000 * world.time_us)
        return self.message


def _reach(shape: Any) -> float:
    """Half the height that a shape can have, m."""
    match shape:
        case Box(size=size):
            return float(np.linalg.norm(size)) / 2
        case Cylinder(radius=radius, length=length):
            return float(np.hypot(radius, length / 2))
        case Sphere(radius=radius) | Dodecahedron(circumradius=radius):
            return float(radius)
    raise TypeError(f"no marker for {shape!r}")


def _shape_marker(marker: Marker, shape: Any) -> None:
    match shape:
        case Sphere(radius=radius):
            marker.type, size = Marker.SPHERE, (2 * radius,) * 3
        case Box(size=size):
            marker.type = Marker.CUBE
        case Cylinder(radius=radius, length=length):
            marker.type, size = Marker.CYLINDER, (2 * radius, 2 * radius, length)
        case Dodecahedron(circumradius=radius):
            marker.type, size = Marker.LINE_LIST, (0.03, 0.0, 0.0)
            vertices = dodecahedron_vertices(radius)
            edge = min(float(np.linalg.norm(a - b)) for a, b in combinations(vertices, 2))
            for a, b in combinations(vertices, 2):
                if np.linalg.norm(a - b) < 1.01 * edge:
                    marker.points += [Point(x=p[0], y=p[1], z=p[2]) for p in (a.tolist(), b.tolist())]
    marker.scale.x, marker.scale.y, marker.scale.z = (float(length) for length in size)
