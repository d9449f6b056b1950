"""Event store: nothing acknowledged is ever lost, and any past state can be rebuilt."""

from qiki_events import Projection
from qiki_eventstore.errors import (
    EventStoreError,
    PayloadError,
    StoreCorrupt,
    StoreFull,
    StoreUnavailable,
    VersionConflict,
)
from qiki_eventstore.events import (
    ANY,
    NO_STREAM,
    AtPosition,
    AtRecorded,
    AtTime,
    AtVersion,
    Encoded,
    Event,
    Moment,
    RecordedEvent,
)
from qiki_eventstore.opening import open_store
from qiki_eventstore.receipt import Receipt
from qiki_eventstore.store import Delivery, EventStore, Query, Stats, Subscription, Verification

__all__ = [
    "ANY",
    "NO_STREAM",
    "AtPosition",
    "AtRecorded",
    "AtTime",
    "AtVersion",
    "Delivery",
    "Encoded",
    "Event",
    "EventStore",
    "EventStoreError",
    "Moment",
    "PayloadError",
    "Projection",
    "Query",
    "Receipt",
    "RecordedEvent",
    "Stats",
    "StoreCorrupt",
    "StoreFull",
    "StoreUnavailable",
    "Subscription",
    "Verification",
    "VersionConflict",
    "open_store",
]
