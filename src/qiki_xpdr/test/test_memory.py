"""Mode of the transponder before a restart."""

from array import array
from types import SimpleNamespace

import pytest

from qiki_events import REGISTRY
from qiki_msgs.msg import Event
from qiki_msgs.srv import QueryEvents
from qiki_node import stamps
from qiki_xpdr import Mode
from qiki_xpdr.ros.memory import Memory

pytestmark = pytest.mark.requirement("XPDR-4")


def changed(to, position, at=40.0):
    payload = {"from": "OFF", "to": to, "effective_from": "OFF", "effective": to}
    payload |= {"user": "operator", "reason": "traffic", "cause": "ORDER"}
    return event("xpdr.mode_changed", payload, position, at)


def event(type, payload, position, at):
    content_type, content = REGISTRY.encode(type, payload)
    message = Event(type=type, position=position, schema_version=1, content_type=content_type)
    message.time, message.payload = stamps.from_seconds(at), array("B", content)
    return message


def begun(position):
    return event("simulator.reset", {"scenario": "station", "seed": 1}, position, 1.0)


class Store:
    """Event store that answers at once, with one newest event of each query; or is not there."""

    def __init__(self, *events, there=True):
        self.events, self.service_is_ready, self.asked = events, lambda: there, 0

    def call_async(self, request):
        self.asked += 1
        kept = [one for one in self.events if one.type in request.types]
        response = QueryEvents.Response(success=True, events=sorted(kept, key=lambda one: -one.position)[:1])
        return SimpleNamespace(add_done_callback=lambda call: call(SimpleNamespace(result=lambda: response)))


def memory(store, now=50.0, patience=10.0):
    node = SimpleNamespace(create_client=lambda *_: store, seconds=lambda: now)
    return Memory(node, "alpha/xpdr", patience, lambda: 0.0)


@pytest.mark.parametrize(
    ("events", "now", "mode"),
    [
        ([changed("SILENT", 7), changed("ON", 5)], 50.0, Mode.SILENT),
        ([begun(3), changed("ON", 7)], 50.0, Mode.ON),
        ([changed("ON", 7), begun(9)], 50.0, None),
        ([changed("ON", 7, at=60.0)], 50.0, None),
        ([changed("SPOOF", 7)], 50.0, Mode.OFF),
        ([], 50.0, None),
    ],
)
def test_the_newest_order_of_this_world_counts(events, now, mode):
    found = memory(Store(*events), now).look(settled=True)
    assert found.mode is mode
    assert found.source


def test_it_waits_for_own_events_and_the_store_for_its_patience():
    store = Store(changed("ON", 7))
    waiting = memory(store)
    assert waiting.look(settled=False) is None
    assert store.asked == 0
    assert waiting.look(settled=True).mode is Mode.ON
    assert memory(Store(there=False)).look(settled=True) is None
    assert memory(Store(there=False), patience=0.0).look(settled=True).mode is None


def of_a_later_schema(event):
    event.schema_version = 99
    return event


def not_readable(event):
    event.payload = array("B", b"\xff\xff")
    return event


@pytest.mark.parametrize("spoilt", [of_a_later_schema, not_readable])
def test_an_event_that_cannot_be_read_is_no_mode_that_was_never_changed(spoilt):
    with pytest.raises(ValueError, match=r"xpdr\.mode_changed"):
        memory(Store(spoilt(changed("SILENT", 7)))).look(settled=True)
