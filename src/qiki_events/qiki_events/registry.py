"""Types of events with the versions of their schemas: payloads into bytes, and bytes of any version into mappings.

Payloads are stored as protobuf or JSON, never as pickle. The stored payload of a known type fits its schema: `encode`
and `check` see to it, `decode` relies on it.
"""

import base64
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import Any, Final, Literal, TypeAlias

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message

from qiki_events.errors import PayloadError
from qiki_events.message_reading import to_mapping
from qiki_events.message_writing import to_message

Upcaster: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""From a mapping of one version to a mapping of the next; pure."""

MessageClass: TypeAlias = type[Message]

JSON: Final = "application/json"
PROTOBUF: Final = "application/protobuf"

_NESTED: Final = 200
"""Levels of a JSON payload."""

_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


@dataclass(frozen=True, slots=True)
class Schema:
    """A type of event.

    Attributes:
        type: dotted name in lower case.
        versions: protobuf class of each version, from 1.
        upcasters: the first leads from version 1 to 2, and so on.
        stream: in which it is emitted, such as `<bot>/allocator`; for the reference (docs/events.md), as the two below.
        delivery: audit (never dropped silently) or telemetry (may be dropped, counted).
        when: it is emitted.

    Raises:
        ValueError: the name is not dotted, there is no version, or a step between two versions lacks its upcaster.
    """

    type: str
    versions: tuple[MessageClass, ...]
    upcasters: tuple[Upcaster, ...] = ()
    _: KW_ONLY
    stream: str = ""
    delivery: Literal["audit", "telemetry"] = "audit"
    when: str = ""

    def __post_init__(self) -> None:
        if not _TYPE.fullmatch(self.type):
            raise ValueError(f"type: {self.type!r}; allowed: dotted name in lower case, such as allocator.mode_changed")
        if not self.versions:
            raise ValueError(f"type {self.type!r}: versions: none; allowed: one or more")
        if len(self.upcasters) != len(self.versions) - 1:
            steps = len(self.versions) - 1
            raise ValueError(
                f"type {self.type!r}: upcasters: {len(self.upcasters)}; allowed: {steps}, one between each two of the "
                f"{len(self.versions)} versions"
            )

    @property
    def newest(self) -> int:
        """The version that is written now."""
        return len(self.versions)


class Registry:
    """The types that are known.

    Raises:
        ValueError: a type stands there twice.
    """

    def __init__(self, schemas: Iterable[Schema]) -> None:
        self._schemas: dict[str, Schema] = {}
        for schema in schemas:
            if schema.type in self._schemas:
                raise ValueError(f"type {schema.type!r} stands there twice")
            self._schemas[schema.type] = schema

    @property
    def types(self) -> tuple[str, ...]:
        """Names of the types, sorted."""
        return tuple(sorted(self._schemas))

    def schema(self, type: str) -> Schema | None:
        """The schema of a type; None if it is not known."""
        return self._schemas.get(type)

    def newest(self, type: str) -> int:
        """The version of a type that is written now; 1 if the type is not known."""
        schema = self._schemas.get(type)
        return 1 if schema is None else schema.newest

    def message_class(self, type: str, version: int | None = None) -> type[Message] | None:
        """The class of a type's payload at a version (None: the newest); None if type or version is not known."""
        schema = self._schemas.get(type)
        if schema is None:
            return None
        number = schema.newest if version is None else version
        return schema.versions[number - 1] if 1 <= number <= schema.newest else None

    def typed(self, type: str, mapping: Mapping[str, Any], version: int | None = None) -> Message | Mapping[str, Any]:
        """The protobuf message that a mapping describes; the mapping itself if type or version is not known.

        Args:
            type: of the event.
            mapping: by the names of the message's fields. A number must be given unless it is optional; None stands for
                an optional value that is unknown; enums by name; everything else may be left out.
            version: of the schema that it follows; None: the newest.

        Raises:
            PayloadError: a field that is unknown, missing or does not fit; names type, field and value.
        """
        cls = self.message_class(type, version)
        if cls is None:
            return mapping
        try:
            return to_message(cls, mapping)
        except ValueError as error:
            raise PayloadError(f"event {type!r}: {error}") from error

    def parse(self, type: str, version: int, payload: bytes) -> Message:
        """A stored message.

        Raises:
            PayloadError: type or version is not known, or these are no bytes of its message.
        """
        cls = self.message_class(type, version)
        if cls is None:
            raise self._unknown(type, version)
        try:
            return cls.FromString(payload)
        except DecodeError as error:
            raise PayloadError(f"event {type!r}: the payload is no {cls.DESCRIPTOR.full_name}: {error}") from error

    def newest_mapping(self, type: str, version: int, mapping: Mapping[str, Any]) -> Mapping[str, Any]:
        """The mapping of a version, upcast to the newest version, with every field.

        A type that is not known is given back as it is.

        Raises:
            PayloadError: the version is not known, or an upcaster cannot read it or makes what its version refuses.
        """
        schema = self._schemas.get(type)
        if schema is None:
            return mapping
        if not 1 <= version <= schema.newest:
            raise self._unknown(type, version)
        if version == schema.newest:
            return mapping
        for step, upcast in enumerate(schema.upcasters[version - 1 :], version):
            try:
                mapping = to_mapping(to_message(schema.versions[step], upcast(mapping)))
            except (KeyError, TypeError, ValueError) as error:
                raise PayloadError(f"event {type!r}: version {step} does not become {step + 1}: {error!r}") from error
        return mapping

    # Into bytes -------------------------------------------------------------------------------------------------------

    def encode(self, type: str, data: Message | Mapping[str, Any], version: int = 1) -> tuple[str, bytes]:
        """Content type and bytes of a payload.

        A mapping of a known type becomes its protobuf message; one of an unknown type, or of a version newer than those
        known, becomes JSON.

        Raises:
            PayloadError: the payload does not fit the type, the message lacks required fields, or JSON cannot hold the
                mapping (NaN is an example).
        """
        if not isinstance(data, Message | Mapping):
            kind = data.__class__.__name__
            raise PayloadError(f"event {type!r}: the payload is a {kind}; allowed: a message, a mapping")
        if isinstance(data, Mapping):
            data = self.typed(type, data, version)
        if isinstance(data, Message):
            return PROTOBUF, self._serialized(type, data, version)
        try:
            content = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise PayloadError(f"event {type!r}: JSON cannot hold the payload: {error}") from error
        _refuse_depth(type, content)
        return JSON, content

    def check(self, type: str, version: int, content_type: str, payload: bytes) -> None:
        """Check encoded bytes, to be stored as they are.

        Raises:
            PayloadError: they do not fit the type, or the content type is neither `JSON` nor `PROTOBUF`.
        """
        known = self.message_class(type, version) is not None
        if content_type == JSON:
            mapping = _from_json(type, payload, _finite)
            if known:
                self.typed(type, mapping, version)
        elif content_type == PROTOBUF:
            if known:
                self.parse(type, version, payload)
        else:
            raise PayloadError(f"event {type!r}: content_type = {content_type!r}: allowed: {JSON}, {PROTOBUF}")

    def _serialized(self, type: str, message: Message, version: int) -> bytes:
        wanted = self.message_class(type, version)
        if wanted is not None and message.DESCRIPTOR is not wanted.DESCRIPTOR:
            raise PayloadError(
                f"event {type!r}: data: {message.DESCRIPTOR.full_name}; allowed for version {version}: "
                f"{wanted.DESCRIPTOR.full_name}"
            )
        try:
            maps = has_maps(message.DESCRIPTOR)
            content: bytes = message.SerializeToString(deterministic=maps)
            if maps:  # a free structure may be nested deeper than protobuf reads
                message.__class__.FromString(content)
            return content
        except Exception as error:
            raise PayloadError(f"event {type!r}: the payload cannot be serialized: {error}") from error

    # Out of bytes -----------------------------------------------------------------------------------------------------

    def decode(self, type: str, version: int, content_type: str, payload: bytes) -> Mapping[str, Any]:
        """The payload in the newest version of its type, as a mapping that JSON can hold.

        Of a known type every field is there: enums by name, an unknown optional number as None, bytes as base64.
        JSON of an unknown type is given as it is; protobuf of an unknown type as its bytes, `{"base64": …}`.

        Raises:
            PayloadError: the schema has a version newer than those known (the text names both), or the bytes are no
                payload of the type.
        """
        schema = self._schemas.get(type)
        if schema is None:
            if content_type == JSON:
                return _from_json(type, payload)
            return {"base64": base64.b64encode(payload).decode()}
        mapping = to_mapping(self._stored(type, version, content_type, payload))
        return mapping if version == schema.newest else self.newest_mapping(type, version, mapping)

    def message(self, type: str, version: int, content_type: str, payload: bytes) -> Message:
        """The payload as the message of the newest version of its type.

        Raises:
            PayloadError: as `decode`, or the type is not known.
        """
        if version == self.newest(type):
            return self._stored(type, version, content_type, payload)
        upcast = self.typed(type, self.decode(type, version, content_type, payload))
        if not isinstance(upcast, Message):
            raise PayloadError(f"event {type!r}: the type is not registered: it has no message")
        return upcast

    def _stored(self, type: str, version: int, content_type: str, payload: bytes) -> Message:
        """The message in the version in which it was written."""
        if content_type == JSON and self.message_class(type, version) is not None:
            stored = self.typed(type, _from_json(type, payload), version)
            assert isinstance(stored, Message)
            return stored
        return self.parse(type, version, payload)

    def _unknown(self, type: str, version: int) -> PayloadError:
        schema = self._schemas.get(type)
        if schema is None:
            return PayloadError(f"event {type!r}: the type is not registered: its payload can be read as bytes only")
        hint = "update this program" if version > schema.newest else "versions begin at 1"
        return PayloadError(
            f"event {type!r}: its schema has version {version}, known are 1 to {schema.newest}: {hint}; "
            "the payload can be read as bytes"
        )


@cache
def has_maps(descriptor: Descriptor, within: tuple[Descriptor, ...] = ()) -> bool:
    """True if a message may hold a map: only the order of its entries makes serialized bytes differ."""
    if descriptor in within:
        return False
    messages = [field.message_type for field in descriptor.fields if field.message_type is not None]
    return any(m.GetOptions().map_entry or has_maps(m, (*within, descriptor)) for m in messages)


def _from_json(type: str, payload: bytes, number: Callable[[str], float] = float) -> Mapping[str, Any]:
    _refuse_depth(type, payload)
    try:
        data = json.loads(payload.decode(), parse_constant=_refuse_constant, parse_float=number)
        if b"\\u" in payload:  # half of a surrogate pair is no text
            json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"event {type!r}: the payload is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise PayloadError(f"event {type!r}: the payload is a JSON {data.__class__.__name__}; allowed: an object")
    return data


def _refuse_depth(type: str, content: bytes) -> None:
    """Refuse JSON so deep that a reader might end at it."""
    if content.count(b"{") + content.count(b"[") <= _NESTED:
        return
    depth = 0
    for found in re.finditer(rb'"(?:[^"\\]|\\.)*"|[][{}]', content, re.DOTALL):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(found[0], 0)
        if depth > _NESTED:
            raise PayloadError(f"event {type!r}: the payload is nested deeper than {_NESTED} levels")


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text[:40]} is past the largest number, {sys.float_info.max:.5g}")
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
