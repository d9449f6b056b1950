"""Events that follow from others carry their ids, from the emitting nodes to the store."""

import time
from collections.abc import Callable

import pytest

from qiki_eventstore import RecordedEvent, open_store
from qiki_eventstore.payload import decode
from qiki_msgs.msg import Allocation
from qiki_msgs.srv import InjectFault, SetAllocatorMode
from qiki_node.testing import PATIENCE

pytestmark = pytest.mark.realtime

CAUSES = {
    "simulator.fault_cleared": "simulator.fault_injected",
    "allocator.armed": "allocator.mode_changed",
    "allocator.disarmed": "allocator.mode_changed",
}


def test_what_follows_from_an_event_carries_its_id(graph, peer) -> None:
    dead = InjectFault.Request(
        bot="alpha", kind=InjectFault.Request.KIND_THRUSTER_STUCK_CLOSED, target="3", duration=0.5
    )
    assert peer.call(InjectFault, "/qiki/sim/inject_fault", dead, repeatable=False).success
    for request in (
        SetAllocatorMode.Request(mode=Allocation.MODE_MANUAL_OVERRIDE, arm=True),
        SetAllocatorMode.Request(mode=Allocation.MODE_ADAPTIVE),
    ):
        assert peer.call(SetAllocatorMode, "/alpha/allocator/set_mode", request).success

    events = stored(graph, lambda found: {event.type for event in found} >= CAUSES.keys())
    types = {str(event.id): event.type for event in events}
    for event in events:
        if event.type in CAUSES:
            assert event.causation is not None, event
            assert types[event.causation] == CAUSES[event.type]
        elif event.type in CAUSES.values():
            assert event.causation is None
    injected, cleared = (only(events, f"simulator.fault_{what}") for what in ("injected", "cleared"))
    assert decode(injected)["target"] == decode(cleared)["target"]
    assert injected.position < cleared.position
    assert cleared.causation == str(injected.id)


def stored(graph, condition: Callable[[list[RecordedEvent]], bool]) -> list[RecordedEvent]:
    """Alpha's events, once the condition holds for them."""
    end = time.monotonic() + PATIENCE
    while True:
        with open_store(f"sqlite:///{graph.run_dir}/events/events.db?mode=ro") as store:
            events = [event for event in store.read_all() if event.stream.startswith("alpha/")]
        if condition(events):
            return events
        assert time.monotonic() < end, sorted({event.type for event in events})
        time.sleep(0.1)


def only(events: list[RecordedEvent], type: str) -> RecordedEvent:
    (found,) = [event for event in events if event.type == type]
    return found
