"""Payloads of events as a store keeps them; the types themselves are tested in qiki_events."""

import json
import uuid

import pytest

import qiki_events
from qiki_events import JSON, PROTOBUF, REGISTRY
from qiki_events.proto.allocator_pb2 import GateChanged, ModeChanged
from qiki_eventstore import Event, EventStore, PayloadError, RecordedEvent
from qiki_eventstore.events import Encoded
from qiki_eventstore.preparation import prepare

MODE = {"mode": "AUTO", "before": "ADAPTIVE"}


def stored(event: Event) -> RecordedEvent:
    """As a store would hold it."""
    [(_, _, data, _, kind)] = prepare("alpha/allocator", [event])
    return RecordedEvent(
        position=1,
        stream="alpha/allocator",
        version=0,
        id=uuid.UUID(int=1),
        type=event.type,
        source="",
        time=0,
        recorded=0,
        correlation=None,
        causation=None,
        schema_version=event.schema_version,
        content_type=kind[5],
        payload=data,
    )


@pytest.mark.requirement("EVENT-1b")
def test_bytes_of_json_are_kept_as_they_are() -> None:
    spelled = b'{ "b" :1e0,\n"a":"\\u00e9" }'
    assert stored(Event("nobody.knows", Encoded(JSON, spelled))).payload == spelled
    spelled = b'{ "mode" : "AUTO" }'
    event = stored(Event("allocator.mode_changed", Encoded(JSON, spelled)))
    assert (event.content_type, event.payload) == (JSON, spelled)
    assert event.data == {"mode": "AUTO", "before": "UNKNOWN"}


def test_protobuf_of_an_unknown_type_reads_as_its_bytes() -> None:
    event = stored(Event("nobody.knows", Encoded(PROTOBUF, b"\x01\x02")))
    assert event.data == {"base64": "AQI="}
    with pytest.raises(qiki_events.PayloadError, match=r"nobody\.knows.*not registered"):
        REGISTRY.message(event.type, event.schema_version, event.content_type, event.payload)


@pytest.mark.requirement("EVENT-1b")
def test_a_mapping_of_a_known_type_becomes_its_message() -> None:
    event = stored(Event("allocator.mode_changed", MODE))
    assert event.content_type == PROTOBUF
    message = REGISTRY.message(event.type, event.schema_version, event.content_type, event.payload)
    assert isinstance(message, ModeChanged)
    assert event.data == MODE


@pytest.mark.parametrize(
    ("event", "names"),
    [
        (Event("allocator.mode_changed", GateChanged()), ["GateChanged", "ModeChanged"]),
        (Event("allocator.mode_changed", {"mode": "auto"}), ["mode", "'auto'"]),
        (Event("allocator.mode_changed", Encoded(JSON, b'{"mode": 7}')), ["mode", "7"]),
        (Event("allocator.mode_changed", Encoded(PROTOBUF, b"\xff")), ["ModeChanged"]),
        (Event("nobody.knows", {"x": float("nan")}), ["nobody.knows", "JSON"]),
        (Event("nobody.knows", {"x": {1, 2}}), ["nobody.knows", "JSON"]),
        (Event("nobody.knows", {"x": "\ud800"}), ["nobody.knows", "JSON"]),
        (Event("nobody.knows", Encoded(JSON, b"[1]")), ["nobody.knows", "object"]),
        (Event("nobody.knows", Encoded(JSON, b"{")), ["nobody.knows", "not JSON"]),
        (Event("nobody.knows", Encoded(JSON, b'{"x": NaN}')), ["nobody.knows", "NaN"]),
        (Event("nobody.knows", Encoded("text/plain", b"x")), ["text/plain", JSON, PROTOBUF]),
    ],
)
def test_what_its_type_does_not_allow_is_refused(event: Event, names: list[str]) -> None:
    with pytest.raises(PayloadError) as refused:
        prepare("alpha/allocator", [event])
    for name in names:
        assert name in str(refused.value)


@pytest.mark.requirement("EVENT-6a")
def test_what_a_later_program_wrote_passes_in_and_out_as_bytes() -> None:
    for data in (Encoded(PROTOBUF, b"\xff\xfe"), Encoded(JSON, b'{"later": 1}'), {"later": 1}):
        event = stored(Event("allocator.mode_changed", data, schema_version=9))
        if isinstance(data, Encoded):
            assert event.payload == data.payload
        with pytest.raises(PayloadError, match=r"version 9, known are 1 to 1"):
            _ = event.data


def test_a_store_gives_back_what_was_appended(store: EventStore) -> None:
    unknown = {"any": ["thing", 1, None]}
    store.append("alpha/allocator", [Event("allocator.mode_changed", MODE), Event("nobody.knows", unknown)])
    known, other = store.read("alpha/allocator")
    assert (known.content_type, known.data) == (PROTOBUF, MODE)
    assert (other.content_type, json.loads(other.payload), other.data) == (JSON, unknown, unknown)
    with pytest.raises(PayloadError, match="'auto'"):
        store.append(
            "alpha/allocator", [Event("nobody.knows", unknown), Event("allocator.mode_changed", {"mode": "auto"})]
        )
    assert store.version("alpha/allocator") == 1
