"""RViz markers of the tracks: shape and colour by identity and verdict, name, velocity, error, alert."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from geometry_msgs.msg import Point
from scipy.spatial.transform import Rotation
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from qiki_node import stamps
from qiki_xpdr.modes import Allegiance, SpoofState, Status
from qiki_xpdr.report import TrackReport, track_number
from qiki_xpdr.ros.messages import point
from qiki_xpdr.world import Outlook, World

_COLOURS: Final = {  # red, green, blue
    Allegiance.FRIEND: (0.2, 0.8, 0.4),
    Allegiance.FOE: (0.95, 0.15, 0.15),
    Allegiance.UNKNOWN: (0.95, 0.75, 0.2),
}
_DOUBTED: Final = {SpoofState.SUSPECT: (1.0, 0.5, 0.0), SpoofState.SPOOF: (0.9, 0.1, 0.9)}
_DOCKED: Final = (0.6, 0.7, 0.8)
_SHAPES: Final = {
    Allegiance.FRIEND: Marker.SPHERE,
    Allegiance.FOE: Marker.CUBE,
    Allegiance.UNKNOWN: Marker.CYLINDER,
}
_OPACITY: Final = {Status.NEW: 0.3, Status.TRACKED: 0.9, Status.COASTING: 0.6, Status.LOST: 0.25}
_CONFIRMED: Final = (Status.TRACKED, Status.COASTING)
_SMALLEST, _SHARE = 1.0, 0.01  # m, and of the range: size of a marker
_SECONDS: Final = 10.0  # s of flight that an arrow shows
_SIGMAS: Final = 2.0  # of an ellipsoid's half axes
_MOST: Final = 2**31  # numbers of markers


class TrackMarkers:
    """Markers of one picture after the other; those of tracks, names and alerts that are gone are deleted.

    Namespaces: `tracks`, `names`, `velocities`, `errors`, `alerts`; the id is the track's number.
    """

    def __init__(self, bot: str) -> None:
        self._bot = bot
        self._shown: set[tuple[str, int]] = set()
        self._begun = False

    def update(self, world: World) -> MarkerArray:
        """The message. The first one deletes all markers of before, as of a node that was there earlier."""
        made = [] if self._begun else [Marker(action=Marker.DELETEALL)]
        self._begun = True
        alerts = {alert.track for alert in world.alerts}
        for outlook in world.tracks:
            number = track_number(self._bot, outlook.track.id)
            for marker in _markers(outlook, number in alerts):
                marker.id = number % _MOST
                made.append(marker)
        shown = {(marker.ns, marker.id) for marker in made if marker.action == Marker.ADD}
        made += [Marker(ns=ns, id=id, action=Marker.DELETE) for ns, id in sorted(self._shown - shown)]
        self._shown = shown
        stamp = stamps.from_seconds(world.time)
        for marker in made:
            marker.header.stamp, marker.header.frame_id = stamp, "world"
        return MarkerArray(markers=made)


def _markers(outlook: Outlook, alert: bool) -> Iterator[Marker]:
    track = outlook.track
    size = _SMALLEST if math.isnan(track.range) else max(_SMALLEST, _SHARE * track.range)
    colour = _colour(outlook)
    yield _body("tracks", _SHAPES.get(track.iff, Marker.CYLINDER), track, (size,) * 3, colour)
    name = _body("names", Marker.TEXT_VIEW_FACING, track, (0.0, 0.0, size), colour)
    name.pose.position.z += 1.5 * size
    name.text = _text(outlook)
    yield name
    if track.status is not Status.NEW and math.hypot(*track.velocity) > 0.0:
        arrow = _body("velocities", Marker.ARROW, track, (0.15 * size, 0.3 * size, 0.3 * size), colour)
        arrow.pose.position = Point()
        x, y, z = (p + _SECONDS * v for p, v in zip(track.position, track.velocity, strict=True))
        arrow.points = [point(track.position), point((x, y, z))]
        yield arrow
    if track.status in _CONFIRMED:
        yield _ellipsoid(track, ColorRGBA(r=colour.r, g=colour.g, b=colour.b, a=0.15))
    if alert:
        yield _body("alerts", Marker.SPHERE, track, (3.0 * size,) * 3, ColorRGBA(r=1.0, a=0.35))


def _colour(outlook: Outlook) -> ColorRGBA:
    track = outlook.track
    red, green, blue = _DOUBTED.get(track.spoof, _COLOURS.get(track.iff, _COLOURS[Allegiance.UNKNOWN]))
    if outlook.partner:
        red, green, blue = _DOCKED
    return ColorRGBA(r=red, g=green, b=blue, a=_OPACITY.get(track.status, 0.3))


def _text(outlook: Outlook) -> str:
    track = outlook.track
    parts = [track.id, outlook.partner or track.transponder_id]
    if track.spoof in _DOUBTED:
        parts.append(track.spoof.name)
    parts.append("" if math.isnan(track.range) else f"{track.range:.0f} m")
    if track.status not in _CONFIRMED:
        parts.append(f"{track.status.name} {track.silent:.0f} s" if track.status is Status.LOST else track.status.name)
    return " ".join(part for part in parts if part)


def _body(ns: str, kind: int, track: TrackReport, scale: tuple[float, ...], colour: ColorRGBA) -> Marker:
    marker = Marker(ns=ns, type=kind, action=Marker.ADD, color=colour)
    marker.pose.position = point(track.position)
    marker.pose.orientation.w = 1.0
    marker.scale.x, marker.scale.y, marker.scale.z = scale
    return marker


def _ellipsoid(track: TrackReport, colour: ColorRGBA) -> Marker:
    variances, axes = np.linalg.eigh(np.array(track.covariance).reshape(6, 6)[:3, :3])
    axes[:, 2] = np.cross(axes[:, 0], axes[:, 1])
    lengths = 2.0 * _SIGMAS * np.sqrt(np.maximum(variances, 1e-6))
    marker = _body("errors", Marker.SPHERE, track, tuple(lengths.tolist()), colour)
    q = marker.pose.orientation
    q.x, q.y, q.z, q.w = Rotation.from_matrix(axes).as_quat().tolist()
    return marker
