"""Whatever is changed behind a store's back is found by `verify`, and is not believed where it can be known."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import apsw
import pytest

from qiki_events.projections import BOT_STATE
from qiki_eventstore import Event, EventStore, PayloadError, Query, Verification, open_store
from qiki_eventstore.retention.catalogue import StoreCatalogue
from qiki_eventstore.retention.policy import Hold, Policy
from qiki_eventstore.retention.retention import Retention
from qiki_eventstore.retention.segment import Retainable
from qiki_eventstore.transfer import export_events, import_events

Forge: TypeAlias = Callable[[apsw.Connection, Path], object]


def opened(path: Path, mode: str = "", **options: Any) -> EventStore:
    return open_store(f"sqlite:///{path}{mode}", **({} if mode else {"reserve_bytes": 0, **options}))


def catalogue(store: EventStore) -> StoreCatalogue:
    assert isinstance(store, Retainable)
    return store.catalogue


def fill(store: EventStore, count: int) -> None:
    modes = [{"mode": ("AUTO", "ADAPTIVE")[number % 2], "before": "UNKNOWN"} for number in range(count)]
    events = [Event("allocator.mode_changed", mode, time=number) for number, mode in enumerate(modes)]
    store.append("alpha/allocator", events)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 1200 events, 1022 dropped in two segments, a hold, a released one, a snapshot, a checkpoint."""
    path = tmp_path_factory.mktemp("original") / "a.db"
    with opened(path) as store:
        store.append("old", [Event("launch.note", {})])
        fill(store, 1199)
        catalogue(store).place(Hold("lifted"))
        catalogue(store).lift("lifted")
        Retention.of(store, Policy(max_events=100, segment_events=511)).apply()
        catalogue(store).place(Hold("case 7", "an insurer", ("alpha/*",), 1190))
        store.snapshot(BOT_STATE, "alpha/*")
        with store.subscribe(0, name="ledger") as follower:
            event = follower.get(10.0)
            assert event is not None
            follower.checkpoint(event)
        assert store.verify().ok
    return path


@pytest.fixture
def path(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original.parent, tmp_path / "copy")
    return tmp_path / "copy" / "a.db"


def forged(path: Path, forge: Forge) -> Verification:
    """The verification of a store after something was done to its files."""
    connection = apsw.Connection(str(path))
    forge(connection, Path(f"{path}.segments"))
    connection.close()
    with opened(path, "?mode=ro") as store:
        return store.verify()


def sql(*statements: str) -> Forge:
    return lambda connection, _segments: [connection.execute(statement) for statement in statements]


def files(segments: Path) -> list[Path]:
    return sorted(segments.glob("*.db"))


def swap(_connection: apsw.Connection, segments: Path) -> None:
    first, second = files(segments)
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def cut(_connection: apsw.Connection, segments: Path) -> None:
    first, _ = files(segments)
    first.write_bytes(first.read_bytes()[:5000])


def forge_gap(connection: apsw.Connection, _segments: Path) -> None:
    """Delete events in the middle and call it retention."""
    (row,) = connection.execute("SELECT recorded, hash, version, stream FROM events WHERE position = 1100")
    connection.execute("DELETE FROM events WHERE position BETWEEN 1023 AND 1100")
    connection.execute("INSERT INTO dropped VALUES (1023, 1100, ?, ?)", row[:2])
    connection.execute("UPDATE streams SET dropped = ? WHERE id = ?", row[2:])


def forge_catalogue(connection: apsw.Connection, segments: Path) -> None:
    """The same with a row of the catalogue, and a file that is another segment's."""
    forge_gap(connection, segments)
    ((extent, file, sha256),) = connection.execute("SELECT extent, file, sha256 FROM segments WHERE first = 512")
    extent = extent.replace('"first": 512', '"first": 1023').replace('"last": 1022', '"last": 1100')
    connection.execute("INSERT INTO segments VALUES (1023, ?, ?, ?, 0, 1)", (extent, file, sha256))


FORGERIES: dict[str, tuple[Forge, str]] = {
    "gap": (forge_gap, "events 1023 to 1100 are missing: no segment holds them"),
    "gap with a catalogue row": (forge_catalogue, "events 1023 to 1100 are missing: the hashes"),
    "hold deleted": (sql("DELETE FROM holds"), "hold 'case 7' was placed and never released, and is missing"),
    "hold added": (sql("INSERT INTO holds SELECT 'x', replace(hold, 'case 7', 'x') FROM holds"), "hold 'x' is not as"),
    "hold changed": (sql("UPDATE holds SET hold = replace(hold, '1190', '1199')"), "hold 'case 7' is not as"),
    "hold back": (
        sql("INSERT INTO holds VALUES ('lifted', '{\"name\": \"lifted\", \"streams\": []}')"),
        "hold 'lifted' is not as",
    ),
    "extent edited": (sql("UPDATE segments SET extent = replace(extent, '509]', '508]') WHERE first = 1"), "not the"),
    "extent's hash edited": (sql("UPDATE segments SET extent = replace(extent, '\"hash\": \"', '\"hash\": \"00')"), ""),
    "segment row deleted": (sql("DELETE FROM segments WHERE first = 512"), "events 512 to 1022 are missing: no"),
    "all segment rows deleted": (sql("DELETE FROM segments"), "events 1 to 511 are missing: no segment holds them"),
    "file replaced": (lambda _c, folder: files(folder)[0].write_bytes(b"other"), "is not the file that was sealed"),
    "file replaced, and its digest": (
        lambda connection, folder: [
            files(folder)[1].write_bytes(files(folder)[0].read_bytes()),
            connection.execute("UPDATE segments SET sha256 = (SELECT sha256 FROM segments WHERE first = 1)"),
        ],
        "the segment from 512 to 1022 is not the one that was dropped",
    ),
    "file cut off": (cut, "put it back"),
    "file gone": (lambda _c, folder: files(folder)[1].unlink(), "positions 512 to 1022: put it back"),
    "folder gone": (lambda _c, folder: shutil.rmtree(folder), "put it back"),
    "files swapped": (swap, "is not the file that was sealed"),
    "file names swapped": (
        sql("UPDATE segments SET file = (SELECT s.file FROM segments s WHERE s.first != segments.first)"),
        "is not the file that was sealed",
    ),
    "dropped again": (sql("UPDATE segments SET dropped = 0"), "events 1 to 511 are missing: no segment holds them"),
    "end of a gap edited": (sql("UPDATE dropped SET last = 1021 WHERE first = 512"), "512 to 1021 are missing"),
    "recording time of a gap": (sql("UPDATE dropped SET recorded = recorded - 1"), "events 1 to 511 are missing: the"),
    "checkpoint beyond the end": (sql("UPDATE checkpoints SET position = 99999"), "'ledger' is at position 99999"),
    "checkpoint before the beginning": (sql("UPDATE checkpoints SET position = -1 WHERE name = 'ledger'"), "'ledger'"),
    "span too narrow": (sql("UPDATE spans SET latest = earliest WHERE block = 1"), "span of times"),
    "span too late": (sql("UPDATE spans SET earliest = 10000, latest = 10001 WHERE block = 1"), "span of times"),
    "span too far": (sql("INSERT INTO spans VALUES (4000, 0, 0)"), "span of times"),
    "no spans": (sql("DROP TABLE spans"), "span"),
    "stream renamed": (sql("UPDATE streams SET name = 'eve' WHERE name = 'alpha/allocator'"), "1023"),
    "dropped stream renamed": (sql("UPDATE streams SET name = 'eve' WHERE name = 'old'"), "stream 'eve'"),
    "stream made up": (sql("INSERT INTO streams VALUES (99, 'eve', -1)"), "stream 'eve' has no events"),
    "stream gone": (sql("DELETE FROM streams WHERE name = 'old'"), "the name of stream 'old' is missing"),
    "dropped version edited": (sql("UPDATE streams SET dropped = 5 WHERE name = 'old'"), "stream 'old': version 5"),
    "type renamed": (sql("UPDATE types SET name = 'allocator.armed' WHERE name = 'allocator.mode_changed'"), "1023"),
    "version edited": (sql("UPDATE events SET version = 5000 WHERE position = 1050"), "event 1050 has version 5000"),
    "recorded edited": (sql("UPDATE events SET recorded = recorded + 1 WHERE position = 1050"), "1050 is not what"),
    "recorded before": (sql("UPDATE events SET recorded = 5 WHERE position = 1050"), "event 1050 was recorded before"),
}  # fmt: skip


@pytest.mark.requirement("EVENT-5")
@pytest.mark.parametrize("case", list(FORGERIES))
def test_what_was_forged_is_found(path: Path, case: str) -> None:
    forge, reason = FORGERIES[case]
    found = forged(path, forge)
    assert not found.ok
    assert reason in (found.reason if not reason.isdigit() else f"{found.first_bad} {found.reason}")


def test_events_that_retention_had_not_dropped_are_missed(tmp_path: Path) -> None:
    """A prefix that is deleted, and called dropped, in a store that never dropped anything."""
    path = tmp_path / "a.db"
    with opened(path, sign_events=10, sign_seconds=0.01) as store:
        fill(store, 100)

    def forge(connection: apsw.Connection, _segments: Path) -> None:
        (row,) = connection.execute("SELECT recorded, hash, version, stream FROM events WHERE position = 50")
        connection.execute("DELETE FROM events WHERE position <= 50")
        connection.execute("INSERT INTO dropped VALUES (1, 50, ?, ?)", row[:2])
        connection.execute("UPDATE streams SET dropped = ? WHERE id = ?", row[2:])

    found = forged(path, forge)
    assert (found.ok, found.first_bad) == (False, 1)
    assert "events 1 to 50 are missing" in found.reason


def test_segments_and_holds_are_recorded_across_many_runs(tmp_path: Path) -> None:
    """Also when the events that record them leave with later segments."""
    with opened(tmp_path / "a.db") as store:
        catalogue(store).place(Hold("bravo", "", ("bravo/*",)))
        for _ in range(6):
            fill(store, 30)
            Retention.of(store, Policy(max_events=10, segment_events=7)).apply()
            assert store.verify().ok
        assert store.stats().events < 40
        *_, last = store.read_all(Query(types=("eventstore.segment_dropped",)))
        assert [hold["name"] for hold in last.data["holds"]] == ["bravo"]
        export_events(store, tmp_path / "a.jsonl")
    with opened(tmp_path / "b.db") as copy:
        assert import_events(copy, tmp_path / "a.jsonl").verbatim
        assert [hold.name for hold in catalogue(copy).holds()] == ["bravo"]
        Retention.of(copy, Policy(max_events=10, segment_events=100)).apply()
        assert copy.verify().ok, copy.verify().reason
    with opened(tmp_path / "c.db") as other:
        fill(other, 1)
        assert not import_events(other, tmp_path / "a.jsonl").verbatim
        assert other.verify().ok  # what it imports of another store says nothing about this one


def test_the_store_alone_writes_its_own_stream(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as store:
        with pytest.raises(PayloadError, match="the store's own record"):
            store.append("qiki/eventstore", [Event("eventstore.hold_released", {"store": "x", "name": "case 7"})])
        with pytest.raises(PayloadError, match="the store's own record"):
            store.submit("qiki/eventstore", [Event("a", {})])
