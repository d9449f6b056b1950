"""Events of the event store about itself: stream `qiki/eventstore`, which no other emitter can write."""

from typing import Final

from qiki_events.proto import eventstore_pb2 as proto
from qiki_events.registry import Schema

_STREAM: Final = "qiki/eventstore"

SCHEMAS: Final = (
    Schema("eventstore.hold_placed", (proto.HoldPlaced,), stream=_STREAM, when="events are held from retention"),
    Schema("eventstore.hold_released", (proto.HoldReleased,), stream=_STREAM, when="a hold ended"),
    Schema("eventstore.imported", (proto.EventsImported,), stream=_STREAM, when="with the imported events"),
    Schema("eventstore.restored", (proto.StoreRestored,), stream=_STREAM, when="a backup became a store"),
    Schema(
        "eventstore.segment_dropped",
        (proto.SegmentDropped,),
        stream=_STREAM,
        when="in the transaction in which the events leave the database",
    ),
)
