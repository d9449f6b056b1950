"""Events of the launch runner: stream `qiki/launch`."""

from typing import Final

from qiki_events.proto import launch_pb2 as proto
from qiki_events.registry import Schema

SCHEMAS: Final = (
    Schema("launch.node_died", (proto.NodeDied,)),
    Schema("launch.node_started", (proto.NodeStarted,)),
    Schema("launch.node_stopped", (proto.NodeStopped,)),
    Schema("launch.started", (proto.LaunchStarted,)),
    Schema("launch.stopped", (proto.LaunchStopped,)),
)
