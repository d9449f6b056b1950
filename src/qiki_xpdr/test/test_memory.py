"""State before a restart: modes, numbers of tracks, alerts that were interrupted."""

from array import array
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_events import REGISTRY
from qiki_msgs.msg import Event
from qiki_msgs.srv import QueryEvents
from qiki_node import stamps
from qiki_xpdr import GuardMode, Mode
from qiki_xpdr.numbers import BLOCK, Numbers, by_clock
from qiki_xpdr.ros.memory import Memory, OpenAlert
from qiki_xpdr.ros.recall import TRACKLESS, Recall

pytestmark = pytest.mark.requirement("XPDR-64")


def changed(to, position, at=40.0):
    payload = {"from": "OFF", "to": to, "effective_from": "OFF", "effective": to}
    payload |= {"user": "operator", "reason": "traffic", "cause": "ORDER"}
    return event("xpdr.mode_changed", payload, position, at)


def guard(to, position):
    return event("guard.mode_changed", {"from": "ACTIVE", "to": to, "user": "operator", "reason": "drill"}, position)


def reserved(until, position):
    return event("track.numbers_reserved", {"first": until - BLOCK, "until": until}, position)


def alert(track, position, at=40.0):
    payload = {"rule": "SPOOFING_DETECTED", "severity": "critical", "track": track, "identity": "ALLY-1A2B3C"}
    payload |= {"iff": "FOE", "spoof": "SPOOF", "range": 400.0, "closing": 0.0, "quality": 1.0, "effect": True}
    return event("guard.alert_raised", payload, position, at)


def over(track, position):
    payload = {"rule": "SPOOFING_DETECTED", "track": track, "seconds": 3.0, "cause": "over"}
    return event("guard.alert_ended", payload, position)


def event(type, payload, position, at=40.0):
    content_type, content = REGISTRY.encode(type, payload)
    message = Event(type=type, position=position, schema_version=1, content_type=content_type)
    message.time, message.payload = stamps.from_seconds(at), array("B", content)
    return message


def begun(position):
    return event("simulator.reset", {"scenario": "station", "seed": 1}, position, 1.0)


class Store:
    """Event store that answers at once, with the newest events of each query; or is not there."""

    def __init__(self, *events, there=True):
        self.events, self.service_is_ready, self.asked = events, lambda: there, 0

    def call_async(self, request):
        self.asked += 1
        kept = [one for one in self.events if one.type in request.types]
        response = QueryEvents.Response(
            success=True, events=sorted(kept, key=lambda one: -one.position)[: request.limit]
        )
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
        ([changed("SPOOF", 7)], 50.0, Mode.SPOOF),
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
def test_an_event_that_cannot_be_read_is_lost_by_itself(spoilt):
    found = memory(Store(spoilt(changed("SILENT", 7)), guard("PASSIVE", 8), reserved(20_001, 9))).look(settled=True)
    assert (found.mode, found.guard, found.number) == (None, GuardMode.PASSIVE, 20_001)
    assert "xpdr.mode_changed" in found.lost[0]


def test_guard_mode_numbers_and_open_alerts_of_this_world_come_back():
    events = [
        alert(4, 2),
        begun(3),
        alert(5, 4, at=30.0),
        alert(6, 5),
        over(6, 6),
        guard("OFF", 7),
        reserved(10_001, 8),
    ]
    found = memory(Store(*events, guard("OFF", 7), reserved(10_001, 8), guard("PASSIVE", 9))).look(settled=True)
    assert (found.guard, found.number) == (GuardMode.PASSIVE, 10_001)
    assert found.alerts == (OpenAlert("SPOOFING_DETECTED", 5, 30.0),)


class Node:
    """A node with a transponder in a mode, that notes what is emitted."""

    def __init__(self, mode=Mode.OFF):
        self.emitted, self.warned, self.orders = [], [], []
        self.events = SimpleNamespace(values=lambda: {"queued": 0})
        self.log = SimpleNamespace(
            info=lambda *_, **__: None, error=lambda *_, **__: None, warning=lambda text, **_: self.warned.append(text)
        )
        self.transponder = SimpleNamespace(mode=mode, set_mode=lambda *order: self.orders.append(order[0]))
        self.guard = SimpleNamespace(modes=[], set_mode=lambda mode, _: self.guard.modes.append(mode))

    def seconds(self):
        return 50.0

    def emit(self, type, payload):
        REGISTRY.encode(type, payload)
        self.emitted.append((type, payload))

    def report(self):
        pass


def recalled(*events, node=None, there=True, ordered=(), at=0.0):
    node, now = node or Node(), [0.0]
    node.create_client = lambda *_: Store(*events, there=there)
    recall = Recall(node, Memory(node, "alpha/xpdr", 10.0, lambda: now[0]), lambda: now[0])
    for kind in ordered:
        recall.ordered(kind)
    recall.look()
    if at:
        now[0] = at
        recall.look()
    return node, recall


def test_an_alert_that_a_restart_interrupts_ends_with_that_cause():
    node, recall = recalled(alert(5, 4, at=30.0), reserved(10_001, 8), guard("PASSIVE", 9), changed("ON", 10))
    assert recall.first == 10_001
    ended = {"rule": "SPOOFING_DETECTED", "track": 5, "seconds": 20.0, "cause": "restart"}
    assert node.emitted == [("guard.alert_ended", ended)]
    assert (node.orders, node.guard.modes) == ([Mode.ON], [GuardMode.PASSIVE])
    recall.look()
    assert len(node.emitted) == 1


@pytest.mark.parametrize("begins", [Mode.OFF, Mode.ON])
def test_spoof_ends_with_the_process_with_a_warning_and_an_event(begins):
    node, _ = recalled(changed("SPOOF", 7), node=Node(begins))
    assert node.orders == [Mode.OFF]
    assert any("SPOOF" in text for text in node.warned)
    # Of a transponder that begins in another mode the order itself is the event.
    assert [payload["to"] for type, payload in node.emitted if type == "xpdr.mode_changed"] == ["OFF"] * (begins == 0)


def test_an_order_that_comes_first_counts():
    node, _ = recalled(changed("ON", 7), guard("OFF", 8), ordered=("mode", "guard"))
    assert (node.orders, node.guard.modes) == ([], [])


def test_tracks_wait_for_their_numbers_but_not_for_long():
    assert recalled(there=False, at=TRACKLESS - 0.1)[1].first is None
    node, recall = recalled(there=False, at=TRACKLESS)
    assert recall.first == by_clock(50.0)
    assert node.warned
    assert recalled()[1].first == 1


@given(st.integers(1, 10**9), st.lists(st.integers(0, BLOCK // 2), max_size=30))
def test_each_number_is_reserved_before_it_is_used(first, begun):
    numbers, next, until = Numbers(first), first, first
    for count in begun:
        if (block := numbers.reserve(next)) is not None:
            assert block.payload["first"] == until
            until = block.payload["until"]
        next += count
        assert next <= until
