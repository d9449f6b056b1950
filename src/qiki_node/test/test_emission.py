"""What `emit` takes and refuses, before anything is kept."""

import json
import uuid
from collections.abc import Iterator, Mapping
from enum import Enum, IntEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_events import JSON, PayloadError
from qiki_node.emission import outgoing
from qiki_node.outbox import OutgoingEvent
from qiki_node.spool_record import event_of, line_of
from qiki_node.stamps import LATEST

FIELDS: dict[str, Any] = {
    "stream": "alpha/node",
    "source": "/alpha/node",
    "time": 5,
    "correlation": None,
    "causation": None,
    "delivery": "audit",
    "schema_version": 1,
}


def emit(type: Any = "test.happened", payload: Any = None, **changed: Any) -> OutgoingEvent:
    return outgoing(type, {"a": 1} if payload is None else payload, **{**FIELDS, **changed})


class Hostile(Mapping[str, Any]):
    """Breaks when it is looked at."""

    def __getitem__(self, key: str) -> Any:
        raise LookupError(key)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("not now")

    def __len__(self) -> int:
        return 1

    def __repr__(self) -> str:
        raise OSError("gone")


class Endless:
    def tolist(self) -> "Endless":
        return self


def nested(levels: int, kind: type = dict) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value} if kind is dict else [value]
    return value


COMMAND = "operator.command_issued"
CIRCLE: dict[str, Any] = {}
CIRCLE["again"] = CIRCLE


@pytest.mark.requirement("EVENT-11c")
@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"correlation": uuid.UUID(int=1)}, ["correlation", "UUID('0000", "must be text"]),
        ({"correlation": 7}, ["correlation", "7", "must be text"]),
        ({"causation": b"x"}, ["causation", "b'x'", "must be text"]),
        ({"correlation": "\ud800"}, ["correlation", r"'\ud800'", "surrogate"]),
        ({"causation": "a\0b"}, ["causation", r"'a\x00b'", "control"]),
        ({"correlation": "x" * 201}, ["correlation", "201 characters", "200"]),
        ({"correlation": Hostile()}, ["correlation", "<Hostile: OSError>"]),
        ({"time": 5 * 10**19}, ["time", "50000000000000000000", str(LATEST)]),
        ({"time": LATEST + 1}, ["time", str(LATEST + 1), "0 to"]),
        ({"time": -5}, ["time", "-5", "0 to"]),
        ({"time": 1.5}, ["time", "1.5", "integer"]),
        ({"time": True}, ["time", "True", "integer"]),
        ({"time": "now"}, ["time", "'now'", "integer"]),
        ({"schema_version": -1}, ["schema_version", "-1", "1 to"]),
        ({"schema_version": 2**31}, ["schema_version", "2147483648", "1 to"]),
        ({"schema_version": "1"}, ["schema_version", "'1'", "integer"]),
        ({"type": 5}, ["type", "5", "must be text"]),
        ({"type": ["a"]}, ["type", "['a']", "must be text"]),
        ({"type": ""}, ["type", "0 characters"]),
        ({"type": "x.*"}, ["type", "'x.*'", "must not end"]),
        ({"type": "a\nb"}, ["type", r"'a\nb'", "control"]),
        ({"stream": 5}, ["stream", "5", "must be text"]),
        ({"stream": ""}, ["stream", "0 characters"]),
        ({"stream": "bad\nstream"}, ["stream", r"'bad\nstream'", "control"]),
        ({"stream": "x" * 300}, ["stream", "300 characters"]),
        ({"stream": "alpha/*"}, ["stream", "'alpha/*'", "must not end"]),
        ({"delivery": "often"}, ["delivery", "'often'", "audit, telemetry"]),
        ({"delivery": ["audit"]}, ["delivery", "['audit']", "audit, telemetry"]),
        ({"payload": [1]}, ["payload", "[1]", "mapping"]),
        ({"payload": "text"}, ["payload", "'text'", "mapping"]),
        ({"payload": 5}, ["payload", "5", "mapping"]),
        ({"payload": {"a": {1}}}, ["payload.a", "{1}", "set"]),
        ({"payload": {"a": [0, b"x"]}}, ["payload.a[1]", "b'x'", "bytes"]),
        ({"payload": {"a": object}}, ["payload.a", "type"]),
        ({"payload": {"a": np.ndarray}}, ["payload"]),
        ({"payload": {"a": 1j}}, ["payload.a", "1j", "complex"]),
        ({"payload": {1: 2}}, ["payload", "key 1", "must be text"]),
        ({"payload": {"a": {None: 2}}}, ["payload.a", "key None", "must be text"]),
        ({"payload": {"a": "\ud800"}}, ["payload.a", r"\ud800", "surrogate"]),
        ({"payload": {"\udcff": 1}}, ["payload key", r"\udcff", "surrogate"]),
        ({"payload": {"a": 2**64}}, ["payload.a", "65 bits", str(2**64 - 1)]),
        ({"payload": {"a": -(2**63) - 1}}, ["payload.a", "64 bits", str(-(2**63))]),
        ({"payload": {"a": 10**5000}}, ["payload.a", "16610 bits"]),
        ({"payload": nested(33)}, ["payload.a.a", "too deep", "32"]),
        ({"payload": {"a": nested(5000, list)}}, ["payload.a[0][0]", "too deep", "32"]),
        ({"payload": CIRCLE}, ["payload.again", "too deep", "32"]),
        ({"payload": Hostile()}, ["payload", "RuntimeError: not now"]),
        ({"payload": {"a": Hostile()}}, ["payload", "RuntimeError: not now"]),
        ({"payload": {"a": Endless()}}, ["payload.a", "Endless"]),
        ({"payload": {"a": "x" * 20_000_000}}, ["payload", "20000008 bytes", "16777216"]),
        ({"type": COMMAND, "payload": {"arguments": nested(33)}}, ["arguments.a.a", "too deep", "32"]),
        ({"type": COMMAND, "payload": {"arguments": {"n": 2**60}}}, ["arguments.n", str(2**60)]),
        ({"type": COMMAND, "payload": {"arguments": Hostile()}}, ["payload", "RuntimeError: not now"]),
        ({"type": "allocator.mode_changed", "payload": {"mode": "AUTO"}, "time": -1}, ["time", "-1"]),
    ],
)  # fmt: skip
def test_one_clear_error_names_field_and_value(changed: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(PayloadError) as refused:
        emit(**changed)
    text = str(refused.value)
    text.encode()  # a log takes it
    assert len(text) < 600
    for part in ["event", *([repr(changed["type"])] if isinstance(changed.get("type"), str) else []), *named]:
        assert part in text


class Colour(str, Enum):  # noqa: UP042 - its text is not that of its value
    RED = "red"


class Count(IntEnum):
    TWO = 2


def test_what_json_has_no_word_for_becomes_what_it_has() -> None:
    values = {
        "nan": np.nan,
        "array": np.array([[1.0, np.inf]]),
        "one": np.int32(1),
        "truth": np.bool_(True),
        "list": (1, [np.float32(0.5)]),
        "colour": Colour.RED,
        "count": Count.TWO,
        "zero": "a\0b",
        "large": 2**64 - 1,
    }
    event = emit(payload=values)
    assert event.content_type == JSON
    expected = {"nan": None, "array": [[1.0, None]], "one": 1, "truth": True, "list": [1, [0.5]], "colour": "red"}
    assert json.loads(event.payload) == {**expected, "count": 2, "zero": "a\0b", "large": 2**64 - 1}


def test_an_empty_correlation_is_none_and_a_newer_version_is_taken_as_it_is() -> None:
    payload = {"mode": "FUTURE", "since": 3}
    event = emit("allocator.mode_changed", payload, correlation="", causation="", schema_version=99)
    assert (event.correlation, event.causation, event.content_type) == (None, None, JSON)
    assert json.loads(event.payload) == payload


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=9) | st.characters()
ODD = st.sampled_from([{1}, object(), 2**70, "\ud800", np.float64("nan"), np.arange(3), 1j, uuid.UUID(int=1)])
VALUES = st.recursive(
    SCALARS | ODD,
    lambda deeper: st.lists(deeper, max_size=4) | st.dictionaries(st.text(max_size=5) | SCALARS, deeper, max_size=4),
)


@pytest.mark.requirement("EVENT-11c")
@given(
    type=st.sampled_from(["test.happened", COMMAND, "energy.sampled"]) | VALUES,
    payload=st.dictionaries(st.text(max_size=9), VALUES) | VALUES | st.builds(Hostile),
    changed=st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, VALUES)),
)
def test_whatever_is_given_is_taken_whole_or_refused(type: Any, payload: Any, changed: dict[str, Any]) -> None:
    try:
        event = emit(type, payload, **changed)
    except PayloadError as error:
        str(error).encode()
    else:
        assert event_of(line_of(event)) == event, "a spool gives it back"
