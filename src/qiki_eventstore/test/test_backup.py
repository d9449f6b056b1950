"""A backup becomes a store again, verified, and overwrites nothing."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw
import pytest

from qiki_eventstore import Event, EventStore, Query, StoreCorrupt, open_store
from qiki_eventstore.backup import restore
from qiki_eventstore.retention.catalogue import insert_hold
from qiki_eventstore.retention.policy import Hold, Policy
from qiki_eventstore.retention.retention import Retention
from qiki_eventstore.retention.segment import Retainable
from qiki_eventstore.sqlite.store import SqliteStore
from qiki_eventstore.transfer import export_events, import_events


def open_at(path: Path, **options: Any) -> EventStore:
    return open_store(f"sqlite:///{path}", **{"reserve_bytes": 0, "sign_events": 10, "sign_seconds": 0.05, **options})


def fill(store: EventStore, count: int) -> None:
    for number in range(count):
        store.append("s", [Event("a", {"number": number})])


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """Of a store with 50 events."""
    with open_at(tmp_path / "a.db") as store:
        fill(store, 50)
    with open_at(tmp_path / "a.db") as store:
        store.backup(tmp_path / "backup.db")
    return tmp_path / "backup.db"


def test_restored_store_goes_on(tmp_path: Path, backup: Path) -> None:
    (tmp_path / "new").mkdir()
    path = tmp_path / "new" / "b c%20?.db"
    found = restore(backup, path)
    assert (found.ok, found.head, found.signed) == (True, 50, 50)
    with open_store(f"sqlite:///{quote(str(path))}", reserve_bytes=0) as store:
        assert store.append("s", [Event("a", {})], expected_version=49) == [52]
    with open_store(f"sqlite:///{quote(str(path))}", reserve_bytes=0) as store:
        assert store.verify().signed == 52
    with open_at(tmp_path / "a.db") as original:
        assert original.head() == 50


@pytest.mark.parametrize("suffix", ["", "-wal", ".heads", ".pub", ".segments"])
def test_nothing_is_overwritten(tmp_path: Path, backup: Path, suffix: str) -> None:
    taken = tmp_path / f"b.db{suffix}"
    taken.write_bytes(b"precious")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(FileExistsError, match="overwrites nothing") as caught:
        restore(backup, tmp_path / "b.db")
    assert str(taken) in str(caught.value)
    assert taken.read_bytes() == b"precious"
    assert sorted(tmp_path.iterdir()) == before


def test_backup_that_does_not_verify_is_refused(tmp_path: Path, backup: Path) -> None:
    connection = apsw.Connection(str(backup))
    connection.execute("UPDATE events SET time = 5 WHERE position = 20")
    connection.close()
    with pytest.raises(StoreCorrupt, match="the backup does not verify") as caught:
        restore(backup, tmp_path / "b.db")
    assert caught.value.position == 20
    assert list(tmp_path.glob("b.db*")) == []


def test_backup_whose_end_was_cut_off_is_refused(tmp_path: Path, backup: Path) -> None:
    connection = apsw.Connection(str(backup))
    connection.execute("DELETE FROM events WHERE position > 40")
    connection.close()
    with pytest.raises(StoreCorrupt, match="missing at the end"):
        restore(backup, tmp_path / "b.db")


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreCorrupt, match="no event store"):
        restore(tmp_path / "x", tmp_path / "b.db")
    with pytest.raises(FileNotFoundError, match="no such backup"):
        restore(tmp_path / "y", tmp_path / "b.db")
    assert list(tmp_path.glob("b.db*")) == []


def test_segments_beside_the_backup_come_along(tmp_path: Path) -> None:
    with open_at(tmp_path / "a.db") as store:
        fill(store, 50)
        events = list(store.read_all())
        Retention.of(store, Policy(max_events=20, segment_events=10)).apply()
        store.backup(tmp_path / "backup.db")
        assert isinstance(store, Retainable)
        store.segments_folder.rename(tmp_path / "backup.db.segments")
    restore(tmp_path / "backup.db", tmp_path / "b.db")
    with open_at(tmp_path / "b.db") as store:
        assert list(store.read_all(Query(before=51))) == events


def test_a_backup_without_its_segments_becomes_a_store_that_says_so(tmp_path: Path) -> None:
    with open_at(tmp_path / "a.db") as store:
        fill(store, 50)
        Retention.of(store, Policy(max_events=20, segment_events=10)).apply()
        store.backup(tmp_path / "backup.db")
    restore(tmp_path / "backup.db", tmp_path / "b.db")
    with open_at(tmp_path / "b.db") as store:
        *_, last = store.read_all(Query(after=50))
        assert (last.type, last.data["head"]) == ("eventstore.restored", 53)
        assert "positions 21 to 30: put it back" in store.verify().reason


def test_what_the_original_goes_on_with_comes_back_without_its_holds(tmp_path: Path, backup: Path) -> None:
    with open_at(tmp_path / "a.db") as original:
        assert isinstance(original, Retainable)
        original.catalogue.place(Hold("incident", reason="why"))
        fill(original, 5)
        export_events(original, tmp_path / "a.jsonl")
    restore(backup, tmp_path / "b.db")
    with open_at(tmp_path / "b.db") as store:
        assert isinstance(store, Retainable)
        assert import_events(store, tmp_path / "a.jsonl").stored == 5
        assert store.catalogue.holds() == []
        assert store.verify().ok


def test_a_hold_of_an_earlier_version_is_right_in_a_copy(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parent / "stores" / "version_2.db", tmp_path / "a.db")
    with open_at(tmp_path / "a.db") as store:
        assert isinstance(store, SqliteStore)
        # That version kept holds in the table alone.
        store.run(
            lambda connection: connection.execute("CREATE TABLE holds(name TEXT PRIMARY KEY, hold TEXT NOT NULL)")
        )
        store.run(lambda connection: insert_hold(connection, Hold("old", reason="why")))
        assert store.verify().ok
        store.backup(tmp_path / "backup.db")
    assert restore(tmp_path / "backup.db", tmp_path / "b.db").ok
    with open_at(tmp_path / "b.db") as store:
        assert isinstance(store, Retainable)
        assert [hold.name for hold in store.catalogue.holds()] == ["old"]
        assert store.verify().ok
