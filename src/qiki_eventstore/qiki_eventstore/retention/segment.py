"""A sealed segment: a range of positions whose events are in a file of their own, with their hashes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from qiki_eventstore.chain import link_event
from qiki_eventstore.errors import StoreCorrupt
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.retention.policy import Hold


@dataclass(frozen=True, slots=True)
class Extent:
    """What a segment holds, computed from its events.

    Attributes:
        first: its first position.
        last: its last position; there is no gap.
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
    start: int
    end: int
    recorded_start: int
    recorded_end: int
    streams: Mapping[str, tuple[int, int]]
    before: bytes
    hash: bytes

    @property
    def events(self) -> int:
        return self.last - self.first + 1

    @classmethod
    def of(cls, events: Iterable[RecordedEvent], before: bytes) -> "Extent":
        """Of consecutive events, at least one, and the hash of the chain before them.

        Raises:
            StoreCorrupt: a position or version is missing, or the hashes are not those of the events.
        """
        streams: dict[str, tuple[int, int]] = {}
        hash = before
        times: list[int] = []
        recorded: list[int] = []
        first = position = 0
        for event in events:
            if position and event.position != position + 1:
                raise StoreCorrupt(f"position {position + 1} is missing", position + 1)
            position = event.position
            first = first or position
            begin, last = streams.get(event.stream, (event.version, event.version - 1))
            if event.version != last + 1:
                raise StoreCorrupt(f"position {position}: {event.stream!r} lacks version {last + 1}", position)
            streams[event.stream] = (begin, event.version)
            hash = link_event(hash, event)
            if hash != event.hash:
                raise StoreCorrupt(f"position {position}: the hash is not that of the event and those before", position)
            times = [min([*times, event.time]), max([*times, event.time])]
            recorded = [*recorded[:1], event.recorded]
        return cls(
            first=first,
            last=position,
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
        file: name in the store's folder of segments: a SQLite database with the tables of a store. Segments of versions
            up to 0.1 are Parquet files.
        sha256: SHA-256 of that file.
        sealed: time of sealing, ns since the Unix epoch.
        dropped: its events are no longer in the store.
    """

    extent: Extent
    file: str
    sha256: bytes = field(repr=False)
    sealed: int
    dropped: bool = False


class Catalogue(Protocol):
    """An engine's records of segments and holds. Each call is one durable transaction."""

    def segments(self) -> list[Segment]:
        """All, in order of positions."""

    def add(self, segment: Segment) -> None:
        """Remember a sealed segment."""

    def drop(self, segment: Segment, holds: Sequence[Hold]) -> bool:
        """Take its events out of the store, and mark it as dropped; False, and nothing is done, if by now the holds are
        not those that were looked at.

        Raises:
            ValueError: it is not the oldest that is left.
            StoreCorrupt: not all of its events are there.
        """

    def holds(self) -> list[Hold]:
        """All, sorted by name."""

    def place(self, hold: Hold) -> None:
        """Remember a hold.

        Raises:
            ValueError: there is one of that name.
        """

    def lift(self, name: str) -> None:
        """Forget a hold.

        Raises:
            ValueError: there is none of that name.
        """


@runtime_checkable
class Retainable(Protocol):
    """A store from which segments can be dropped."""

    @property
    def store_id(self) -> str:
        """UUID of the store; its segments have it too."""

    @property
    def catalogue(self) -> Catalogue:
        """Its segments and holds."""

    @property
    def segments_folder(self) -> Path:
        """Folder of the files of its segments, from which it reads dropped events."""


def to_json(extent: Extent) -> str:
    """An extent as text; hashes in hexadecimal."""
    values = asdict(extent)
    return json.dumps({key: value.hex() if isinstance(value, bytes) else value for key, value in values.items()})


def from_json(text: str) -> Extent:
    """The inverse of `to_json`."""
    values: dict[str, Any] = json.loads(text)
    values.pop("content", None)  # a digest that versions up to 0.1 wrote besides the chain's hashes
    for name in ("before", "hash"):
        values[name] = bytes.fromhex(values[name])
    values["streams"] = {stream: (first, last) for stream, (first, last) in values["streams"].items()}
    return Extent(**values)
