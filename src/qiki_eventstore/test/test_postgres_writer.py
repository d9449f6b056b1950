"""One process writes, others stand by, read and follow: the order of positions is the order of commits."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from postgres_server import Server

from qiki_eventstore import ANY, Event, EventStore, StoreUnavailable, VersionConflict, open_store

PATIENCE = 60.0
"""s, how long anything is waited for: generous, as tests must not depend on speed."""

TAKEOVER = 5.0
"""s, what is promised; about a tenth of it is used, most of that between two attempts."""

PRODUCERS = 8

PROCESS = """
import sys
from qiki_eventstore import Event, open_store
url, schema, name, standby = sys.argv[1:]
with open_store(url, schema=schema, standby=float(standby)) as store:
    number = 0
    while True:
        (position,) = store.append(name, [Event("test.written", {"number": number})])
        print(position, number, flush=True)
        number += 1
"""

_names = count()


@pytest.fixture
def where(postgres_server: Server) -> SimpleNamespace:
    return SimpleNamespace(url=postgres_server.url(), schema=f"writer{next(_names)}")


def opened(where: SimpleNamespace, mode: str = "", **options: Any) -> EventStore:
    return open_store(where.url + mode, schema=where.schema, **options)


class Writer:
    """A process that appends to a stream of its own from the moment it may write; keeps what was acknowledged."""

    def __init__(self, where: SimpleNamespace, name: str, standby: float = 0.0) -> None:
        command = [sys.executable, "-c", PROCESS, where.url, where.schema, name, str(standby)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.acknowledged: dict[int, int] = {}
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._thread.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n") and len(words := line.split()) == 2:
                self.acknowledged[int(words[0])] = int(words[1])


@pytest.fixture
def writer() -> Iterator[Callable[..., Writer]]:
    writers: list[Writer] = []

    def start(*arguments: Any, **options: Any) -> Writer:
        writers.append(Writer(*arguments, **options))
        return writers[-1]

    yield start
    for one in writers:
        one.kill()


def wait_until(condition: Callable[[], bool]) -> float:
    """s until it is true."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < PATIENCE, "condition did not come true in time"
        time.sleep(0.01)
    return time.monotonic() - begun


def stands_by(server: Server) -> bool:
    """Whether a session's last statement was an attempt to become the writer that failed."""
    return server.execute(
        "SELECT EXISTS (SELECT FROM pg_stat_activity AS a WHERE query LIKE 'SELECT pg_try_advisory_lock%'"
        " AND NOT EXISTS (SELECT FROM pg_locks AS l WHERE l.pid = a.pid AND locktype = 'advisory'))"
    ) == [(True,)]


def nobody_writes(server: Server) -> bool:
    """Whether the last session of a writer has ended: the server commits what a killed process had sent."""
    return server.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')") == [(False,)]


def check_acknowledged(store: EventStore, *writers: Writer) -> None:
    """Nothing acknowledged is missing or doubled, and the chain holds."""
    events = list(store.read_all())
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    numbers = {event.position: json.loads(event.payload)["number"] for event in events}
    for one in writers:
        assert one.acknowledged.items() <= numbers.items()
    for stream in store.streams():
        assert [json.loads(event.payload)["number"] for event in store.read(stream)] == list(
            range(store.version(stream) + 1)
        )
    found = store.verify()
    assert (found.ok, found.checked) == (True, len(events)), found.reason


def test_a_user_who_may_not_lock_is_refused_at_once(where: SimpleNamespace, postgres_server: Server) -> None:
    function = "FUNCTION pg_try_advisory_lock(bigint)"
    postgres_server.execute("CREATE ROLE guest LOGIN")
    postgres_server.execute(f"REVOKE EXECUTE ON {function} FROM PUBLIC")
    try:
        with pytest.raises(StoreUnavailable, match="permission denied for function"):
            open_store(where.url.replace("user=qiki", "user=guest"), schema=where.schema)
    finally:
        postgres_server.execute(f"GRANT EXECUTE ON {function} TO PUBLIC")
        postgres_server.execute("DROP ROLE guest")


@pytest.mark.requirement("EVENT-4")
def test_a_second_writer_is_refused_and_the_holder_named(where: SimpleNamespace) -> None:
    with opened(where) as store:
        store.append("bot", [Event("a", {})])
        with pytest.raises(StoreUnavailable, match=r"held by another writer \(server process \d+"):
            opened(where, standby=0.3)
        with opened(where, "&mode=ro") as reader:
            assert [event.position for event in reader.read_all()] == [1]
            with pytest.raises(StoreUnavailable, match="mode=ro"):
                reader.append("bot", [Event("a", {})])
    with opened(where, standby=0.0) as again:
        assert again.append("bot", [Event("a", {})]) == [2]


def test_only_read_it_makes_no_tables(where: SimpleNamespace, postgres_server: Server) -> None:
    with pytest.raises(StoreUnavailable, match="there is no store at"):
        opened(where, "&mode=ro")
    assert postgres_server.execute(f"SELECT to_regnamespace('{where.schema}')::text") == [(None,)]


def test_a_store_that_cannot_be_opened_holds_no_lock(where: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key")
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="signed heads"):
            opened(where, heads=tmp_path / "heads", key=tmp_path / "key", standby=0.0)
    with opened(where, standby=0.5) as store:
        assert store.append("bot", [Event("a", {})]) == [1]


@pytest.mark.parametrize("mode", ["&mode=no", "&mode=ro&mode=rw"])
def test_other_modes_are_refused(where: SimpleNamespace, mode: str) -> None:
    with pytest.raises(ValueError, match="allowed are mode=ro and mode=rw"):
        opened(where, mode)


@pytest.mark.requirement("EVENT-4d")
def test_who_stands_by_takes_over_after_kill_9(
    where: SimpleNamespace, postgres_server: Server, writer: Callable[..., Writer]
) -> None:
    first = writer(where, "first")
    wait_until(lambda: len(first.acknowledged) > 50)
    second = writer(where, "second", standby=PATIENCE)
    wait_until(lambda: stands_by(postgres_server))
    with opened(where, "&mode=ro") as reader:
        before = len(first.acknowledged)
        wait_until(lambda: len(first.acknowledged) > before + 50)
        assert not second.acknowledged, "two wrote at a time"
        first.kill()
        assert wait_until(lambda: bool(second.acknowledged)) < TAKEOVER
        wait_until(lambda: len(second.acknowledged) > 50)
        second.kill()
        wait_until(lambda: nobody_writes(postgres_server))
        check_acknowledged(reader, first, second)


@pytest.mark.requirement("EVENT-4d")
def test_who_stands_by_takes_over_when_the_server_fails_over_too(writer: Callable[..., Writer]) -> None:
    """The writer's machine and the primary die together."""
    primary = Server.create("wal_level = replica\nhot_standby = on")
    servers = [primary]
    try:
        primary.start()
        servers.append(replica := primary.replica("standby"))
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        primary.execute("SELECT pg_reload_conf()")
        wait_until(lambda: primary.execute("SELECT sync_state FROM pg_stat_replication") == [("sync",)])
        hosts = f"host={primary.folder},{replica.folder}&port=5432,5432&user=qiki"
        where = SimpleNamespace(url=f"postgresql:///postgres?{hosts}", schema="qiki")
        first = writer(where, "first")
        wait_until(lambda: len(first.acknowledged) > 50)
        second = writer(where, "second", standby=PATIENCE)
        wait_until(lambda: stands_by(primary))
        before = len(first.acknowledged)
        wait_until(lambda: len(first.acknowledged) > before + 50)
        first.kill()
        primary.kill()
        replica.promote()
        assert wait_until(lambda: bool(second.acknowledged)) < TAKEOVER
        wait_until(lambda: len(second.acknowledged) > 50)
        second.kill()
        wait_until(lambda: nobody_writes(replica))
        with opened(where, "&mode=ro") as reader:
            check_acknowledged(reader, first, second)
    finally:
        for server in servers:
            server.remove()


@pytest.mark.requirement("EVENT-4")
def test_a_writer_that_lost_its_place_stores_nothing_more(where: SimpleNamespace, postgres_server: Server) -> None:
    with opened(where, reconnect_patience=0.5) as old:
        old.append("bot", [Event("a", {"number": 0})])
        with ThreadPoolExecutor(1) as pool:
            standing_by = pool.submit(opened, where, standby=PATIENCE)
            wait_until(
                lambda: (
                    postgres_server.execute(
                        "SELECT count(DISTINCT pid) > 1 FROM pg_stat_activity WHERE query LIKE '%pg_try_advisory_lock%'"
                    )
                    == [(True,)]
                )
            )
            postgres_server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            )
            with standing_by.result(PATIENCE) as new:
                event = Event("a", {"number": 1}, id=uuid4())
                with pytest.raises(StoreUnavailable, match="held by another writer"):
                    old.append("bot", [event], expected_version=0)
                assert new.append("bot", [event], expected_version=0) == [2]
                assert [found.position for found in old.read("bot")] == [1, 2]
                assert new.verify().ok


@pytest.mark.requirement("EVENT-4")
def test_who_asks_for_positions_above_the_last_misses_nothing(where: SimpleNamespace) -> None:
    """Also with many callers at once: a position is visible only after all before it."""
    seen: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        with psycopg.connect(where.url, autocommit=True) as connection:
            while True:
                ending = stop.is_set()
                rows = connection.execute(
                    f"SELECT position FROM {where.schema}.events WHERE position > %s ORDER BY position".encode(),
                    [seen[-1] if seen else 0],
                ).fetchall()
                seen.extend(position for (position,) in rows)
                if ending:
                    return

    with opened(where) as store, opened(where, "&mode=ro") as reader, reader.subscribe(after=0) as subscription:
        watcher = threading.Thread(target=ask)
        watcher.start()

        def produce(number: int) -> None:
            for _ in range(100):
                store.append(f"producer/{number}", [Event("test.produced", {})])

        with ThreadPoolExecutor(PRODUCERS) as pool:
            list(pool.map(produce, range(PRODUCERS)))
        stop.set()
        watcher.join()
        everything = list(range(1, PRODUCERS * 100 + 1))
        assert seen == everything
        followed = [subscription.get(PATIENCE) for _ in everything]
        assert [event and event.position for event in followed] == everything
        assert [event.position for event in store.read_all()] == everything
        assert store.verify().ok


@pytest.mark.requirement("EVENT-4")
def test_version_conflicts_of_many_callers_are_exact(where: SimpleNamespace) -> None:
    """Every version is won by exactly one of eight callers."""
    won: list[int] = []
    lost: list[int] = []  # by how many versions
    with opened(where) as store:

        def compete(_caller: int) -> None:
            for _ in range(20):
                expected = store.version("contested")
                try:
                    store.append("contested", [Event("test.won", {})], expected_version=expected)
                    won.append(expected)
                except VersionConflict as conflict:
                    lost.append(conflict.actual - expected)

        with ThreadPoolExecutor(PRODUCERS) as pool:
            list(pool.map(compete, range(PRODUCERS)))
        assert sorted(won) == list(range(-1, len(won) - 1))
        assert lost, "nobody lost: this test proves nothing"
        assert min(lost) > 0
        assert [event.version for event in store.read("contested")] == list(range(len(won)))


@pytest.mark.requirement("EVENT-2a")
def test_one_event_retried_by_many_callers_is_stored_once(where: SimpleNamespace) -> None:
    event = Event("test.retried", {}, id=uuid4())
    start = threading.Barrier(PRODUCERS)
    with opened(where) as store:

        def retry(_caller: int) -> list[int]:
            start.wait()
            return store.append("retried", [event], ANY)

        with ThreadPoolExecutor(PRODUCERS) as pool:
            positions = list(pool.map(retry, range(PRODUCERS)))
        assert positions == [[1]] * PRODUCERS
        assert len(store.read("retried")) == 1
