"""RViz markers of all bodies: hulls as wire frames, other bodies as solids, names above.

A solid stands in the frame of its body and moves with it in /tf. A name stands in `world`, so that it stays above.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from qiki_node.stamps import set_nanoseconds
from qiki_sim.frames import WORLD, base_link
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
        self._labels: list[tuple[str, float, Marker]] = []
        self._begun = False
        for entry, vehicle in zip(file.bots, world.scenario.vehicles, strict=True):
            radius = vehicle.hull.circumradius
            self._add(entry.name, "BOT", Dodecahedron(kind="dodecahedron", circumradius=radius), radius)
        for body in file.bodies:
            self._add(body.name, body.type, body.shape, _reach(body.shape))

    def _add(self, name: str, kind: str, shape: Any, reach: float) -> None:
        red, green, blue, opacity = _COLOURS[kind]
        colour = ColorRGBA(r=red, g=green, b=blue, a=opacity)
        solid = Marker(ns=name, id=0, action=Marker.ADD, color=colour, frame_locked=True)
        _shape_marker(solid, shape)
        label = Marker(ns=name, id=1, action=Marker.ADD, type=Marker.TEXT_VIEW_FACING, text=name, color=colour)
        label.scale.z = 0.8
        for marker, frame in ((solid, base_link(name)), (label, WORLD)):
            marker.header.frame_id = frame
            marker.pose.orientation.w = 1.0
        self.message.markers += [solid, label]
        self._labels.append((name, reach, label))

    def update(self, world: World, stamp: int) -> MarkerArray:
        """The message with the poses of now. `stamp`: ns.

        The first one deletes all markers before: their bodies may be gone.
        """
        for name, reach, label in self._labels:
            conversions.fill_vector(label.pose.position, world.motion(name).position)
            label.pose.position.z += reach + 1.0
        for marker in self.message.markers:
            set_nanoseconds(marker.header.stamp, stamp)
        if self._begun:
            return self.message
        self._begun = True
        clear = Marker(action=Marker.DELETEALL)
        clear.header.frame_id = WORLD
        set_nanoseconds(clear.header.stamp, stamp)
        return MarkerArray(markers=[clear, *self.message.markers])


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
