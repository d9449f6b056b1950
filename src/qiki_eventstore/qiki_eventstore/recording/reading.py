"""Reading of one MCAP file: by its index where it has one, from the front where its writer could not finish it.

A file that was not finished (kill -9, power cut) is read up to its last whole chunk.
"""

import struct
from collections.abc import Collection, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Final
from zlib import crc32

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.reader import SeekingReader
from mcap.records import Channel, Chunk, McapRecord, Message, Metadata, Schema
from mcap.stream_reader import MAGIC_SIZE, breakup_chunk, read_magic
from mcap.summary import Summary as Index

from qiki_eventstore.recording.sample import RecordingError, Sample

_RECORD: Final = struct.Struct("<BQ")
_FOOTER: Final = struct.Struct("<QQI")
"""Beginning of the summary, of its offsets, and the CRC-32 of all from there up to this checksum (0: none)."""
_CHECKSUM: Final = 4


def read_samples(
    path: Path, *, start: int | None = None, end: int | None = None, topics: Collection[str] = ()
) -> Iterator[Sample]:
    """Samples in the order in which they were recorded, also of a file that was not finished.

    Of a finished file only those chunks are read that hold messages of these topics and times.

    Args:
        path: an MCAP file.
        start: earliest time, ns (inclusive).
        end: latest time, ns (exclusive).
        topics: names; empty for all.

    Raises:
        RecordingError: not an MCAP file, or one whose content was changed.
    """
    index = read_index(path) if topics or start is not None or end is not None else None
    if index is not None and index.chunk_indexes:
        records = _records_by_index(path, index, start, end, topics)
    else:
        records = read_records(path)
    for schema, channel, message in messages_of(records):
        if topics and channel.topic not in topics:
            continue
        if (start is not None and message.log_time < start) or (end is not None and message.log_time >= end):
            continue
        yield Sample(channel.topic, schema.name if schema else "", message.data, message.log_time)


def read_index(path: Path) -> Index | None:
    """Index at the end of a file; None if it is not finished, or not to be used."""
    with path.open("rb") as file:
        _expect_magic(file, path)
        try:
            return SeekingReader(file).get_summary() if _has_whole_index(file) else None
        except Exception:  # torn or garbled: whatever the bytes were taken for, the file is read from the front
            return None


def messages_of(records: Iterable[McapRecord]) -> Iterator[tuple[Schema | None, Channel, Message]]:
    """Messages with their channels and schemas, of records in their order."""
    schemas: dict[int, Schema] = {}
    channels: dict[int, Channel] = {}
    for record in records:
        match record:
            case Schema():
                schemas[record.id] = record
            case Channel():
                channels[record.id] = record
            case Message():
                channel = channels[record.channel_id]
                yield schemas.get(channel.schema_id), channel, record


def read_records(path: Path) -> Iterator[McapRecord]:
    """Schemas, channels, messages and metadata of the data section, as far as its records are whole.

    Raises:
        RecordingError: as `read_samples`.
    """
    with path.open("rb") as file:
        _expect_magic(file, path)
        while (record := _next(file)) is not None and record[0] != Opcode.DATA_END:
            yield from _parse(path, *record)


def read_metadata(path: Path, name: str) -> dict[str, str] | None:
    """Latest metadata record of that name, found by the index; None if there is none."""
    if read_index(path) is None:
        return None
    with path.open("rb") as file:
        try:
            found = [one.metadata for one in SeekingReader(file).iter_metadata() if one.name == name]
        except Exception as error:  # whatever the bytes were taken for
            raise RecordingError(f"{path}: damaged: a metadata record cannot be read: {error}") from error
    return dict(found[-1]) if found else None


def _records_by_index(
    path: Path, index: Index, start: int | None, end: int | None, topics: Collection[str]
) -> Iterator[McapRecord]:
    """All schemas and channels, and the messages of those chunks that can hold any that is wanted."""
    yield from index.schemas.values()
    yield from index.channels.values()
    wanted = {number for number, channel in index.channels.items() if channel.topic in topics}
    with path.open("rb") as file:
        for chunk in sorted(index.chunk_indexes, key=lambda one: one.chunk_start_offset):
            if (start is not None and chunk.message_end_time < start) or (
                end is not None and chunk.message_start_time >= end
            ):
                continue
            if topics and chunk.message_index_offsets and wanted.isdisjoint(chunk.message_index_offsets):
                continue
            file.seek(chunk.chunk_start_offset)
            record = _next(file)
            if record is None or record[0] != Opcode.CHUNK:
                raise RecordingError(f"{path}: damaged: its index names a chunk at byte {chunk.chunk_start_offset}")
            yield from _parse(path, *record)


def _has_whole_index(file: IO[bytes]) -> bool:
    """Compare the checksum of the index, which the library does not; leaves the file at its beginning."""
    size = file.seek(0, 2)
    file.seek(size - MAGIC_SIZE - _FOOTER.size)
    start, _, expected = _FOOTER.unpack(file.read(_FOOTER.size))
    file.seek(start)
    checked = file.read(size - MAGIC_SIZE - _CHECKSUM - start)
    is_whole = start > 0 and (not expected or crc32(checked) == expected)
    file.seek(0)
    return is_whole


def _expect_magic(file: IO[bytes], path: Path) -> None:
    try:
        read_magic(ReadDataStream(file))
    except (McapError, struct.error) as error:
        raise RecordingError(f"{path}: not an MCAP file") from error


def _next(file: IO[bytes]) -> tuple[int, bytes, int] | None:
    """Opcode and content of the next record, and the byte after it; None if it is not whole."""
    head = file.read(_RECORD.size)
    if len(head) < _RECORD.size:
        return None
    opcode, length = _RECORD.unpack(head)
    # The length of a torn record can be anything: compare it with the file's size before reading so much.
    if length > Path(file.name).stat().st_size - file.tell():
        return None
    content = file.read(length)
    return (opcode, content, file.tell()) if len(content) == length else None


def _parse(path: Path, opcode: int, content: bytes, end: int) -> Iterable[McapRecord]:
    stream = ReadDataStream(BytesIO(content))
    try:
        match opcode:
            case Opcode.CHUNK:
                return breakup_chunk(Chunk.read(stream), validate_crc=True)
            case Opcode.MESSAGE:
                return [Message.read(stream, len(content))]
            case Opcode.SCHEMA:
                return [Schema.read(stream)]
            case Opcode.CHANNEL:
                return [Channel.read(stream)]
            case Opcode.METADATA:
                return [Metadata.read(stream)]
    except Exception as error:  # zstandard, struct, CRC: whatever the bytes were turned into
        raise RecordingError(f"{path}: damaged before byte {end}: {error}") from error
    return []
