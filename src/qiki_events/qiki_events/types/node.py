"""Events of every node, in its own stream."""

from typing import Final

from qiki_events.proto import node_pb2 as proto
from qiki_events.registry import Schema

SCHEMAS: Final = (
    Schema(
        "node.state_restored",
        (proto.NodeStateRestored,),
        stream="that of the node",
        when="a node that was started again took the lifecycle state that a client had ordered before",
    ),
)
