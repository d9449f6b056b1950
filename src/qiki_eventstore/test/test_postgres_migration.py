"""A database that version 0.1 wrote, with many writers: gaps in its positions, and its last events not in the chain."""

import queue
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from postgres_server import Server

from qiki_eventstore import Event, EventStore, Query, StoreCorrupt, StoreUnavailable, open_store
from qiki_eventstore.jsonl import encode
from qiki_eventstore.retention.policy import Policy
from qiki_eventstore.retention.retention import Retention, verify_segments
from qiki_eventstore.retention.segment import Retainable
from qiki_eventstore.ros import reading
from qiki_msgs.srv import EventStoreStatus

OLD = Path(__file__).parent / "stores" / "many_writers"


@pytest.fixture
def url(postgres_server: Server) -> Iterator[str]:
    """A database of its own, with the dump in it."""
    postgres_server.execute("DROP DATABASE IF EXISTS old")
    postgres_server.execute("CREATE DATABASE old")
    with psycopg.connect(postgres_server.url("old"), autocommit=True) as connection:
        connection.execute((OLD / "events.sql").read_bytes())
    yield postgres_server.url("old")
    postgres_server.execute("DROP DATABASE old WITH (FORCE)")


def opened(url: str, mode: str = "", **options: Any) -> EventStore:
    return open_store(url + mode, **options)


def lines() -> list[bytes]:
    """Its events as it exported them itself, when all were in the chain."""
    return (OLD / "events.jsonl").read_bytes().splitlines(keepends=True)[1:-1]


@pytest.mark.requirement("EVENT-4a")
def test_it_opens_verifies_and_reads_to_the_end(url: str, tmp_path: Path) -> None:
    heads = tmp_path / "events.heads"
    for name in ("events.heads", "events.pub"):
        shutil.copy(OLD / name, tmp_path / name)
    with pytest.raises(StoreUnavailable, match="older: open it for writing once"):
        opened(url, "&mode=ro")
    for _ in range(2):
        with opened(url, heads=heads) as store:
            found = store.verify()
            assert (found.ok, found.checked, found.head) == (True, 37, 40), found.reason
            assert found.signed is not None
            assert [encode(event) for event in store.read_all()] == lines()
            stats = store.stats()
            assert (stats.events, stats.streams, stats.head) == (37, 4, 40)
    with opened(url, "&mode=ro", heads=heads) as reader, reader.subscribe(name="follower") as subscription:
        positions = [event.position for event in reader.read_all(Query(after=5))]
        following = [subscription.get(10.0) for _ in positions]
        assert [event and event.position for event in following] == positions, "its checkpoint was lost"
        assert [event.version for event in reader.read("sim")] == list(range(reader.version("sim") + 1))


@pytest.mark.requirement("EVENT-4a")
def test_it_goes_on(url: str) -> None:
    with opened(url) as store:
        ids = [event.id for event in store.read_all()]
        assert store.append("sim", [Event("note", {}, id=store.read("sim")[0].id)]) == [store.read("sim")[0].position]
        assert store.append("sim", [Event("note", {})], store.version("sim")) == [41]
        assert store.append("other", [Event("other", {}, source="/new")]) == [42]
        assert [event.id for event in store.read_all()][:37] == ids
        found = store.verify()
        assert (found.ok, found.checked) == (True, 39), found.reason


@pytest.mark.parametrize("segment_events", [2, 7, 23, 25])
def test_its_events_leave_for_segments_across_the_gap(url: str, tmp_path: Path, segment_events: int) -> None:
    with opened(url, segments=tmp_path) as store:
        before = list(store.read_all())
        done = Retention.of(store, Policy(max_events=0, segment_events=segment_events)).apply()
        left = len(before) - sum(segment.extent.events for segment in done.dropped)
        assert store.stats().events == left + len(done.dropped)
        assert left < min(37, segment_events)
        assert list(store.read_all(Query(before=41))) == before
        assert isinstance(store, Retainable)
        assert verify_segments(store) == 37 - left
        found = store.verify()
        assert (found.ok, found.checked, found.head) == (True, left + len(done.dropped), 40 + len(done.dropped)), (
            found.reason
        )


def test_the_chain_is_completed_once(url: str) -> None:
    """An event without a hash is damage from then on."""
    with opened(url), psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE qiki.events SET payload = '{}', hash = '' WHERE position = 40")
    with pytest.raises(StoreCorrupt, match="the hash of event 40 has 0 bytes"):
        opened(url)


def test_an_export_over_the_graph_does_not_claim_to_be_complete(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has gaps, so that it cannot be restored verbatim."""
    services: dict[str, Any] = {}

    def serve(_node: Any, _kind: Any, name: str, work: Any) -> None:
        services[name] = work

    monkeypatch.setattr(reading, "create_deferred_service", serve)
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with opened(url) as store:
        reading.Reading(cast("Any", None), store, url)
        services["~/status"](EventStoreStatus.Request(), answers.put)
        answer = answers.get(timeout=60.0)
        assert (answer.events, answer.store_id) == (37, "")


def test_a_lost_event_is_no_gap(url: str) -> None:
    with opened(url) as store, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM qiki.events WHERE position = 30")
        found = store.verify()
        assert (found.ok, found.first_bad) == (False, 30)
