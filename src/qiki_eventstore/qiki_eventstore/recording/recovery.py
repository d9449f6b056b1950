"""Finished files of those that their writers could not finish."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mcap.records import McapRecord, Metadata
from mcap.well_known import SchemaEncoding

from qiki_eventstore.files import draft_of, sync_folder
from qiki_eventstore.recording.offers import Offer, of_text
from qiki_eventstore.recording.reading import messages_of, read_records
from qiki_eventstore.recording.sample import Sample
from qiki_eventstore.recording.writing import QOS, TYPE_HASH, McapWriter


def repair(path: Path) -> int:
    """Put a finished file with its whole records in place of an unfinished one; how many messages.

    The file stays as it is when that fails.

    Raises:
        RecordingError: as `read_samples`.
        StoreFull: no room for it.
    """
    with draft_of(path, replaces=True) as draft:
        with draft.open("wb") as file:
            count = _rewrite(path, file)
        draft.replace(path)
    sync_folder(path.parent)
    return count


def _rewrite(path: Path, file: IO[bytes]) -> int:
    definitions: dict[str, str | None] = {}
    offers: dict[str, Offer] = {}
    writer = McapWriter(file, lambda name: definitions[name], lambda topic: offers[topic])

    def without_metadata() -> Iterator[McapRecord]:
        for record in read_records(path):
            if isinstance(record, Metadata):
                writer.note(record.name, record.metadata)
            else:
                yield record

    count = 0
    for schema, channel, message in messages_of(without_metadata()):
        name = schema.name if schema else ""
        if name not in definitions:
            definitions[name] = schema.data.decode() if schema and schema.encoding == SchemaEncoding.ROS2 else None
        if channel.topic not in offers:
            facts = channel.metadata
            offers[channel.topic] = Offer(of_text(facts.get(QOS, "")), facts.get(TYPE_HASH, ""))
        writer.write(Sample(channel.topic, name, message.data, message.log_time))
        count += 1
    writer.finish()
    return count
