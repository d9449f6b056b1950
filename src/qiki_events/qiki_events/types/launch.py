"""Events of the launch runner: stream `qiki/launch`."""

from typing import Final

from qiki_events.proto import launch_pb2 as proto
from qiki_events.registry import Schema

SCHEMAS: Final = (
    Schema("launch.node_died", (proto.NodeDied,), stream="qiki/launch", when="a node ended without an order"),
    Schema("launch.node_started", (proto.NodeStarted,), stream="qiki/launch", when="each start of a node"),
    Schema("launch.node_stopped", (proto.NodeStopped,), stream="qiki/launch", when="a node ended by order"),
    Schema("launch.started", (proto.LaunchStarted,), stream="qiki/launch", when="the run begins"),
    Schema("launch.stopped", (proto.LaunchStopped,), stream="qiki/launch", when="the run ended"),
)
