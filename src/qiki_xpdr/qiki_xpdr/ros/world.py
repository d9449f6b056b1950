"""World model on the graph: the picture at 2 Hz, with markers, while there is a subscriber."""

import math
from collections.abc import Callable
from typing import Final

from scipy.spatial.transform import Rotation
from visualization_msgs.msg import MarkerArray

from qiki_msgs.msg import RadarTrack
from qiki_msgs.msg import World as Message
from qiki_node import stamps
from qiki_node.qos import TELEMETRY
from qiki_vehicle import Vehicle
from qiki_xpdr.own_motion import OwnMotion
from qiki_xpdr.ros import messages
from qiki_xpdr.ros.host import Host
from qiki_xpdr.ros.markers import TrackMarkers
from qiki_xpdr.ros.neighbours import Neighbours
from qiki_xpdr.watch import Frame
from qiki_xpdr.world import World, world

PERIOD: Final = 0.5
"""s."""


class WorldLink:
    """Publisher of the world model and of its markers.

    Args:
        newest: the newest frame, None: none yet, and the time of the newest one of the radar, s.
    """

    def __init__(
        self,
        node: Host,
        vehicle: Vehicle,
        motion: OwnMotion,
        neighbours: Neighbours,
        newest: Callable[[], tuple[Frame | None, float]],
    ) -> None:
        self._node, self._vehicle, self._motion = node, vehicle, motion
        self._neighbours, self._newest = neighbours, newest
        self._worlds = node.create_lifecycle_publisher(Message, "world", TELEMETRY)
        self._arrays = node.create_lifecycle_publisher(MarkerArray, "xpdr/markers", TELEMETRY)
        self._markers = TrackMarkers(node.bot)
        node.add_timer(PERIOD, self.publish)

    def publish(self) -> None:
        """Publish the picture of now."""
        wanted = self._worlds.get_subscription_count(), self._arrays.get_subscription_count()
        if not (self._node.clock_runs and any(wanted)):
            return
        now = self._node.seconds()
        frame, framed = self._newest()
        own = self._motion.at(now)
        made = world(
            frame,
            self._motion,
            now,
            self._vehicle,
            body=self._node.bot,
            radar_age=now - framed if math.isfinite(framed) else math.nan,
            bodies=self._neighbours.bodies.known(own, now),
            alerts=self._node.guard.alerts,
        )
        if wanted[0]:
            self._worlds.publish(world_message(made))
        if wanted[1]:
            self._arrays.publish(self._markers.update(made))


def world_message(made: World) -> Message:
    """The message of a world model."""
    message = Message(body=made.body, radar_age=made.radar_age)
    message.header.stamp, message.header.frame_id = stamps.from_seconds(made.time), "world"
    p, q, v = message.pose.position, message.pose.orientation, message.velocity
    unknown = (math.nan,) * 4
    p.x, p.y, p.z = unknown[:3] if made.own is None else made.own.position.tolist()
    q.x, q.y, q.z, q.w = unknown if made.own is None else Rotation.from_matrix(made.own.axes).as_quat().tolist()
    v.x, v.y, v.z = unknown[:3] if made.own is None else made.own.velocity.tolist()
    message.tracks = [messages.track_message(one.track, made.time) for one in made.tracks]
    message.cpa_sigma = [one.cpa_sigma for one in made.tracks]
    message.cpa_time_sigma = [one.cpa_time_sigma for one in made.tracks]
    message.partners = [one.partner for one in made.tracks]
    message.bodies = [one.name for one in made.bodies]
    message.kinds = [RadarTrack.STATION if one.station else RadarTrack.DRONE for one in made.bodies]
    message.positions = [messages.point(one.position) for one in made.bodies]
    message.docked = [one.docked for one in made.bodies]
    message.body_ages = [one.age for one in made.bodies]
    message.alerts = [messages.alert_message(alert, made.body) for alert in made.alerts]
    message.alert_ages = list(made.alert_ages)
    return message
