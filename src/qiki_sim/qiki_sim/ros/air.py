"""Radar and radio topics of one bot: `radar/frame` and `rf/rx` out, `rf/tx` in."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from qiki_msgs.msg import RadarDetection, RadarFrame, RfReception, RfTransmit
from qiki_node.qos import RADIO, TELEMETRY
from qiki_node.stamps import set_nanoseconds
from qiki_sim.air.radio import Reception, Transmission
from qiki_sim.frames import base_link

if TYPE_CHECKING:
    from collections.abc import Callable

    from rclpy.node import Node

    from qiki_sim.air.radar import RadarReading
    from qiki_sim.world import World


def fill_frame(message: RadarFrame, reading: RadarReading) -> None:
    """Put a radar frame into a message."""
    message.number = reading.number
    message.range_max = reading.range_max
    message.detections = [
        RadarDetection(range=distance, bearing=bearing, elevation=elevation, radial_velocity=rate, snr=snr)
        for distance, bearing, elevation, rate, snr in reading.detections.tolist()
    ]


def fill_reception(message: RfReception, reception: Reception) -> None:
    """Put a reception into a message."""
    set_nanoseconds(message.header.stamp, reception.time)
    message.number = reception.number
    message.frame = array("B", reception.frame)
    message.strength = reception.strength
    message.bearing, message.elevation = reception.bearing, reception.elevation
    message.round_trip = reception.round_trip


class AirChannel:
    """Publishers and the subscription of the radar and the radio of one bot, under `/<bot>/`.

    Args:
        on_transmission: called with each transmission and the name of its bot.
    """

    def __init__(self, node: Node, bot: str, on_transmission: Callable[[str, Transmission], None]) -> None:
        self._node, self._bot, self._on_transmission = node, bot, on_transmission
        self._frame, self._reception = RadarFrame(), RfReception()
        for message in (self._frame, self._reception):
            message.header.frame_id = base_link(bot)
        self._radar = node.create_publisher(RadarFrame, f"/{bot}/radar/frame", TELEMETRY)
        self._receptions = node.create_publisher(RfReception, f"/{bot}/rf/rx", RADIO)
        self._transmissions: Any = node.create_subscription(RfTransmit, f"/{bot}/rf/tx", self._take, RADIO)

    def bind(self, world: World) -> None:
        """Begin with a world, or with the same one after a reset."""
        self._period_us = round(1e6 / world.bot(self._bot).vehicle.radar.rate)
        self._due_us = world.time_us

    def publish(self, world: World, stamp: int) -> None:
        """Publish what has arrived, and the radar frame that is due at the world's time. `stamp`: ns."""
        for reception in world.take_receptions(self._bot):
            fill_reception(self._reception, reception)
            self._receptions.publish(self._reception)
        if world.time_us < self._due_us:
            return
        self._due_us = max(self._due_us + self._period_us, world.time_us + 1)
        if not self._radar.get_subscription_count():
            return
        reading = world.radar(self._bot)
        if reading is not None:
            fill_frame(self._frame, reading)
            set_nanoseconds(self._frame.header.stamp, stamp)
            self._radar.publish(self._frame)

    def close(self) -> None:
        self._node.destroy_publisher(self._radar)
        self._node.destroy_publisher(self._receptions)
        self._node.destroy_subscription(self._transmissions)

    def _take(self, message: RfTransmit) -> None:
        frame = bytes(bytearray(message.frame))
        self._on_transmission(self._bot, Transmission(frame, message.eirp, message.answers))
