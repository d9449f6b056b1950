"""RViz markers: axes of the own ports, and the corridor to the partner's port."""

import math
from typing import Any, Final

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from qiki_docking.contact import Floats
from qiki_docking.exchange import DockState, PortOffer

_AXIS: Final = 1.0  # m, length of an arrow
_RAYS: Final = 12  # of the corridor's cone
_FREE: Final = ColorRGBA(r=0.2, g=0.8, b=0.4, a=0.8)
_TAKEN: Final = ColorRGBA(r=0.95, g=0.7, b=0.1, a=0.8)
_UNFIT: Final = ColorRGBA(r=0.8, g=0.1, b=0.1, a=0.8)
_CORRIDOR: Final = ColorRGBA(r=0.3, g=0.6, b=1.0, a=0.35)


class DockingMarkers:
    """An arrow per own port, coloured by its offer; lines of the corridor's cone in the partner's frame.

    Args:
        frame: own base_link.
        half_angle: rad, of the corridor. length: m, of it.
    """

    def __init__(self, frame: str, half_angle: float, length: float) -> None:
        self._frame, self._half_angle, self._length = frame, half_angle, length

    def update(self, stamp: Any, state: DockState, partner: DockState | None) -> MarkerArray:
        """The message for an own state and that of its partner."""
        markers = [self._arrow(index, offer) for index, offer in enumerate(state.offers)]
        offer = None if partner is None else partner.offer(state.partner_port)
        markers.append(self._corridor(state, offer))
        for marker in markers:
            marker.header.stamp = stamp
        return MarkerArray(markers=markers)

    def _arrow(self, index: int, offer: PortOffer) -> Marker:
        marker = Marker(ns="ports", id=index, type=Marker.ARROW, action=Marker.ADD)
        marker.header.frame_id = self._frame
        marker.pose.orientation.w = 1.0
        marker.scale.x, marker.scale.y, marker.scale.z = 0.06, 0.14, 0.2
        marker.color = _UNFIT if not offer.fit else _TAKEN if offer.holder else _FREE
        base = np.array(offer.position)
        marker.points = [_point(base), _point(base + _AXIS * np.array(offer.axis))]
        return marker

    def _corridor(self, state: DockState, offer: PortOffer | None) -> Marker:
        marker = Marker(ns="corridor", id=0, type=Marker.LINE_LIST, action=Marker.DELETE)
        marker.header.frame_id = f"{state.partner}/base_link" if state.partner else self._frame
        marker.pose.orientation.w = 1.0
        if offer is None or not state.active:
            return marker
        marker.action, marker.color, marker.scale.x = Marker.ADD, _CORRIDOR, 0.02
        axis, base = np.array(offer.axis), np.array(offer.position)
        side = np.cross(axis, np.eye(3)[int(np.argmin(np.abs(axis)))])
        side /= np.linalg.norm(side)
        other, radius = np.cross(axis, side), self._length * math.tan(self._half_angle)
        for ray in range(_RAYS):
            angle = 2.0 * math.pi * ray / _RAYS
            edge = radius * (math.cos(angle) * side + math.sin(angle) * other)
            marker.points += [_point(base), _point(base + self._length * axis + edge)]
        return marker


def _point(values: Floats) -> Point:
    x, y, z = values.tolist()
    return Point(x=x, y=y, z=z)
