"""A sealed segment: a range of positions whose events are in a file of their own, with their hashes."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from qiki_eventstore.chain import link_event
from qiki_eventstore.errors import StoreCorrupt, StoreUnavailable
from qiki_eventstore.events import RecordedEvent

if TYPE_CHECKING:
    from qiki_eventstore.retention.catalogue import StoreCatalogue


@dataclass(frozen=True, slots=True)
class Extent:
    """The events of a segment in brief, computed from them.

    Attributes:
        first: its first position.
        last: its last position.
        events: number of events; a PostgreSQL store of version 0.1 may have left positions out.
        start: earliest event time, ns.
        end: latest event time, ns.
        recorded_start: first recording time, ns.
        recorded_end: last recording time, ns.
        streams: first and last version of each stream; there is no gap.
        before: hash of the chain before the first event.
        hash: hash of the chain after the last event.
    """

    first: int
    last: int
    events: int
    start: int
    end: int
    recorded_start: int
    recorded_end: int
    streams: Mapping[str, tuple[int, int]]
    before: bytes
    hash: bytes

    @classmethod
    def of(cls, events: Iterable[RecordedEvent], before: bytes, first: int = 0, last: int = 0) -> "Extent":
        """Of consecutive events, at least one.

        Args:
            events: by position.
            before: hash of the chain before them.
            first: first position of the segment; 0: that of the first event.
            last: last position of the segment; 0: that of the last event.

        Raises:
            StoreCorrupt: an event or version is missing, or the hashes are not those of the events.
        """
        streams: dict[str, tuple[int, int]] = {}
        hash, count = before, 0
        times: list[int] = []
        recorded: list[int] = []
        position = first - 1 if first else None
        for event in events:
            follows = position is None or event.position == position + 1
            position = event.position
            first = first or position
            begin, end = streams.get(event.stream, (event.version, event.version - 1))
            hash = link_event(hash, event)
            if hash != event.hash:
                reason = "the hash does not fit the event and those before" if follows else "an event before is missing"
                raise StoreCorrupt(f"position {position}: {reason}", position)
            if event.version != end + 1:
                raise StoreCorrupt(f"position {position}: {event.stream!r} lacks version {end + 1}", position)
            streams[event.stream] = (begin, event.version)
            times = [min([*times, event.time]), max([*times, event.time])]
            recorded = [*recorded[:1], event.recorded]
            count += 1
        if position is None or not count:
            raise StoreCorrupt(f"no event from position {first} to {last}", first)
        return cls(
            first=first,
            last=last or position,
            events=count,
            start=times[0],
            end=times[1],
            recorded_start=recorded[0],
            recorded_end=recorded[-1],
            streams=streams,
            before=before,
            hash=hash,
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """A range of positions in a file.

    Attributes:
        extent: its events in brief.
        file: name in the store's folder of segments: a SQLite database with the tables of a store. Segments of version
            0.1 are Parquet files.
        sha256: SHA-256 of that file.
        sealed: time of sealing, ns since the Unix epoch.
        dropped: its events are no longer in the store.
    """

    extent: Extent
    file: str
    sha256: bytes = field(repr=False)
    sealed: int
    dropped: bool = False


@runtime_checkable
class Retainable(Protocol):
    """A store from which segments can be dropped."""

    @property
    def store_id(self) -> str:
        """UUID of the store; its segments have it too."""

    @property
    def catalogue(self) -> "StoreCatalogue":
        """Its segments and holds."""

    @property
    def segments_folder(self) -> Path | None:
        """Folder of the files of its segments, from which it reads dropped events; None: it was opened without one."""


def folder_of(store: Retainable) -> Path:
    """Folder of the segment files.

    Raises:
        StoreUnavailable: the store was opened without one.
    """
    if store.segments_folder is None:
        raise StoreUnavailable("the store was opened without a folder for segments: open it with segments=FOLDER")
    return store.segments_folder


def to_json(extent: Extent) -> str:
    """An extent as text; hashes in hexadecimal."""
    values = asdict(extent)
    return json.dumps({key: value.hex() if isinstance(value, bytes) else value for key, value in values.items()})


def from_json(text: str) -> Extent:
    """The inverse of `to_json`."""
    values: dict[str, Any] = json.loads(text)
    values.pop("content", None)  # a digest that version 0.1 wrote besides the chain's hashes
    values.setdefault("events", values["last"] - values["first"] + 1)
    for name in ("before", "hash"):
        values[name] = bytes.fromhex(values[name])
    values["streams"] = {stream: (first, last) for stream, (first, last) in values["streams"].items()}
    return Extent(**values)


def sent(segment: Segment) -> str:
    """A segment as text, for a service."""
    return json.dumps([to_json(segment.extent), segment.file, segment.sha256.hex(), segment.sealed])


def received(text: str) -> Segment:
    """The inverse of `sent`, of a segment that was dropped."""
    extent, file, sha256, sealed = json.loads(text)
    return Segment(from_json(extent), file, bytes.fromhex(sha256), sealed, dropped=True)
