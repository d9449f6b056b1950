"""Registered types, their golden files, and how old versions become new ones."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from golden_files import FOLDER, fingerprint, path_of, registered
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from random_events import mappings

from qiki_events import JSON, PROTOBUF, REGISTRY, PayloadError, Registry, Schema, to_mapping

KNOWN = list(registered())


# Golden files ---------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-6")
@pytest.mark.parametrize(("type", "version", "cls"), KNOWN, ids=[f"{name}.v{version}" for name, version, _ in KNOWN])
def test_every_version_of_every_type_reads_as_when_it_was_stored(type: str, version: int, cls: type[Message]) -> None:
    path = path_of(type, version)
    assert path.exists(), f"{path.name} is missing: python test/golden_files.py adds it"
    golden = json.loads(path.read_text())
    assert (golden["type"], golden["version"], golden["message"]) == (type, version, cls.DESCRIPTOR.full_name)
    assert golden["fingerprint"] == fingerprint(cls.DESCRIPTOR), (
        f"{type}: the schema of version {version} changed: restore it and add a new version (see qiki_events/types)"
    )
    data = base64.b64decode(golden["payload"])
    assert to_mapping(cls.FromString(data)) == golden["mapping"]
    assert REGISTRY.decode(type, version, PROTOBUF, data) == golden.get("newest", golden["mapping"])


def test_no_golden_file_is_of_a_version_that_is_gone() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == {path_of(type, version).name for type, version, _ in KNOWN}


# Mappings to messages and back ----------------------------------------------------------------------------------------


@given(st.data())
def test_what_goes_in_typed_comes_out_equal(data: st.DataObject) -> None:
    type, version, cls = data.draw(st.sampled_from(KNOWN))
    mapping = data.draw(mappings(cls.DESCRIPTOR))
    message = REGISTRY.typed(type, mapping, version)
    assert isinstance(message, cls)
    content = message.SerializeToString(deterministic=True)
    decoded = REGISTRY.decode(type, version, PROTOBUF, content)
    assert decoded == REGISTRY.newest_mapping(type, version, mapping)
    assert json.loads(json.dumps(decoded, allow_nan=False)) == decoded


@given(st.data())
def test_json_of_a_known_type_means_the_same_as_its_message(data: st.DataObject) -> None:
    type, version, cls = data.draw(st.sampled_from(KNOWN))
    mapping = data.draw(mappings(cls.DESCRIPTOR))
    text = json.dumps({name: value for name, value in mapping.items() if value is not None})
    assert REGISTRY.decode(type, version, JSON, text.encode()) == REGISTRY.newest_mapping(type, version, mapping)


@pytest.mark.parametrize(
    ("type", "mapping", "names"),
    [
        ("allocator.mode_changed", {"mod": "AUTO"}, ["mod", "'AUTO'", "mode, before"]),
        ("allocator.mode_changed", {"mode": "auto"}, ["mode", "'auto'", "AUTO, ADAPTIVE"]),
        ("allocator.mode_changed", {"mode": 1}, ["mode", "1", "AUTO, ADAPTIVE"]),
        ("allocator.thruster_health_changed", {"thruster": -1, "share": 1.0}, ["thruster", "-1", "0 to 4294967295"]),
        ("allocator.thruster_health_changed", {"thruster": 2**32, "share": 1.0}, ["4294967296", "0 to 4294967295"]),
        ("allocator.thruster_health_changed", {"thruster": 1.0, "share": 1.0}, ["thruster", "1.0", "integer"]),
        ("allocator.thruster_health_changed", {"thruster": True, "share": 1.0}, ["thruster", "True", "integer"]),
        ("allocator.thruster_health_changed", {"thruster": 1}, ["share", "missing", "finite number"]),
        ("allocator.thruster_health_changed", {"thruster": 1, "share": None}, ["share", "missing"]),
        ("allocator.thruster_health_changed", {"thruster": 1, "share": "1"}, ["share", "'1'", "finite number"]),
        ("allocator.thruster_health_changed", {"thruster": 1, "share": float("nan")}, ["share", "nan", "finite"]),
        ("allocator.configured", {"armed": 1}, ["armed", "1", "true or false"]),
        ("allocator.configured", {"armed": True, "health": [{"share": 1}, {"share": "x"}]}, ["health[1].share", "'x'"]),
        ("allocator.configured", {"armed": True, "health": {"share": 1}}, ["health", "a list"]),
        ("simulator.scenario_loaded", {"seed": 2**63}, ["seed", str(2**63), str(2**63 - 1)]),
        ("simulator.scenario_loaded", {"seed": 1, "bots": "alpha"}, ["bots", "'alpha'", "a list"]),
        ("simulator.scenario_loaded", {"seed": 1, "scenario": "\ud800"}, ["scenario", "text"]),
        ("simulator.scenario_loaded", {"seed": 1, "scenario": None}, ["scenario", "None"]),
        ("recording.sample", {"data": "not base64"}, ["data", "base64"]),
        ("launch.started", {"arguments": {"bots": 2}}, ["arguments.bots", "2", "text"]),
        ("operator.command_issued", {"arguments": {"n": [2**60]}}, ["arguments.n[0]", str(2**60)]),
        ("operator.command_issued", {"arguments": []}, ["arguments", "a mapping"]),
    ],
)
def test_what_does_not_fit_is_refused_by_name(type: str, mapping: Mapping[str, Any], names: list[str]) -> None:
    with pytest.raises(PayloadError) as refused:
        REGISTRY.typed(type, mapping)
    for name in [type, *names]:
        assert name in str(refused.value)


def test_a_mapping_of_an_unknown_type_passes_untouched() -> None:
    mapping = {"anything": [1, {"goes": None}]}
    assert REGISTRY.typed("nobody.knows", mapping) is mapping


def test_text_lists_and_optional_values_may_be_left_out() -> None:
    message = REGISTRY.typed("allocator.fault_detected", {"held_back": 0})
    assert isinstance(message, Message)
    assert to_mapping(message) == {
        "finding": "",
        "source": "",
        "thrusters": [],
        "health": None,
        "share": None,
        "candidates": [],
        "score": None,
        "uncontrollable": [],
        "held_back": 0,
    }


def test_numbers_of_numpy_are_numbers() -> None:
    message = REGISTRY.typed(
        "energy.sampled", {"energy_used_j": np.float64(0.5), "soc": np.float64(0.25), "power_w": 3}
    )
    assert isinstance(message, Message)
    assert {name: value for name, value in to_mapping(message).items() if value is not None} == {
        "energy_used_j": 0.5,
        "soc": 0.25,
        "power_w": 3.0,
    }


def test_integers_of_64_bits_stay_integers() -> None:
    message = REGISTRY.typed("simulator.scenario_loaded", {"seed": 2**62 + 1})
    assert isinstance(message, Message)
    assert to_mapping(message)["seed"] == 2**62 + 1


def test_numbers_that_are_not_finite_read_as_unknown() -> None:
    cls = REGISTRY.message_class("energy.sampled")
    assert cls is not None
    message = cls(energy_used_j=float("nan"), soc=float("inf"))
    assert {to_mapping(message)[name] for name in ("energy_used_j", "soc", "power_w")} == {None}


# Versions, with types of their own ------------------------------------------------------------------------------------

_TYPES = {
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
}


def message_class(name: str, fields: Mapping[str, str], package: str = "versions.test") -> type[Message]:
    """A protobuf class made on the spot."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.{name}.proto", package=package, syntax="proto3")
    message = file.message_type.add(name=name)
    for number, (field, kind) in enumerate(fields.items(), 1):
        message.field.add(name=field, number=number, type=_TYPES[kind], label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))


V1 = message_class("BurnV1", {"thrust_kn": "double"})
V2 = message_class("BurnV2", {"thrust_n": "double"})
V3 = message_class("BurnV3", {"thrust_n": "double", "axis": "string"})


def to_newtons(old: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"thrust_n": 1000.0 * old["thrust_kn"]}


def with_axis(old: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**old, "axis": "+x"}


BURNS = Registry([Schema("test.burned", (V1, V2, V3), (to_newtons, with_axis))])


@pytest.mark.requirement("EVENT-6")
@pytest.mark.parametrize(
    ("version", "data"),
    [(1, {"thrust_kn": 0.25}), (2, {"thrust_n": 250.0}), (3, {"thrust_n": 250.0, "axis": "+x"})],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_every_version_becomes_the_newest(version: int, data: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        content_type, content = JSON, json.dumps(data).encode()
    else:
        content_type, content = BURNS.encode("test.burned", data, version)
    assert BURNS.decode("test.burned", version, content_type, content) == {"thrust_n": 250.0, "axis": "+x"}
    newest = BURNS.message("test.burned", version, content_type, content)
    assert isinstance(newest, V3)
    assert to_mapping(newest) == {"thrust_n": 250.0, "axis": "+x"}


def test_a_version_newer_than_known_is_an_error_that_names_both() -> None:
    content = b"\x99\x98 whatever a later program wrote"
    for read in (BURNS.decode, BURNS.message):
        with pytest.raises(PayloadError, match=r"test\.burned.* version 5, known are 1 to 3"):
            read("test.burned", 5, PROTOBUF, content)


@pytest.mark.requirement("EVENT-6")
def test_a_step_without_an_upcaster_is_refused_when_the_registry_is_made() -> None:
    with pytest.raises(ValueError, match=r"test\.burned.*upcasters: 1; allowed: 2"):
        Schema("test.burned", (V1, V2, V3), (to_newtons,))


def test_an_upcaster_that_makes_what_its_version_refuses_is_named() -> None:
    broken = Registry([Schema("test.burned", (V1, V2), (lambda old: {"thrust": old["thrust_kn"]},))])
    content = V1(thrust_kn=1.0).SerializeToString()
    with pytest.raises(PayloadError, match=r"test\.burned.*version 1 does not become 2.*thrust"):
        broken.decode("test.burned", 1, PROTOBUF, content)


def test_a_type_stands_in_a_registry_once_and_has_a_dotted_name() -> None:
    with pytest.raises(ValueError, match=r"test\.burned.* twice"):
        Registry([Schema("test.burned", (V1,)), Schema("test.burned", (V2,))])
    for name in ("burned", "Test.Burned", "test.", ""):
        with pytest.raises(ValueError, match="dotted name"):
            Schema(name, (V1,))
    with pytest.raises(ValueError, match="versions: none"):
        Schema("test.burned", ())


@pytest.mark.requirement("EVENT-6")
@pytest.mark.parametrize(
    "changed",
    [{"thrust": "double"}, {"thrust_kn": "string"}, {"thrust_kn": "double", "axis": "string"}, {}],
    ids=["renamed", "retyped", "added", "removed"],
)
def test_a_fingerprint_tells_every_change_of_a_schema(changed: Mapping[str, str]) -> None:
    same = message_class("BurnV1", {"thrust_kn": "double"})
    assert fingerprint(same.DESCRIPTOR) == fingerprint(V1.DESCRIPTOR)
    assert fingerprint(message_class("BurnV1", changed).DESCRIPTOR) != fingerprint(V1.DESCRIPTOR)


def test_newest_version_of_a_type() -> None:
    assert BURNS.newest("test.burned") == 3
    assert BURNS.newest("test.unheard_of") == 1
    assert BURNS.message_class("test.burned", 2) is V2
    assert BURNS.message_class("test.burned", 4) is None
    assert BURNS.types == ("test.burned",)
