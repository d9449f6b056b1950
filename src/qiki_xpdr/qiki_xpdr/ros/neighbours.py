"""Docking states of all bodies, found by the names of their topics, and sights of the own port cameras."""

from functools import partial
from typing import Any, Final

import numpy as np

from qiki_msgs.msg import DockingState, DockSensor, PortOffer
from qiki_node import stamps
from qiki_node.qos import STATE, TELEMETRY
from qiki_vehicle import Vehicle
from qiki_vehicle.pose import Pose
from qiki_xpdr.bodies import Bodies, Dock, Port
from qiki_xpdr.geometry import Floats, Own
from qiki_xpdr.own_motion import OwnMotion
from qiki_xpdr.ros.host import Host
from qiki_xpdr.ros.metrics import Metrics

_TYPE: Final = "qiki_msgs/msg/DockingState"
_HELD: Final = (DockingState.SOFT_DOCK, DockingState.HARD_DOCK, DockingState.BRIDGE)
_MOST: Final = 64
"""Bodies that are followed: names of topics are not under the own control."""
_AHEAD: Final = 0.5
"""s by which a stamp may be ahead of the own clock."""


class Neighbours:
    """Subscriptions to `/<body>/docking` of all bodies, and to `dock/sensor`.

    Attributes:
        bodies: what follows from them.
    """

    def __init__(self, node: Host, bot: str, vehicle: Vehicle, motion: OwnMotion, metrics: Metrics) -> None:
        self._node, self._motion, self._metrics = node, motion, metrics
        self._bot, self._forget = bot, vehicle.tracking.dead
        self._followed: set[str] = set()
        self._moving: set[str] = set()
        self.begin_again()
        node.create_subscription(DockSensor, "dock/sensor", self._take_sensor, TELEMETRY)
        self.look()
        node.add_timer(1.0, self.look)

    def begin_again(self) -> None:
        """Forget all, as after a reset of the world."""
        self.bodies = Bodies(self._bot, self._forget)

    def look(self) -> None:
        """Subscribe to what has appeared."""
        present = [(topic.split("/"), topic, types) for topic, types in self._node.get_topic_names_and_types()]
        self._moving = {parts[1] for parts, *_ in present if parts[2:] == ["odom"]}
        for parts, topic, types in present:
            body = parts[1]
            if parts[2:] != ["docking"] or _TYPE not in types or body in self._followed:
                continue
            if len(self._followed) == _MOST:
                self._refuse("docking", ValueError(f"{topic}: {_MOST} bodies are followed; allowed: {_MOST}"))
                continue
            self._followed.add(body)
            self._node.create_subscription(DockingState, topic, partial(self._take_docking, body), STATE)

    def docked(self, own: Own, now: float) -> dict[str, Floats]:
        """(3,) m, in world, of each body of the own assembly but the own one."""
        return {name: own.position + own.axes @ pose.position for name, pose in self.bodies.assembly(now).items()}

    def _take_docking(self, body: str, message: Any) -> None:
        if not self._node.clock_runs:
            return
        try:
            if message.body != body:
                raise ValueError(f"body: {message.body!r}; allowed: {body!r}, as the topic's")
            dock = dock_of(message, station=body not in self._moving)
            if dock.stamp > self._node.seconds() + _AHEAD:
                raise ValueError(f"stamp: {dock.stamp} s; allowed: not ahead of the clock")
        except ValueError as error:
            self._refuse("docking", error)
            return
        self.bodies.take(dock)

    def _take_sensor(self, message: Any) -> None:
        stamp = stamps.seconds(message.header.stamp)
        own = self._motion.at(stamp)
        if own is None:
            return
        for sight in message.sights:
            p, q = sight.pose.position, sight.pose.orientation
            pose = Pose(np.array((p.x, p.y, p.z)), np.array((q.x, q.y, q.z, q.w)))
            try:
                self.bodies.see(sight.target, sight.target_port, pose, own, stamp)
            except ValueError as error:
                self._refuse("dock/sensor", error)

    def _refuse(self, topic: str, error: ValueError) -> None:
        self._metrics.refuse(topic, "message")
        self._node.log.warning(f"{topic} refused", throttle=1.0, reason=str(error))


def dock_of(message: DockingState, *, station: bool) -> Dock:
    """Docking of a body.

    Raises:
        ValueError: naming field, value and what is allowed.
    """
    held = message.phase in _HELD
    return Dock(
        body=message.body,
        stamp=stamps.seconds(message.header.stamp),
        ports={offer.port: _port(offer) for offer in message.offers},
        partner=message.partner if held else "",
        own_port=message.own_port,
        partner_port=message.partner_port,
        station=station,
    )


def _port(offer: PortOffer) -> Port:
    p, a = offer.position, offer.axis
    return Port((p.x, p.y, p.z), (a.x, a.y, a.z), offer.holder if offer.phase in _HELD else "")
