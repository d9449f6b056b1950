"""Arrays in PostgreSQL's binary form, made in one go: one parameter per column, however many events a batch has."""

import struct
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

if TYPE_CHECKING:
    from qiki_eventstore.postgres.connection import Connection

_HEADER = struct.Struct(">iiIii")
_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)


class Int8Array(bytes):
    """`bigint[]`."""


class UuidArray(bytes):
    """`uuid[]`."""


class TextArray(bytes):
    """`text[]`."""


class ByteaArray(bytes):
    """`bytea[]`."""


# Object ids of the element types and of their arrays are fixed in PostgreSQL's catalogue.
_INT8, _UUID, _TEXT, _BYTEA = 20, 2950, 25, 17
_ARRAY_OIDS: dict[type, int] = {Int8Array: 1016, UuidArray: 2951, TextArray: 1009, ByteaArray: 1001}


def int8_array(values: Sequence[int]) -> Int8Array:
    """Integers of 64 bits, none of them NULL."""
    count = len(values)
    return Int8Array(_header(_INT8, count) + struct.pack(">" + "iq" * count, *chain(*zip(repeat(8), values))))


def uuid_array(values: Sequence[bytes]) -> UuidArray:
    """UUIDs, given as their 16 bytes."""
    return UuidArray(_header(_UUID, len(values)) + _elements(values))


def text_array(values: Sequence[str | None]) -> TextArray:
    """Texts or NULL."""
    return TextArray(
        _header(_TEXT, len(values)) + _elements(None if value is None else value.encode() for value in values)
    )


def bytea_array(values: Sequence[bytes]) -> ByteaArray:
    """Byte strings."""
    return ByteaArray(_header(_BYTEA, len(values)) + _elements(values))


def register_arrays(connection: "Connection") -> None:
    """Let a connection take these arrays as parameters."""
    for kind, oid in _ARRAY_OIDS.items():
        connection.adapters.register_dumper(kind, _DUMPERS[oid])


def _header(element: int, count: int) -> bytes:
    return _HEADER.pack(1, 1, element, count, 1) if count else struct.pack(">iiI", 0, 0, element)


def _elements(values: Iterable[bytes | None]) -> bytes:
    return b"".join(_NULL if value is None else _LENGTH.pack(len(value)) + value for value in values)


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer:
        return bytes(obj)


_DUMPERS: dict[int, type[psycopg.adapt.Dumper]] = {
    oid: type(f"{kind.__name__}Dumper", (_ArrayDumper,), {"oid": oid}) for kind, oid in _ARRAY_OIDS.items()
}
