"""Every projection of QIKI, rebuilt by a store of every engine."""

from collections.abc import Iterable
from typing import Any

import pytest

from qiki_events import Projection
from qiki_events.projections import PROJECTIONS
from qiki_eventstore import AtVersion, Event, EventStore, RecordedEvent


def fold(projection: Projection[Any], events: Iterable[RecordedEvent]) -> Any:
    state = projection.initial()
    for event in events:
        state = projection.apply(state, event, event.data)
    return state


@pytest.mark.requirement("EVENT-9")
def test_a_store_rebuilds_every_projection_from_zero_and_from_a_snapshot_alike(store: EventStore) -> None:
    events = [
        event
        for second in range(40)
        for event in (
            Event("energy.sampled", {"energy_used_j": 10.0 * second, "impulse_n_s": 2.0 * second}, time=second),
            Event("allocator.gate_changed", {"gate": ("BOOST", "HOLD")[second % 2], "warning": False}, time=second),
            Event("operator.command_issued", {"command_id": f"c{second}"}, time=second),
            Event("command.executed", {"command_id": f"c{second // 2}"}, time=second),
            Event("bridge.role_changed", {"role": ("SINK", "SOURCE")[second % 2], "before": "RELAY"}, time=second),
        )
    ]
    stream = "alpha/everything"
    for event in events[: len(events) // 2]:
        store.append(stream, [event])
    for projection in PROJECTIONS.values():
        store.snapshot(projection, stream)
    for event in events[len(events) // 2 :]:
        store.append(stream, [event])
    for projection in PROJECTIONS.values():
        from_zero = fold(projection, store.read(stream))
        assert store.reconstruct(projection, stream) == from_zero != projection.initial()
        assert store.reconstruct(projection, stream, AtVersion(7)) == fold(projection, store.read(stream, 0, 8))
