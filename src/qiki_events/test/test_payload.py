"""Payloads into bytes and out of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_events import plain, texts

from qiki_events import JSON, PROTOBUF, REGISTRY, PayloadError
from qiki_events.proto.allocator_pb2 import GateChanged, ModeChanged


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


MODE = {"mode": "AUTO", "before": "ADAPTIVE"}


@pytest.mark.requirement("EVENT-6a")
@given(st.dictionaries(texts, plain, max_size=4))
def test_unknown_types_survive_untouched(mapping: dict[str, Any]) -> None:
    content_type, data = REGISTRY.encode("nobody.knows", mapping)
    assert content_type == JSON
    REGISTRY.check("nobody.knows", 1, JSON, data)
    assert REGISTRY.decode("nobody.knows", 1, JSON, data) == mapping


def test_bytes_of_json_of_a_known_type_are_read_by_its_schema() -> None:
    spelled = b'{ "mode" : "AUTO" }'
    REGISTRY.check("allocator.mode_changed", 1, JSON, spelled)
    assert REGISTRY.decode("allocator.mode_changed", 1, JSON, spelled) == {"mode": "AUTO", "before": "UNKNOWN"}


def test_protobuf_of_an_unknown_type_reads_as_its_bytes() -> None:
    REGISTRY.check("nobody.knows", 1, PROTOBUF, b"\x01\x02")
    assert REGISTRY.decode("nobody.knows", 1, PROTOBUF, b"\x01\x02") == {"base64": "AQI="}
    with pytest.raises(PayloadError, match=r"nobody\.knows.*not registered"):
        REGISTRY.message("nobody.knows", 1, PROTOBUF, b"\x01\x02")


def test_a_mapping_of_a_known_type_becomes_its_message() -> None:
    content_type, data = REGISTRY.encode("allocator.mode_changed", MODE)
    assert content_type == PROTOBUF
    message = REGISTRY.message("allocator.mode_changed", 1, content_type, data)
    assert isinstance(message, ModeChanged)
    assert REGISTRY.decode("allocator.mode_changed", 1, content_type, data) == MODE


def test_message_and_mapping_give_the_same_bytes() -> None:
    message = ModeChanged(mode="AUTO", before="ADAPTIVE")
    assert REGISTRY.encode("allocator.mode_changed", message) == REGISTRY.encode("allocator.mode_changed", MODE)


@pytest.mark.parametrize(
    ("type", "data", "names"),
    [
        ("allocator.mode_changed", GateChanged(), ["GateChanged", "ModeChanged"]),
        ("allocator.mode_changed", {"mode": "auto"}, ["mode", "'auto'"]),
        ("nobody.knows", {"x": float("nan")}, ["nobody.knows", "JSON"]),
        ("nobody.knows", {"x": {1, 2}}, ["nobody.knows", "JSON"]),
        ("nobody.knows", {"x": "\ud800"}, ["nobody.knows", "JSON"]),
        ("nobody.knows", ["x"], ["nobody.knows", "list"]),
        ("nobody.knows", "text", ["nobody.knows", "str"]),
        ("nobody.knows", nested(201), ["nobody.knows", "200 levels"]),
        ("operator.command_issued", {"command_id": "c", "arguments": nested(60)}, ["command_issued"]),
    ],
)
def test_what_its_type_does_not_allow_is_refused(type: str, data: Any, names: list[str]) -> None:
    with pytest.raises(PayloadError) as refused:
        REGISTRY.encode(type, data)
    for name in names:
        assert name in str(refused.value)


@pytest.mark.parametrize(
    ("type", "content_type", "content", "names"),
    [
        ("allocator.mode_changed", JSON, b'{"mode": 7}', ["mode", "7"]),
        ("allocator.mode_changed", PROTOBUF, b"\xff", ["ModeChanged"]),
        ("nobody.knows", JSON, b"[1]", ["nobody.knows", "object"]),
        ("nobody.knows", JSON, b"{", ["nobody.knows", "not JSON"]),
        ("nobody.knows", JSON, b'{"x": NaN}', ["nobody.knows", "NaN"]),
        ("nobody.knows", JSON, b'{"x": [-1e999]}', ["nobody.knows", "-1e999"]),
        ("nobody.knows", "text/plain", b"x", ["text/plain", JSON, PROTOBUF]),
    ],
)
def test_bytes_that_its_type_does_not_allow_are_refused(
    type: str, content_type: str, content: bytes, names: list[str]
) -> None:
    with pytest.raises(PayloadError) as refused:
        REGISTRY.check(type, 1, content_type, content)
    for name in names:
        assert name in str(refused.value)


def test_bytes_of_a_later_version_pass_and_are_not_decoded() -> None:
    for content_type, content in ((PROTOBUF, b"\xff\xfe"), (JSON, b'{"later": 1}')):
        REGISTRY.check("allocator.mode_changed", 9, content_type, content)
        with pytest.raises(PayloadError, match=r"version 9, known are 1 to 1"):
            REGISTRY.decode("allocator.mode_changed", 9, content_type, content)
    assert REGISTRY.encode("allocator.mode_changed", {"later": 1}, 9)[0] == JSON
