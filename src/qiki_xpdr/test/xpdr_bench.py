"""The node of alpha in lockstep: clock, odometry, radar and radio are here, as are the bodies around."""

import math
import time

import numpy as np
from air import VEHICLE
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import GetParameters
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sky import frame

from qiki_msgs.msg import (
    Energy,
    GuardState,
    RadarDetection,
    RadarFrame,
    RadarTracks,
    RfReception,
    RfTransmit,
    XpdrState,
)
from qiki_node import stamps
from qiki_node.executor import spin_until
from qiki_node.qos import RADIO, STATE, TELEMETRY
from qiki_node.testing import PATIENCE
from qiki_xpdr import Motion
from qiki_xpdr.channels import free_space_loss
from qiki_xpdr.geometry import AT_ORIGIN, Lines, spherical

NODE = "/alpha/xpdr"
STEP = 0.1  # s
FRAME = "alpha/base_link"
FIELDS = ("range", "bearing", "elevation", "radial_velocity", "snr")


class Bench:
    """Alpha at rest in the origin.

    Attributes:
        bodies: (place, transponder or None), at rest. tracks, states, guards, sent: messages of the node.
    """

    def __init__(self, peer, seed=1):
        self.peer, self.rng, node = peer, np.random.default_rng(seed), peer.node
        self.now, self.number, self.bodies = 100.0, 0, []
        self.tracks, self.states, self.guards, self.sent, self._fresh = [], [], [], [], []
        self.clock = node.create_publisher(Clock, "/clock", QoSProfile(depth=10))
        self.odom = node.create_publisher(Odometry, "/alpha/odom", TELEMETRY)
        self.energy = node.create_publisher(Energy, "/alpha/energy", TELEMETRY)
        self.radar = node.create_publisher(RadarFrame, "/alpha/radar/frame", TELEMETRY)
        self.radio = node.create_publisher(RfReception, "/alpha/rf/rx", RADIO)
        node.create_subscription(RadarTracks, "/alpha/tracks", self.tracks.append, TELEMETRY)
        node.create_subscription(XpdrState, "/alpha/xpdr", self.states.append, STATE)
        node.create_subscription(GuardState, "/alpha/guard", self.guards.append, STATE)
        node.create_subscription(RfTransmit, "/alpha/rf/tx", self._take, RADIO)
        self._greeter = node.create_client(GetParameters, f"{NODE}/get_parameters")
        peer.wait_until_active(NODE)
        peer.spin_until(self._greeter.service_is_ready)
        for publisher in (self.clock, self.odom, self.energy, self.radar, self.radio):
            peer.spin_until(lambda publisher=publisher: publisher.get_subscription_count() >= 1)
        peer.meet(f"{NODE}/set_mode")

    def _take(self, message):
        self.sent.append(message)
        self._fresh.append(message)

    def settle(self):
        """Wait until the node has taken what was sent, in the order of its executor's queue."""
        for _ in range(2):
            answer, end = self._greeter.call_async(GetParameters.Request()), time.monotonic() + PATIENCE
            while not spin_until(self.peer.executor, answer, 1.0):
                assert time.monotonic() < end, "the node does not answer"

    def stamp(self, message, stamp=None):
        stamps.set_nanoseconds(message.header.stamp, round((self.now if stamp is None else stamp) * 1e9))
        return message

    def tick(self):
        self.now = round(self.now + STEP, 6)
        clock = Clock()
        stamps.set_nanoseconds(clock.clock, round(self.now * 1e9))
        self.clock.publish(clock)
        odometry = self.stamp(Odometry())
        odometry.pose.pose.orientation.w = 1.0
        self.odom.publish(odometry)
        self.settle()

    def frame_message(self, rows, frame_id=FRAME):
        message = self.stamp(RadarFrame(range_max=20000.0))
        message.header.frame_id = frame_id
        message.detections = [RadarDetection(**dict(zip(FIELDS, map(float, row), strict=True))) for row in rows]
        return message

    def receive(self, content, place, answers=False):
        """A radio frame that comes from a place; its number."""
        lines = Lines.to(np.array([place], dtype=float), np.zeros((1, 3)), AT_ORIGIN)
        noise = self.rng.normal(size=2) * VEHICLE.radio.direction
        signal = lines.sight[0] + noise[0] * lines.east[0] + noise[1] * lines.up[0]
        _, bearing, elevation = spherical(signal)
        distance = float(lines.range[0])
        loss = float(free_space_loss(np.array(distance), VEHICLE.radio.frequency))
        self.number += 1
        message = self.stamp(RfReception(number=self.number, frame=content))
        message.bearing, message.elevation = float(bearing), float(elevation)
        message.strength = VEHICLE.transponder.eirp - loss + self.rng.normal() * VEHICLE.radio.strength
        message.round_trip = 2.0 * distance / 299_792_458.0 if answers else math.nan
        self.radio.publish(message)
        return self.number

    @staticmethod
    def motion(place):
        return Motion(place, (0.0, 0.0, 0.0))

    def step(self, more=()):
        """One radar frame with the claims of all bodies; bodies answer what the node has sent. more: detections."""
        self.tick()
        fresh, self._fresh = self._fresh, []
        for place, xpdr in self.bodies:
            if xpdr is None:
                continue
            for content in xpdr.frames(self.motion(place), self.now):
                self.receive(content, place)
            for message in fresh:
                answer, _ = xpdr.answer(bytes(message.frame), self.now)
                if answer is not None:
                    self.receive(answer, place, answers=True)
        self.settle()
        places = np.array([place for place, _ in self.bodies], dtype=float).reshape(-1, 3)
        rows, _ = frame(self.rng, places, np.zeros_like(places))
        self.radar.publish(self.frame_message([*rows, *more]))
        # Tracks are telemetry, which may be lost: nothing waits for those of a certain frame.
        self.settle()
        return self

    def run(self, until, limit=8.0, more=tuple):
        """Steps until a condition holds. more: makes the further detections of a step."""
        end = self.now + limit
        while not until():
            assert self.now < end, (self.tracks[-1:], self.guards[-1:], self.states[-1:])
            self.step(more())
        return self

    def track(self, place):
        """The confirmed track at a place; None: there is none."""
        near = [
            one
            for one in (self.tracks[-1].tracks if self.tracks else [])
            if one.status in (2, 4)
            and math.dist((one.position.x, one.position.y, one.position.z), place) < 0.1 * math.hypot(*place)
        ]
        return near[0] if near else None
