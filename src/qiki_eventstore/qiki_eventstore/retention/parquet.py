"""A segment as a Parquet file: every attribute a column, and in the metadata what is needed to verify it alone."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from qiki_eventstore.errors import StoreCorrupt
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.retention.segment import Extent, from_json, to_json

_METADATA: Final = b"qiki.segment"
_TIME: Final = pa.timestamp("ns", "UTC")
_SCHEMA: Final = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("stream", pa.string(), nullable=False),
        pa.field("version", pa.int64(), nullable=False),
        pa.field("id", pa.binary(16), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("time", _TIME, nullable=False),
        pa.field("recorded", _TIME, nullable=False),
        pa.field("correlation", pa.string()),
        pa.field("causation", pa.string()),
        pa.field("schema_version", pa.int64(), nullable=False),
        pa.field("content_type", pa.string(), nullable=False),
        pa.field("payload", pa.binary(), nullable=False),
        pa.field("hash", pa.binary(32), nullable=False),
    ]
)
_ROWS: Final = 5000
"""Rows of a group: what is in memory at one time while reading."""


def write_parquet(file: IO[bytes], events: Sequence[RecordedEvent], extent: Extent) -> None:
    """Write the events of a segment."""
    columns = {name: [getattr(event, name) for event in events] for name in _SCHEMA.names}
    columns["id"] = [event.id.bytes for event in events]
    # Through integers: Python's datetime has no nanoseconds.
    arrays = [
        pa.array(columns[field.name], pa.int64()).view(_TIME)
        if field.type == _TIME
        else pa.array(columns[field.name], field.type)
        for field in _SCHEMA
    ]
    table = pa.Table.from_arrays(arrays, schema=_SCHEMA.with_metadata({_METADATA: to_json(extent).encode()}))
    pq.write_table(table, file, compression="zstd", row_group_size=_ROWS)


def read_extent(path: Path) -> Extent:
    """What a file says of itself.

    Raises:
        StoreCorrupt: it is no segment.
    """
    with _opened(path) as file:
        return _extent(path, file)


def read_parquet(
    path: Path, first: int = 0, last: int = 2**63 - 1, *, backwards: bool = False
) -> Iterator[RecordedEvent]:
    """Events of a segment with first <= position <= last, in order of positions or backwards.

    Raises:
        StoreCorrupt: it is no segment, or damaged.
    """
    with _opened(path) as file:
        base = _extent(path, file).first
        groups = range(file.metadata.num_row_groups)
        for group in reversed(groups) if backwards else groups:
            begin = base + group * _ROWS
            if begin > last or begin + file.metadata.row_group(group).num_rows <= first:
                continue
            events = [event for event in _group(path, file, group) if first <= event.position <= last]
            yield from reversed(events) if backwards else events


def read_ids(path: Path) -> set[bytes]:
    """The ids of a segment's events, 16 bytes each.

    Raises:
        StoreCorrupt: it is no segment, or damaged.
    """
    with _opened(path) as file:
        _extent(path, file)
        try:
            return set(file.read(columns=["id"]).column("id").to_pylist())
        except (pa.ArrowException, OSError) as error:
            raise StoreCorrupt(f"{path}: damaged: {error}") from error


def verify_segment(path: Path) -> Extent:
    """Verify a segment file alone: positions, versions, every hash of the chain, and the digest of the content.

    Whether its first and last hash are those of the store's chain is the store's to tell.

    Raises:
        StoreCorrupt: naming the first position that is wrong.
    """
    claimed = read_extent(path)
    try:
        found = Extent.of(read_parquet(path), claimed.before)
    except StoreCorrupt as error:
        raise StoreCorrupt(f"{path}: {error}", error.position) from error
    if found != claimed:
        raise StoreCorrupt(f"{path}: the metadata are not those of the events in it", claimed.first)
    return found


def _opened(path: Path) -> Any:
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StoreCorrupt(f"{path}: not a Parquet file, or damaged: {error}") from error


def _extent(path: Path, file: Any) -> Extent:
    metadata = (file.schema_arrow.metadata or {}).get(_METADATA)
    if metadata is None:
        raise StoreCorrupt(f"{path}: not a segment of an event store")
    try:
        return from_json(metadata.decode())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreCorrupt(f"{path}: its metadata are damaged: {error}") from error


def _group(path: Path, file: Any, group: int) -> list[RecordedEvent]:
    try:
        table = file.read_row_group(group)
        columns = []
        for field in _SCHEMA:
            column = table.column(field.name).combine_chunks()
            columns.append((column.view(pa.int64()) if field.type == _TIME else column).to_pylist())
        return [_event(row) for row in zip(*columns, strict=True)]
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise StoreCorrupt(f"{path}: damaged: {error}") from error


def _event(row: tuple[Any, ...]) -> RecordedEvent:
    values = dict(zip(_SCHEMA.names, row, strict=True))
    return RecordedEvent(**{**values, "id": UUID(bytes=values["id"])})
