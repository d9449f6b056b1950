"""Many processes write at once: one order, and a follower that misses nothing."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from postgres_server import Server

from qiki_eventstore import ANY, Event, EventStore, VersionConflict, open_store

WRITERS = 16
EACH = 40
ROUNDS = 8


PROCESS = """
import sys
from qiki_eventstore import Event, open_store
url, schema, writer, count = sys.argv[1:]
with open_store(url, schema=schema) as store:
    for number in range(int(count)):
        store.append(f"shared/{int(writer) % 2}", [Event("test.written", {"writer": writer, "number": number})])
"""


def write_until(url: str, schema: str, writer: int, stop: threading.Event, sums: list[int]) -> None:
    with open_store(url, schema=schema) as store:
        count = 0
        while not stop.is_set():
            store.append(f"writer/{writer}", [Event("test.written", {"writer": writer, "number": count})])
            count += 1
        sums.append(count)


class NaiveFollower:
    """Asks for positions above the last one it saw: what must not be done."""

    def __init__(self, url: str, schema: str) -> None:
        self._url, self._schema = url, schema
        self.seen: set[int] = set()

    def run(self, stop: threading.Event) -> None:
        last = 0
        with psycopg.connect(self._url, autocommit=True) as connection:
            while True:
                ending = stop.is_set()
                rows = connection.execute(
                    f"SELECT position FROM {self._schema}.events WHERE position > %s ORDER BY position".encode(), [last]
                ).fetchall()
                self.seen.update(position for (position,) in rows)
                last = max([last, *self.seen])
                if ending:
                    return


@pytest.fixture(scope="module")
def store(postgres_server: Server) -> Iterator[EventStore]:
    with open_store(postgres_server.url(), schema="ordered") as store:
        yield store


@pytest.mark.requirement("EVENT-4")
def test_a_follower_misses_nothing_where_a_naive_one_does(postgres_server: Server, store: EventStore) -> None:
    seen: list[int] = []
    finished = threading.Event()

    def follow() -> None:
        with store.subscribe(after=0) as subscription:
            while not (finished.is_set() and len(seen) >= store.head()):
                event = subscription.get(timeout=0.5)
                if event is not None:
                    seen.append(event.position)
                elif finished.is_set():
                    return

    follower = threading.Thread(target=follow)
    follower.start()
    skipped = 0
    for _ in range(ROUNDS):
        naive = NaiveFollower(postgres_server.url(), "ordered")
        stop = threading.Event()
        before = store.head()
        watcher = threading.Thread(target=naive.run, args=[stop])
        watcher.start()
        sums: list[int] = []
        writing = threading.Event()
        writers = [
            threading.Thread(target=write_until, args=[postgres_server.url(), "ordered", writer, writing, sums])
            for writer in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        time.sleep(1.0)
        writing.set()
        for writer in writers:
            writer.join()
        stop.set()
        watcher.join()
        stored = {event.position for event in store.read_all() if event.position > before}
        assert len(stored) == sum(sums)
        skipped += len(stored - naive.seen)
        if skipped:
            break
    finished.set()
    follower.join()
    stored_positions = [event.position for event in store.read_all()]
    assert seen == stored_positions
    assert skipped, f"the naive follower skipped nothing in {ROUNDS} rounds: this test proves nothing"


@pytest.mark.requirement("EVENT-4")
def test_processes_write_one_order(postgres_server: Server, store: EventStore) -> None:
    before = store.head()
    processes = [
        subprocess.Popen([sys.executable, "-c", PROCESS, postgres_server.url(), "ordered", str(writer), str(EACH)])
        for writer in range(4)
    ]
    for process in processes:
        assert process.wait(60) == 0
    events = [event for event in store.read_all() if event.position > before]
    assert len(events) == 4 * EACH
    rows = postgres_server.execute("SELECT position, tx, recorded FROM ordered.events ORDER BY position")
    assert [row[1] for row in rows] == sorted(row[1] for row in rows), "positions rise in the order of transactions"
    assert [row[2] for row in rows] == sorted(row[2] for row in rows), "recording times rise with positions"
    assert store.verify().ok


@pytest.mark.requirement("EVENT-4")
def test_version_conflicts_across_processes_are_exact(postgres_server: Server, store: EventStore) -> None:
    """Every version is won by exactly one of eight writers, each with a store of its own."""
    won: list[int] = []
    lost: list[int] = []  # by how many versions

    def compete() -> None:
        with open_store(postgres_server.url(), schema="ordered") as own:
            for _ in range(20):
                expected = own.version("contested")
                try:
                    own.append("contested", [Event("test.won", {})], expected_version=expected)
                    won.append(expected)
                except VersionConflict as conflict:
                    lost.append(conflict.actual - expected)

    threads = [threading.Thread(target=compete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == list(range(-1, len(won) - 1))
    assert lost, "nobody lost: this test proves nothing"
    assert min(lost) > 0
    assert [event.version for event in store.read("contested")] == list(range(len(won)))


@pytest.mark.requirement("EVENT-2a")
def test_one_event_retried_by_many_processes_is_stored_once(postgres_server: Server, store: EventStore) -> None:
    identity = uuid4()
    positions: list[list[int]] = []
    start = threading.Barrier(8)

    def retry() -> None:
        with open_store(postgres_server.url(), schema="ordered") as own:
            start.wait()
            positions.append(own.append("retried", [Event("test.retried", {}, id=identity)], ANY))

    threads = [threading.Thread(target=retry) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(positions) == 8
    assert len({tuple(found) for found in positions}) == 1
    assert len(store.read("retried")) == 1


def test_following_after_a_position_neither_skips_nor_repeats(store: EventStore) -> None:
    positions = [event.position for event in store.read_all()]
    after = positions[len(positions) // 2]
    with store.subscribe(after=after) as subscription:
        following = []
        while (event := subscription.get(timeout=0.5)) is not None:
            following.append(event.position)
    assert following == [position for position in positions if position > after]


@pytest.mark.requirement("EVENT-4")
def test_an_open_transaction_holds_a_follower_back_until_it_ends(postgres_server: Server, store: EventStore) -> None:
    """The event committed meanwhile is read at once, but followed only when nothing can come before it any more."""
    with store.subscribe(after=store.head()) as subscription:
        with psycopg.connect(postgres_server.url()) as other:
            other.execute("SELECT pg_current_xact_id()")  # gives it one
            position = store.append("held", [Event("test.held", {})])[0]
            assert store.head() == position
            assert subscription.get(timeout=0.3) is None
        event = subscription.get(timeout=10)
        assert event is not None
        assert event.position == position
