"""Event store: nothing acknowledged is ever lost, and any past state can be rebuilt.

    with open_store("sqlite:///events.db") as store:
        store.append("alpha/allocator", [Event("allocator.mode_changed", {"mode": "AUTO", "before": "ADAPTIVE"})])

The projections of QIKI are `qiki_events.projections.PROJECTIONS`; a state at a moment is
`store.reconstruct(PROJECTIONS["bot"], "alpha/*", AtTime(83_200_000_000))`. `GraphStore`, the store of a running graph,
needs ROS, and is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qiki_events import Projection
from qiki_eventstore.aio import AsyncEventStore, AsyncSubscription
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
from qiki_eventstore.state_store import AsyncStateStore, StateChange, StateHealth, StateMetrics, StoredState
from qiki_eventstore.store import Delivery, EventStore, Query, Stats, Subscription, Verification

if TYPE_CHECKING:
    from qiki_eventstore.ros.graph_store import GraphStore

__all__ = [
    "ANY",
    "NO_STREAM",
    "AsyncEventStore",
    "AsyncStateStore",
    "AsyncSubscription",
    "AtPosition",
    "AtRecorded",
    "AtTime",
    "AtVersion",
    "Delivery",
    "Encoded",
    "Event",
    "EventStore",
    "EventStoreError",
    "GraphStore",
    "Moment",
    "PayloadError",
    "Projection",
    "Query",
    "Receipt",
    "RecordedEvent",
    "StateChange",
    "StateHealth",
    "StateMetrics",
    "Stats",
    "StoreCorrupt",
    "StoreFull",
    "StoreUnavailable",
    "StoredState",
    "Subscription",
    "Verification",
    "VersionConflict",
    "open_store",
]


def __getattr__(name: str) -> Any:
    if name == "GraphStore":
        return import_module("qiki_eventstore.ros.graph_store").GraphStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
