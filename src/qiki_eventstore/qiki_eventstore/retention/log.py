"""Retention, holds, imports and restores as events of the chain: the stream `qiki/eventstore`.

The store alone writes that stream, in the transaction of the change that an event records. So the tables of segments
and holds, which anyone with the file can edit, are compared with a record that is under the hash chain.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Final
from uuid import UUID

from qiki_eventstore.events import Event, RecordedEvent
from qiki_eventstore.preparation import OWN
from qiki_eventstore.retention.policy import Hold
from qiki_eventstore.retention.segment import Segment, to_json

STREAM: Final = OWN
_SOURCE: Final = "/qiki/eventstore"


def hold_placed(store: str, hold: Hold) -> Event:
    """Event of a new hold."""
    return Event("eventstore.hold_placed", {"store": store, "hold": _fields(hold)}, source=_SOURCE)


def hold_released(store: str, name: str) -> Event:
    """Event of a hold's end."""
    return Event("eventstore.hold_released", {"store": store, "name": name}, source=_SOURCE)


def segment_dropped(store: str, segment: Segment, holds: Iterable[Hold]) -> Event:
    """Event of a segment that leaves the database, with the holds in force: earlier events may leave with it."""
    extent = segment.extent
    data = {
        "store": store,
        "first": extent.first,
        "last": extent.last,
        "events": extent.events,
        "hash": extent.hash.hex(),
        "file": segment.file,
        "sha256": segment.sha256.hex(),
        "extent": digest(segment),
        "holds": [_fields(hold) for hold in holds],
    }
    return Event("eventstore.segment_dropped", data, source=_SOURCE)


def imported(store: str, sha256: str, stored: int, known: int, *, verbatim: bool) -> Event:
    """Event of an import."""
    data = {"store": store, "sha256": sha256, "stored": stored, "known": known, "verbatim": verbatim}
    return Event("eventstore.imported", data, source=_SOURCE)


def restored(store: str, head: int) -> Event:
    """Event of a backup that became a store."""
    return Event("eventstore.restored", {"store": store, "head": head}, source=_SOURCE)


def digest(segment: Segment) -> str:
    """SHA-256 of a segment's record in the catalogue, in hexadecimal."""
    return sha256(to_json(segment.extent).encode()).hexdigest()


@dataclass(slots=True)
class Record:
    """Segments and holds by these events; those of another store, which an import brought, do not count.

    Attributes:
        store: UUID of the store.
        known: there is any such event.
        floor: last position that was dropped, and the hash there; None: no event of it is among those applied.
        segments: SHA-256 of the file and `digest` of each dropped segment, by its first position.
        holds: in force, by name.
    """

    store: str
    known: bool = False
    floor: tuple[int, str] | None = None
    segments: dict[int, tuple[str, str]] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)

    def apply(self, event: RecordedEvent) -> None:
        """Fold the next event.

        Raises:
            PayloadError: a newer program wrote it.
        """
        data = event.data
        if event.stream != STREAM or data.get("store") != self.store:
            return
        # A copy or an import says nothing of what was there before it.
        self.known |= event.type not in ("eventstore.imported", "eventstore.restored")
        match event.type:
            case "eventstore.hold_placed":
                hold = _hold(data["hold"])
                self.holds[hold.name] = hold
            case "eventstore.hold_released":
                self.holds.pop(data["name"], None)
            case "eventstore.segment_dropped":
                self.floor = (data["last"], data["hash"])
                self.segments[data["first"]] = (data["sha256"], data["extent"])
                self.holds = {hold.name: hold for hold in map(_hold, data["holds"])}
            case "eventstore.imported" if data["verbatim"]:
                self.floor = None  # every event of the original is in this store again

    def of(self, events: Iterable[RecordedEvent]) -> "Record":
        """This record after more events."""
        for event in events:
            self.apply(event)
        return self


def of_store(store: bytes) -> Record:
    """An empty record of the store of that id."""
    return Record(str(UUID(bytes=store)))


def _fields(hold: Hold) -> dict[str, object]:
    return {**asdict(hold), "streams": list(hold.streams)}


def _hold(fields: dict[str, object]) -> Hold:
    return Hold(**{**fields, "streams": tuple(fields["streams"])})  # type: ignore[arg-type]
