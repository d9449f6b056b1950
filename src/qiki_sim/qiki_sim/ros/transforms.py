"""`/tf` and `/tf_static`: places of all frames, for RViz, Foxglove and tf2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geometry_msgs.msg import TransformStamped
from tf2_msgs.msg import TFMessage

from qiki_node.qos import STATE, TRANSFORMS
from qiki_node.stamps import set_nanoseconds
from qiki_sim.frames import WORLD, base_link, bodies, fixed_frames
from qiki_sim.ros import conversions

if TYPE_CHECKING:
    from rclpy.node import Node

    from qiki_sim.world import World

ARRIVALS = 2
"""Repetitions while time stands still, after a subscriber has come: the first may precede the match on its side."""


class Transforms:
    """Publishers of the frames of a world. The true poses: without noise, also while a sensor is lost."""

    def __init__(self, node: Node, rate: float) -> None:
        """`rate`: Hz of simulated time, of `/tf`."""
        self._period_us = round(1e6 / rate)
        self._moving = node.create_publisher(TFMessage, "/tf", TRANSFORMS)
        self._fixed = node.create_publisher(TFMessage, "/tf_static", STATE)
        self._subscribers = self._arrivals = 0

    def bind(self, world: World) -> None:
        """Begin with a world, or with the same one after a reset; nothing is published yet."""
        scenario = world.scenario
        self._bodies = bodies(scenario)
        self._message = TFMessage(transforms=[_transform(WORLD, base_link(name)) for name in self._bodies])
        self._frames: TFMessage | None = TFMessage()
        for frame in fixed_frames(scenario):
            transform = _transform(frame.parent, frame.name)
            _place(transform, frame.pose)
            self._frames.transforms.append(transform)
        self._due_us = world.time_us

    def publish(self, world: World, stamp: int) -> None:
        """Publish what is due at the world's time. `stamp`: ns."""
        if self._frames is not None:
            _stamp(self._frames, stamp)
            self._fixed.publish(self._frames)
            self._frames = None
        if world.time_us < self._due_us:
            return
        self._due_us = max(self._due_us + self._period_us, world.time_us + 1)
        self._subscribers = self._moving.get_subscription_count()
        if self._subscribers:
            self._publish_moving(world, stamp)

    def repeat(self, world: World, stamp: int) -> None:
        """Publish the moving frames again for subscribers that came while time stood still.

        For them alone: tf2 warns of each transform that it has already.
        """
        count = self._moving.get_subscription_count()
        if count > self._subscribers:
            self._arrivals = ARRIVALS
        self._subscribers = count
        if self._arrivals:
            self._arrivals -= 1
            self._publish_moving(world, stamp)

    def _publish_moving(self, world: World, stamp: int) -> None:
        for name, transform in zip(self._bodies, self._message.transforms, strict=True):
            _place(transform, world.motion(name))
        _stamp(self._message, stamp)
        self._moving.publish(self._message)


def _transform(parent: str, child: str) -> TransformStamped:
    transform = TransformStamped(child_frame_id=child)
    transform.header.frame_id = parent
    return transform


def _place(transform: TransformStamped, pose: Any) -> None:
    conversions.fill_vector(transform.transform.translation, pose.position)
    conversions.fill_vector(transform.transform.rotation, pose.orientation)


def _stamp(message: TFMessage, stamp: int) -> None:
    for transform in message.transforms:
        set_nanoseconds(transform.header.stamp, stamp)
