"""A registry of types of events: the versions of their schemas, and how what is old becomes what is new."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError, Message

from qiki_eventstore.errors import PayloadError
from qiki_eventstore.message_mapping import to_mapping, to_message

Upcaster: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""From a mapping of one version to a mapping of the next; pure."""

MessageClass: TypeAlias = type[Message]

_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


@dataclass(frozen=True, slots=True)
class Schema:
    """A type of event.

    Attributes:
        type: dotted name in lower case.
        versions: protobuf class of each version, from 1.
        upcasters: the first leads from version 1 to 2, and so on.

    Raises:
        ValueError: the name is not dotted, there is no version, or a step between two versions lacks its upcaster.
    """

    type: str
    versions: tuple[MessageClass, ...]
    upcasters: tuple[Upcaster, ...] = ()

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
        """What a mapping of a version means in the newest version, every field there.

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

    def _unknown(self, type: str, version: int) -> PayloadError:
        schema = self._schemas.get(type)
        if schema is None:
            return PayloadError(f"event {type!r}: the type is not registered: its payload can be read as bytes only")
        hint = "update this program" if version > schema.newest else "versions begin at 1"
        return PayloadError(
            f"event {type!r}: its schema has version {version}, known are 1 to {schema.newest}: {hint}; "
            "the payload can be read as bytes"
        )
