"""What is SQLite's own: files, the lock, group commit, back-pressure, full disks, damage, copies."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import apsw
import pytest

from qiki_eventstore import (
    ANY,
    Delivery,
    Event,
    PayloadError,
    Query,
    StoreCorrupt,
    StoreFull,
    StoreUnavailable,
    open_store,
)
from qiki_eventstore.engine import spans
from qiki_eventstore.engine.backend import Connection
from qiki_eventstore.engine.batch import Batch
from qiki_eventstore.engine.queue import Call, Task
from qiki_eventstore.engine.rows import Names
from qiki_eventstore.preparation import prepare
from qiki_eventstore.sqlite.backend import SqliteBackend
from qiki_eventstore.sqlite.store import SqliteStore

ALLOCATOR = "alpha/allocator"


def event(number: int = 0, **fields: Any) -> Event:
    return Event("test.began", {"number": number}, **fields)


def opened(path: Path, query: str = "", **options: Any) -> SqliteStore:
    store = open_store(f"sqlite:///{path}{query}", **{"reserve_bytes": 0, **options})
    assert isinstance(store, SqliteStore)
    return store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def hold() -> "Hold":
    return Hold()


class Hold:
    """Keeps a store's writer busy for as long as a test needs."""

    def __init__(self) -> None:
        self._busy, self._go_on = threading.Event(), threading.Event()

    def begin(self, store: SqliteStore) -> None:
        self._thread = threading.Thread(target=lambda: store.run(self._wait))
        self._thread.start()
        assert self._busy.wait(10)

    def end(self) -> None:
        self._go_on.set()
        self._thread.join()

    def _wait(self, _connection: apsw.Connection) -> None:
        self._busy.set()
        assert self._go_on.wait(30)


# Opening ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:events.db",
        "sqlite://host/events.db",
        "sqlite:///",
        "sqlite:///a.db?mode=rx",
        "sqlite:///a.db?cache=1",
        "x",
    ],
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="store URL"):
        open_store(url)


@pytest.mark.requirement("EVENT-2g")
@pytest.mark.parametrize(
    ("option", "value"),
    [("synchronous", "OFF"), ("max_events", 0), ("patience", -1), ("patience", True), ("colour", 1)],
)
def test_a_wrong_option_is_named(path: Path, option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"option {option}"):
        opened(path, **{option: value})
    assert not path.exists()


def test_relative_paths_and_percent_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    opened(Path("with%20blank.db")).close()
    assert (tmp_path / "with blank.db").exists()


@pytest.mark.requirement("EVENT-3")
def test_one_writer_at_a_time(path: Path) -> None:
    with opened(path), pytest.raises(StoreUnavailable, match=f"process {os.getpid()}"):
        opened(path)
    opened(path).close()


@pytest.mark.requirement("EVENT-3")
def test_a_killed_writer_frees_the_lock(path: Path) -> None:
    code = (
        f"import time; from qiki_eventstore import open_store; s = open_store('sqlite:///{path}'); print(1, flush=True)"
    )
    writer = subprocess.Popen([sys.executable, "-c", f"{code}; time.sleep(60)"], stdout=subprocess.PIPE)
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"1\n"
        with pytest.raises(StoreUnavailable, match=f"process {writer.pid}"):
            opened(path)
    finally:
        writer.kill()
        writer.communicate()
    opened(path).close()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        opened(tmp_path / "nowhere" / "events.db")
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        opened(tmp_path / "events.db", "?mode=ro")


def test_other_files_are_not_touched(path: Path) -> None:
    path.write_bytes(b"These are not the events that you are looking for." * 100)
    with pytest.raises(StoreCorrupt, match="no event store"):
        opened(path)
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE t(a)")
    other.close()
    with pytest.raises(StoreCorrupt, match="not an event store"):
        opened(path)


def test_a_store_of_a_newer_program_is_refused(path: Path) -> None:
    opened(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StoreUnavailable, match="version 99"):
        opened(path)


@pytest.mark.requirement("EVENT-3")
def test_the_database_is_as_durable_as_it_says(path: Path) -> None:
    for mode, number in (("FULL", 2), ("NORMAL", 1)):
        with opened(path, synchronous=mode) as store:
            assert store.run(lambda connection: connection.pragma("synchronous")) == number
            assert store.run(lambda connection: connection.pragma("journal_mode")) == "wal"
    assert not path.with_name("events.db-wal").exists()  # closed into one file


# Reading from another process ---------------------------------------------------------------------------------------


def test_a_reader_sees_what_the_writer_commits(path: Path) -> None:
    with opened(path) as store, opened(path, "?mode=ro", poll=0.01) as reader:
        store.append(ALLOCATOR, [event(1)])
        with reader.subscribe() as follower:
            assert follower.get(10) == store.read(ALLOCATOR)[0]
            assert follower.get(0.05) is None
            timer = threading.Timer(0.1, lambda: store.append(ALLOCATOR, [event(2)]))
            timer.start()
            found = follower.get(10)
            timer.join()
            assert found is not None
            assert found.version == 1
            with pytest.raises(StoreUnavailable, match="mode=ro"):
                store_checkpoint(reader)
        with pytest.raises(StoreUnavailable, match="mode=ro"):
            reader.append(ALLOCATOR, [event()])
        assert "mode=ro" in reader.stats().read_only
        assert reader.verify().ok
        assert reader.version(ALLOCATOR) == 1


def store_checkpoint(store: SqliteStore) -> None:
    with store.subscribe(0, name="ledger") as follower:
        found = follower.get(10)
        assert found is not None
        follower.checkpoint(found)


# Group commit and back-pressure -------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-3")
def test_what_waits_goes_into_one_transaction(path: Path, hold: Hold) -> None:
    with opened(path) as store:
        hold.begin(store)
        futures = [store.submit(f"stream/{number}", [event(number)]) for number in range(500)]
        assert store.stats().queued == 500
        before = store.stats().commits
        hold.end()
        assert [future.result(10) for future in futures] == [[number + 1] for number in range(500)]
        assert store.stats().commits - before <= 2


@pytest.mark.requirement("EVENT-3c")
def test_audit_waits_for_room_and_telemetry_is_dropped_and_counted(path: Path, hold: Hold) -> None:
    with opened(path, max_events=10, patience=0.2) as store:
        hold.begin(store)
        futures = [store.submit(ALLOCATOR, [event(number)]) for number in range(10)]
        began = time.monotonic()
        assert store.append(ALLOCATOR, [event(), event()], delivery=Delivery.TELEMETRY) == []
        assert time.monotonic() - began < 0.2
        with pytest.raises(StoreFull, match="queue stayed full"):
            store.append(ALLOCATOR, [event()])
        assert store.stats().dropped == 2
        timer = threading.Timer(0.05, hold.end)
        timer.start()
        late = store.append(ALLOCATOR, [event()])  # room comes while it waits
        timer.join()
        assert [future.result(10) for future in futures] == [[number + 1] for number in range(10)]
        assert late == [11]
        assert store.append(ALLOCATOR, [event(number) for number in range(25)])  # larger than the queue: alone


@pytest.mark.requirement("EVENT-3c")
def test_the_queue_is_bounded_in_bytes(path: Path, hold: Hold) -> None:
    with opened(path, max_bytes=1000, patience=0.05) as store:
        hold.begin(store)
        store.submit(ALLOCATOR, [Event("test.began", {"text": "x" * 900})])
        with pytest.raises(StoreFull, match="queue stayed full"):
            store.append(ALLOCATOR, [Event("test.began", {"text": "x" * 200})])
        hold.end()
        assert store.version(ALLOCATOR) <= 0


@pytest.mark.requirement("EVENT-3c")
def test_a_caller_that_finds_the_writer_idle_stores_by_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    commit = SqliteBackend.commit

    def noted(backend: SqliteBackend, batch: Batch, tasks: Sequence[Task]) -> None:
        threads.append(threading.current_thread())
        commit(backend, batch, tasks)

    monkeypatch.setattr(SqliteBackend, "commit", noted)
    with opened(path) as store:
        store.append(ALLOCATOR, [event()])
        store.submit(ALLOCATOR, [event()]).result(10)
        assert threads[0] is threading.current_thread()
        assert threads[1] is not threading.current_thread()  # nothing holds up who only submits


def test_a_signal_that_strikes_the_writing_caller_leaves_the_store_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after the commit: the interrupted caller and those it stored for may repeat their calls."""
    commit = SqliteBackend.commit
    for done in (False, True):
        with opened(path) as store:
            calls = [event(number, id=uuid4()) for number in range(2)]
            before = store.head()

            def interrupted(backend: SqliteBackend, batch: Batch, tasks: Sequence[Task], done: bool = done) -> None:
                if done:
                    commit(backend, batch, tasks)
                raise KeyboardInterrupt

            monkeypatch.setattr(SqliteBackend, "commit", interrupted)
            with pytest.raises(KeyboardInterrupt):
                store.append(ALLOCATOR, calls[:1])
            monkeypatch.setattr(SqliteBackend, "commit", commit)
            assert store.head() == before + done
            if done:  # also without another append
                with store.subscribe(before) as follower:
                    found = follower.get(10)
                assert found is not None
                assert found.id == calls[0].id
            assert store.append(ALLOCATOR, calls[:1]) == [before + 1]
            assert store.append(ALLOCATOR, calls[1:]) == [before + 2]
            assert store.verify().ok


def test_a_retry_is_recognized_however_old_and_whatever_its_ids(path: Path) -> None:
    """Ids of the newest events are in memory, the others in a table; random ids come in no order."""
    calls = [[event(id=uuid4() if number % 3 else None) for _ in range(700)] for number in range(15)]
    with opened(path) as store:
        positions = [store.append(ALLOCATOR, call) for call in calls]
        assert positions == [list(range(first, first + 700)) for first in range(1, 10_500, 700)]
        assert [store.append(ALLOCATOR, call) for call in calls] == positions
        with pytest.raises(PayloadError, match="position 1 in stream"):
            store.append("other", calls[0][:1])
    with opened(path) as store:
        assert [store.append(ALLOCATOR, call) for call in calls] == positions
        assert store.head() == 10_500
        assert store.verify().ok


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DELETE FROM ids WHERE position = 3000", "event 3000"),
        ("UPDATE ids SET position = 7 WHERE position = 3000", "event 3000"),
        ("INSERT INTO ids SELECT id, position FROM events WHERE position = 4200", "event 4200"),
        ("INSERT INTO ids VALUES (zeroblob(16), 9999)", "no event"),
    ],
)
def test_ids_that_would_not_be_found_are_named(path: Path, statement: str, reason: str) -> None:
    with opened(path) as store:
        store.append(ALLOCATOR, [event() for _ in range(4_200)])
    tamper(path, statement)
    with opened(path) as store:
        verification = store.verify()
    assert not verification.ok
    assert reason in verification.reason


def test_closing_refuses_those_who_wait_for_room(path: Path, hold: Hold) -> None:
    store = opened(path, max_events=1, patience=30)
    hold.begin(store)
    queued = store.submit(ALLOCATOR, [event()])
    failures: list[Exception] = []

    def wait() -> None:
        try:
            store.append(ALLOCATOR, [event()])
        except StoreUnavailable as error:
            failures.append(error)

    waiting, closing = threading.Thread(target=wait), threading.Thread(target=store.close)
    waiting.start()
    time.sleep(0.05)
    closing.start()
    waiting.join(10)
    hold.end()
    closing.join()
    assert queued.result(10) == [1]
    assert len(failures) == 1


def test_work_that_fails_is_undone_alone(path: Path) -> None:
    def fail(connection: apsw.Connection) -> None:
        connection.execute("DELETE FROM events")
        raise ZeroDivisionError

    with opened(path) as store:
        store.append(ALLOCATOR, [event()])
        with pytest.raises(ZeroDivisionError):
            store.run(fail)
        assert store.append(ALLOCATOR, [event()], 0) == [2]
        assert store.verify().ok


@pytest.mark.requirement("EVENT-1a", "EVENT-15g")
def test_recording_time_never_falls_when_the_clock_jumps_back(path: Path) -> None:
    times = iter([10**18, 10**18 - 10**15, 10**18 - 1, 10**18 + 5, 10**18 + 5])
    with opened(path, clock=lambda: next(times)) as store:
        for _ in range(4):
            store.append(ALLOCATOR, [event(), event()])
        recorded = [found.recorded - 10**18 for found in store.read(ALLOCATOR)]
    assert recorded == [0, 1, 2, 3, 4, 5, 6, 7]
    with opened(path, clock=lambda: 5) as store:
        store.append(ALLOCATOR, [event()])
        assert store.read(ALLOCATOR)[-1].recorded == 10**18 + 8


@pytest.mark.requirement("EVENT-3a")
def test_the_log_is_emptied_while_events_are_written(path: Path) -> None:
    with opened(path, checkpoint_bytes=100_000) as store:
        deadline = time.monotonic() + 20
        while not store.stats().last_checkpoint > 0:
            store.append(ALLOCATOR, [Event("test.began", {"text": "x" * 5000})])
            assert time.monotonic() < deadline
        for _ in range(300):
            store.append(ALLOCATOR, [Event("test.began", {"text": "x" * 5000})])
        assert path.with_name("events.db-wal").stat().st_size < 20_000_000
        assert path.stat().st_size > 500_000  # before anything was closed
        assert store.verify().ok


# Full disk ----------------------------------------------------------------------------------------------------------


def allow_pages(pages: int) -> Callable[[apsw.Connection], Any]:
    return lambda connection: connection.pragma("max_page_count", pages)


def test_a_full_disk_makes_it_read_only_until_there_is_room(path: Path) -> None:
    with opened(path, probe=0.05) as store:
        store.append(ALLOCATOR, [event()])
        pages = store.run(allow_pages(1))  # SQLite says "full" when the next page is needed
        large = Event("test.began", {"text": "x" * 10_000})
        with pytest.raises(StoreFull, match="free space"):
            store.append(ALLOCATOR, [Event(large.type, large.data) for _ in range(100)])
        assert "disk" in store.stats().read_only
        with pytest.raises(StoreFull):
            store.append("operator", [large], -1)
        kept = list(store.read_all())
        assert len(kept) == store.head() >= 1
        assert store.verify().ok
        time.sleep(0.1)
        assert "disk" in store.stats().read_only  # it has tried by itself
        deadline = time.monotonic() + 10
        while True:  # the work itself is refused until the writer tries again
            try:
                store.run(allow_pages(2**30))
                break
            except StoreFull:
                assert time.monotonic() < deadline
        assert store.stats().read_only == ""
        assert store.append(ALLOCATOR, [event()]) == [len(kept) + 1]
        assert store.verify().ok
        assert pages >= 1


def test_it_stops_before_the_disk_is_full_and_goes_on_by_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(path.parent)
    free = [real.f_bavail]

    def statvfs(_path: Any) -> os.statvfs_result:
        return os.statvfs_result((*real[:4], free[0], *real[5:]))

    monkeypatch.setattr(os, "statvfs", statvfs)
    with opened(path, reserve_bytes=1_000_000, probe=0.02) as store:
        store.append(ALLOCATOR, [event()])
        free[0] = 100_000 // real.f_frsize
        deadline = time.monotonic() + 10
        while not store.stats().read_only:  # the free space is looked at every second
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(StoreFull, match="kept free"):
            store.append(ALLOCATOR, [event()])
        assert "kept free" in store.stats().read_only
        free[0] = real.f_bavail
        deadline = time.monotonic() + 10
        while store.stats().read_only:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert store.append(ALLOCATOR, [event()]) == [2]


# Damage -------------------------------------------------------------------------------------------------------------


def filled(path: Path, **options: Any) -> None:
    with opened(path, **options) as store:
        for number in range(50):  # and so three names of streams, numbered in this order
            store.append(f"bot/{number % 3}", [event(number, correlation="flight", source="/alpha")])


def tamper(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.requirement("EVENT-5")
@pytest.mark.parametrize(
    ("statement", "first_bad"),
    [
        ("UPDATE events SET payload = CAST('{\"number\":666}' AS BLOB) WHERE position = 20", 20),
        ("UPDATE events SET time = time + 1 WHERE position = 1", 1),
        ("UPDATE events SET recorded = 1 WHERE position = 33", 33),
        ("UPDATE events SET correlation = NULL WHERE position = 50", 50),
        ("UPDATE events SET hash = zeroblob(32) WHERE position = 7", 7),
        ("UPDATE streams SET name = 'bot/9' WHERE name = 'bot/1'", 2),
        ("UPDATE types SET name = 'test.faked'", 1),
        ("UPDATE sources SET name = '/bravo'", 1),
        ("DELETE FROM events WHERE position = 12", 12),
        ("DELETE FROM events WHERE position < 4", 1),
        ("UPDATE events SET version = 40 WHERE position = 48", 48),
        ("DELETE FROM streams WHERE name = 'bot/2'", 3),
        ("DELETE FROM types", 1),
        ("UPDATE events SET source = 9 WHERE position = 21", 21),
        ("UPDATE events SET content = 9 WHERE position = 22", 22),
        ("UPDATE events SET id = zeroblob(40) WHERE position = 23", 23),
        ("UPDATE events SET correlation = CAST(x'ff' AS TEXT) WHERE position = 24", 24),
    ],
)
def test_verify_names_the_first_bad_position(path: Path, statement: str, first_bad: int) -> None:
    filled(path)
    tamper(path, statement)
    with opened(path, "?mode=ro") as store:
        verification = store.verify()
    assert not verification.ok
    assert verification.first_bad == first_bad
    assert verification.reason


@pytest.mark.requirement("EVENT-5a")
def test_a_chain_computed_anew_contradicts_the_signed_head(path: Path, tmp_path: Path) -> None:
    filled(path)
    other = tmp_path / "other.db"
    with opened(other) as store:
        for number in range(50):
            store.append(f"bot/{number % 3}", [event(number)])
    tamper(other, f"ATTACH '{path}' AS genuine", "REPLACE INTO meta SELECT * FROM genuine.meta WHERE key = 'store'")
    other.replace(path)
    with opened(path, "?mode=ro") as store:
        verification = store.verify()
    assert not verification.ok
    assert verification.first_bad == 50
    assert "signed head" in verification.reason


@pytest.mark.requirement("EVENT-5a", "EVENT-15d")
def test_verify_shows_a_tail_that_was_cut_off(path: Path) -> None:
    filled(path)
    tamper(path, "DELETE FROM events WHERE position > 30")
    with opened(path, "?mode=ro") as store:
        verification = store.verify()
    assert not verification.ok
    assert verification.first_bad is None
    assert "31 to 50 are missing at the end" in verification.reason


@pytest.mark.requirement("EVENT-15d")
def test_a_flipped_byte_changes_no_event_unnoticed(path: Path) -> None:
    filled(path)
    whole = path.read_bytes()
    with opened(path, "?mode=ro") as store:
        written = list(store.read_all())
    places = [*range(100, len(whole), 1499), whole.rfind(b'"number":') + 9]
    found = 0
    for place in places:
        broken = bytearray(whole)
        broken[place] ^= 0x10
        path.write_bytes(broken)
        try:
            with opened(path, "?mode=ro") as store:
                if store.verify().ok:
                    assert list(store.read_all()) == written  # the byte is not in use
                else:
                    found += 1
        except StoreCorrupt:
            found += 1
    assert found >= 5  # most bytes of so small a database are not in use


def read_everything(path: Path) -> None:
    with opened(path, "?mode=ro") as store:
        list(store.read_all())


def test_a_garbled_database_says_so(path: Path) -> None:
    filled(path)
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match="restore a backup"):
        read_everything(path)


def test_what_is_garbled_while_it_is_open_stops_it(path: Path) -> None:
    with opened(path) as store:
        store.append(ALLOCATOR, [event()])
        store.run(lambda connection: connection.execute("UPDATE events SET hash = zeroblob(3) WHERE position = 1"))
        with pytest.raises(StoreCorrupt, match="3 bytes instead of 32"):
            store.head()


# Copies -------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-2e")
def test_a_backup_is_made_while_events_are_written(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    stop = threading.Event()
    with opened(path, sign_events=10, sign_seconds=0.05) as store:
        store.append(ALLOCATOR, [event(number) for number in range(2000)])

        def write() -> None:
            while not stop.is_set():
                store.append("operator", [event()])

        writer = threading.Thread(target=write)
        writer.start()
        before = store.head()
        store.backup(copy)
        after = store.head()
        stop.set()
        writer.join()
        with opened(copy, "?mode=ro") as copied:
            verification = copied.verify()
            assert verification.ok, verification.reason
            assert before <= verification.head <= after
            assert list(copied.read_all()) == list(store.read_all(Query(limit=verification.head)))
        with opened(copy) as restored:
            assert restored.append(ALLOCATOR, [event()], 1999) == [verification.head + 1]
            assert restored.verify().ok
        assert store.append(ALLOCATOR, [event()], 1999)


def test_a_backup_overwrites_nothing(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with opened(path) as store:
        store.append(ALLOCATOR, [event()])
        copy.write_text("mine")
        with pytest.raises(FileExistsError, match=r"copy\.db is there already"):
            store.backup(copy)
        assert copy.read_text() == "mine"
        with pytest.raises(FileNotFoundError, match="no such folder"):
            store.backup(tmp_path / "nowhere" / "copy.db")
    assert sorted(file.name for file in tmp_path.iterdir() if "copy" in file.name) == ["copy.db"]


# Plans --------------------------------------------------------------------------------------------------------------


def test_a_range_of_time_is_read_by_its_index(path: Path) -> None:
    """Counted in rows that SQLite visits, not in seconds."""
    with opened(path) as store:
        for start in range(0, 20_000, 1000):
            store.append(ALLOCATOR, [event(number, time=number) for number in range(start, start + 1000)])
        query = Query(start=15_000, end=15_100)
        steps: list[int] = []
        with store._readers.connection() as connection:
            connection.set_progress_handler(lambda: bool(steps.append(1)), 1000)
        assert [found.time for found in store.read_all(query)] == list(range(15_000, 15_100))
        by_index = len(steps)
        steps.clear()
        assert len(list(store.read_all(Query(types=("no.such", "test.began"))))) == 20_000
        assert by_index * 20 < len(steps)


def test_ranges_of_time_over_many_blocks(path: Path) -> None:
    """The clock runs, is set back, and stands still; events of another clock lie between."""
    times = [*range(0, 3000), *range(1000, 2500), *[1500] * 700, *range(1_000_000, 1_000_400)]
    with opened(path) as store:
        for number, time_ns in enumerate(times):
            store.submit(ALLOCATOR if number % 3 else "operator", [event(number, time=time_ns)])
        store.append(ALLOCATOR, [event(time=1500)])
        events = list(store.read_all())
        for start, end in ((0, 1), (1400, 1600), (2990, 3010), (-5, 10**7), (999_990, 1_000_010), (5000, 6000)):
            for streams in ((), ("operator",), ("operator", ALLOCATOR)):
                for backwards in (False, True):
                    query = Query(start=start, end=end, streams=streams, backwards=backwards, after=100, before=5500)
                    expected = [
                        found
                        for found in events
                        if start <= found.time < end
                        and 100 < found.position < 5500
                        and (not streams or found.stream in streams)
                    ]
                    assert list(store.read_all(query)) == (expected[::-1] if backwards else expected)
        assert store.verify().ok


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE spans SET latest = latest - 1 WHERE block = 1",
        "UPDATE spans SET earliest = earliest + 1 WHERE block = 0",
        "DELETE FROM spans WHERE block = 0",
        "INSERT INTO spans VALUES (7, 0, 1)",
    ],
)
def test_wrong_spans_of_time_are_found(path: Path, statement: str) -> None:
    with opened(path) as store:
        store.append(ALLOCATOR, [event(number, time=number) for number in range(1200)])
    tamper(path, statement)
    with opened(path, "?mode=ro") as store:
        verification = store.verify()
    assert not verification.ok
    assert "span of times" in verification.reason


def test_block_of_times_that_becomes_full_during_a_query_is_read_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(path) as store:
        store.append(ALLOCATOR, [event(number, time=number) for number in range(1000)])
        last = spans._last

        def last_before_more(connection: Connection) -> int:
            monkeypatch.setattr(spans, "_last", last)
            found = last(connection)
            store.append(ALLOCATOR, [event(number, time=number) for number in range(100)])
            return found

        monkeypatch.setattr(spans, "_last", last_before_more)
        assert [found.position for found in store.read_all(Query(start=600))] == list(range(601, 1001))


def test_payloads_have_a_largest_size(path: Path) -> None:
    with opened(path) as store, pytest.raises(PayloadError, match="16777216"):
        store.append(ALLOCATOR, [Event("test.began", {"text": "x" * (16 * 1024 * 1024)})])


def test_a_task_finds_what_it_has_stored_itself(tmp_path: Path) -> None:
    event = Event("a", {})
    with open_store(f"sqlite:///{tmp_path}/a.db", reserve_bytes=0) as store:
        assert isinstance(store, SqliteStore)

        def twice(connection: Any) -> list[Call]:
            calls = [Call("s", prepare("s", [event]), ANY) for _ in range(2)]
            for call in calls:
                store.insert(connection, [call])
            return calls

        first, second = store.run(twice, moves_head=True)
        assert (first.error, second.error) == (None, None)
        assert first.positions == second.positions == [1]
        assert store.append("s", [event]) == [1]
        assert store.append("s", [Event("b", {})]) == [2]
        assert store.verify().ok


def test_names_are_found_though_another_thread_forgets_them_meanwhile() -> None:
    names = Names()

    class Connection:
        def execute(self, _sql: str, _parameters: object) -> list[tuple[int, str]]:
            names.forget()
            return [(1, "alpha/x"), (2, "bravo/x")]

    assert names.matching(Connection(), "streams", ["alpha/*"]) == [1]
    assert names.all(Connection(), "streams") == ["alpha/x", "bravo/x"]
