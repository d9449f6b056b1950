"""Reader of the Parquet segments that version 0.1 wrote: flat columns, compressed with zstandard.

It reads that one layout and no other. Its caller compares the events with the hash chain, so that a mistake in here
cannot pass for an event.
"""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import zstandard

from qiki_eventstore.events import RecordedEvent

_Values = list[Any]


def read_parquet(path: Path) -> Iterator[RecordedEvent]:
    """Events of a segment in order of positions; any exception means that the file is damaged, or no segment."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<i", content, len(content) - 8)
    footer, _ = _thrift(content, len(content) - 8 - length)
    for group in footer[4]:
        columns = {}
        for chunk in group[1]:
            about = chunk[3]
            name = about[3][0].decode()
            columns[name] = _column(content, about, _KINDS[name])
        for row in zip(*(columns[name] for name in _KINDS), strict=True):
            yield RecordedEvent(**dict(zip(_KINDS, row, strict=True)))


# Values -------------------------------------------------------------------------------------------------------------


def _integers(data: bytes, count: int) -> _Values:
    return list(struct.unpack_from(f"<{count}q", data))


def _fixed(size: int) -> Callable[[bytes, int], _Values]:
    return lambda data, count: [data[place : place + size] for place in range(0, count * size, size)]


def _ids(data: bytes, count: int) -> _Values:
    return [UUID(bytes=id) for id in _fixed(16)(data, count)]


def _binary(data: bytes, count: int) -> _Values:
    values, place = [], 0
    for _ in range(count):
        (size,) = struct.unpack_from("<I", data, place)
        values.append(data[place + 4 : place + 4 + size])
        place += 4 + size
    return values


def _texts(data: bytes, count: int) -> _Values:
    return [value.decode() for value in _binary(data, count)]


_KINDS: Final[dict[str, Callable[[bytes, int], _Values]]] = {
    "position": _integers,
    "stream": _texts,
    "version": _integers,
    "id": _ids,
    "type": _texts,
    "source": _texts,
    "time": _integers,
    "recorded": _integers,
    "correlation": _texts,
    "causation": _texts,
    "schema_version": _integers,
    "content_type": _texts,
    "payload": _binary,
    "hash": _fixed(32),
}
_OPTIONAL: Final = (b"correlation", b"causation")
_DATA_PAGE: Final = 0
_PLAIN: Final = 0


# Pages --------------------------------------------------------------------------------------------------------------


def _column(content: bytes, about: dict[int, Any], kind: Callable[[bytes, int], _Values]) -> _Values:
    """The values of a column chunk: a dictionary page, if there is one, and data pages."""
    optional = about[3][0] in _OPTIONAL
    place = min(about[9], about.get(11, about[9]))
    dictionary: _Values = []
    values: _Values = []
    while len(values) < about[5]:
        page, place = _thrift(content, place)
        data = zstandard.ZstdDecompressor().decompress(content[place : place + page[3]], max_output_size=page[2])
        place += page[3]
        if page[1] != _DATA_PAGE:
            dictionary = kind(data, page[7][1])
            continue
        count = page[5][1]
        levels = [1] * count
        if optional:
            (size,) = struct.unpack_from("<I", data)
            levels, data = _hybrid(data[4 : 4 + size], 1, count), data[4 + size :]
        if page[5][2] == _PLAIN:
            found = iter(kind(data, sum(levels)))
        else:
            found = iter([dictionary[index] for index in _hybrid(data[1:], data[0], sum(levels))])
        values += [next(found) if level else None for level in levels]
    return values


def _hybrid(data: bytes, width: int, count: int) -> list[int]:
    """Integers of `width` bits as Parquet's hybrid of runs and packed groups of eight."""
    values: list[int] = []
    place = 0
    while len(values) < count:
        head, place = _varint(data, place)
        if head & 1:
            size = (head >> 1) * width
            packed, place = int.from_bytes(data[place : place + size], "little"), place + size
            mask = (1 << width) - 1
            values += [packed >> (index * width) & mask for index in range((head >> 1) * 8)]
        else:
            size = (width + 7) // 8
            values += [int.from_bytes(data[place : place + size], "little")] * (head >> 1)
            place += size
    return values[:count]


# Metadata: Thrift's compact protocol ----------------------------------------------------------------------------------


def _thrift(data: bytes, place: int) -> tuple[dict[int, Any], int]:
    """A structure as values by field number, and the place behind it."""
    fields: dict[int, Any] = {}
    number = 0
    while kind := data[place] & 0x0F:
        step = data[place] >> 4
        place += 1
        if not step:
            value, place = _varint(data, place)
            number = _signed(value)
        number += step
        if kind in (1, 2):
            fields[number] = kind == 1
        else:
            fields[number], place = _field(data, place, kind)
    return fields, place + 1


def _field(data: bytes, place: int, kind: int) -> tuple[Any, int]:
    if kind in (3, 4, 5, 6):
        value, place = _varint(data, place)
        return _signed(value), place
    if kind == 8:
        size, place = _varint(data, place)
        return data[place : place + size], place + size
    if kind == 9:
        size, inner = data[place] >> 4, data[place] & 0x0F
        place += 1
        if size == 15:
            size, place = _varint(data, place)
        values = []
        for _ in range(size):
            value, place = _field(data, place, inner)
            values.append(value)
        return values, place
    if kind == 12:
        return _thrift(data, place)
    raise ValueError(f"field of kind {kind}")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7


def _signed(value: int) -> int:
    return value >> 1 ^ -(value & 1)
