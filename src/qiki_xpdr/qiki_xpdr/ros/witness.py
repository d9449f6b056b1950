"""Sightings between bots: own ones out, those of others in."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np

from qiki_msgs.msg import Sighting as Message
from qiki_node import stamps
from qiki_node.qos import RADIO
from qiki_vehicle import Vehicle
from qiki_vehicle.keys import GroupKeys
from qiki_xpdr.modes import Mode
from qiki_xpdr.own_motion import OwnMotion
from qiki_xpdr.reasons import Reason
from qiki_xpdr.ros.host import Host
from qiki_xpdr.ros.metrics import Metrics
from qiki_xpdr.watch import Frame, Watch
from qiki_xpdr.witness import Returned, Sighting, sightings

TOPIC: Final = "/qiki/witness"
MOST: Final = 32
"""Claims of one frame that are published."""


class WitnessLink:
    """Publisher and subscription of sightings.

    Args:
        watch: the present one.
    """

    def __init__(
        self, node: Host, vehicle: Vehicle, motion: OwnMotion, watch: Callable[[], Watch], metrics: Metrics
    ) -> None:
        self._node, self._vehicle, self._motion = node, vehicle, motion
        self._watch, self._metrics = watch, metrics
        self._publisher = node.create_lifecycle_publisher(Message, TOPIC, RADIO)
        node.create_subscription(Message, TOPIC, self._take, RADIO)

    def publish(self, frame: Frame, group: GroupKeys) -> None:
        """Publish what was received with a frame: in mode ON, with a key of the group, where another bot listens."""
        key, transponder = group.newest(self._node.seconds()), self._node.transponder
        if key is None or frame.view is None or transponder.effective is not Mode.ON:
            return
        if self._publisher.get_subscription_count() < 2:
            return
        view = replace(frame.view, position=self._motion.position_sigma, turn=self._motion.turn_sigma)
        for one in sightings(frame.heard[:MOST], view, self._vehicle, identity=transponder.identity, key=key):
            self._publisher.publish(sighting_message(one))

    def _take(self, message: Any) -> None:
        if not self._node.is_active or message.witness == self._node.transponder.identity:
            return
        try:
            reason = self._watch().witnesses.take(sighting_of(message), self._node.seconds())
        except ValueError:
            reason = Reason.MALFORMED
        if not reason.verified:
            self._metrics.refuse("sighting", reason.name.lower())


def sighting_message(one: Sighting) -> Message:
    """The message of a sighting."""
    message = Message(
        witness=one.identity,
        transponder_id=one.claimed,
        claim=np.frombuffer(one.claim, dtype=np.uint8),
        position_sigma=one.position_sigma,
        direction_sigma=one.direction_sigma,
        returned=int(one.returned),
        key=np.frombuffer(one.key, dtype=np.uint8),
        proof=np.frombuffer(one.proof, dtype=np.uint8),
    )
    stamps.set_nanoseconds(message.header.stamp, one.time)
    message.header.frame_id = "world"
    for field, values in ((message.position, one.position), (message.direction, one.direction)):
        field.x, field.y, field.z = values
    return message


def sighting_of(message: Message) -> Sighting:
    """The sighting of a message.

    Raises:
        ValueError: an id or a value that none has.
    """
    p, d = message.position, message.direction
    return Sighting(
        identity=message.witness,
        claimed=message.transponder_id,
        claim=message.claim.tobytes(),
        time=stamps.nanoseconds(message.header.stamp),
        position=(p.x, p.y, p.z),
        position_sigma=message.position_sigma,
        direction=(d.x, d.y, d.z),
        direction_sigma=message.direction_sigma,
        returned=Returned(message.returned),
        key=message.key.tobytes(),
        proof=message.proof.tobytes(),
    )
