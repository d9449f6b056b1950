"""Retention, holds and segments on PostgreSQL; the rules themselves are shown with SQLite."""

from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from postgres_server import Server

from qiki_eventstore import Event, EventStore, Query, StoreUnavailable, open_store
from qiki_eventstore.retention.policy import Hold, Policy
from qiki_eventstore.retention.retention import Outcome, Retention, verify_segments
from qiki_eventstore.retention.segment import Retainable
from qiki_eventstore.transfer import Imported, export_events, import_events

_names = count()


@pytest.fixture
def where(postgres_server: Server) -> SimpleNamespace:
    return SimpleNamespace(url=postgres_server.url(), schema=f"retained{next(_names)}")


def opened(where: SimpleNamespace, mode: str = "", **options: Any) -> EventStore:
    return open_store(where.url + mode, schema=where.schema, **options)


def fill(store: EventStore, number: int = 100) -> list[Any]:
    for index in range(number):
        store.append(("a", "b")[index % 2], [Event("note", {"n": index}, time=index, correlation=f"c{index % 3}")])
    return list(store.read_all())


def apply(store: EventStore, **policy: Any) -> Outcome:
    return Retention.of(store, Policy(**{"segment_events": 10, **policy})).apply()


@pytest.mark.requirement("EVENT-7")
def test_dropped_events_are_read_from_their_segments_everywhere(where: SimpleNamespace, tmp_path: Path) -> None:
    with opened(where, segments=tmp_path) as store, opened(where, "&mode=ro", segments=tmp_path) as reader:
        events = fill(store)
        assert len(apply(store, max_events=35).dropped) == 6
        assert store.stats().events == 46
        for one in (store, reader):
            assert list(one.read_all(Query(before=101))) == events
            assert list(one.read_all(Query(before=101, backwards=True, limit=70))) == events[:29:-1]
            assert list(one.read_all(Query(start=50, end=70))) == events[50:70]
            assert list(one.read_all(Query(correlation="c1"))) == events[1::3]
            assert one.read("a") == events[::2]
            found = one.verify()
            assert (found.ok, found.checked, found.head) == (True, 46, 106), found.reason
            assert isinstance(one, Retainable)
            assert verify_segments(one) == 60
        with store.subscribe(0) as subscription:
            assert [subscription.get(10.0) for _ in events] == events
        export_events(store, tmp_path / "a.jsonl", Query(before=101))
        assert import_events(store, tmp_path / "a.jsonl") == Imported(stored=0, known=100, verbatim=False)
    with opened(where) as again:
        assert again.append("a", [Event("note", {})], expected_version=49) == [107]
        with pytest.raises(StoreUnavailable, match=r"1 to 10 were dropped by retention: open .* segments=FOLDER"):
            list(again.read_all())
        with pytest.raises(StoreUnavailable, match="segments=FOLDER"):
            apply(again, max_events=0)


def test_everything_dropped_and_gone_on_from(where: SimpleNamespace, tmp_path: Path) -> None:
    with opened(where, segments=tmp_path) as store:
        fill(store)
        assert len(apply(store, max_events=0).dropped) == 10
    with opened(where, segments=tmp_path) as again:
        assert (again.head(), again.version("b"), again.stats().events) == (110, 49, 10)
        assert again.append("b", [Event("note", {})], expected_version=49) == [111]
        assert again.verify().ok
        assert len(again.read("b")) == 51


@pytest.mark.requirement("EVENT-7b")
def test_hold_stops_retention_until_it_is_lifted(where: SimpleNamespace, tmp_path: Path) -> None:
    with opened(where, segments=tmp_path) as store:
        fill(store)
        assert isinstance(store, Retainable)
        store.catalogue.place(Hold("case", "asked for", streams=("b",), start=34))
        with pytest.raises(ValueError, match="there already"):
            store.catalogue.place(Hold("case"))
        done = apply(store, max_events=0)
        assert (done.hold, len(done.dropped)) == ("case", 3)
        with opened(where, "&mode=ro") as reader:
            assert isinstance(reader, Retainable)
            assert [hold.name for hold in reader.catalogue.holds()] == ["case"]
            with pytest.raises(StoreUnavailable, match="mode=ro"):
                reader.catalogue.lift("case")
        store.catalogue.lift("case")
        assert len(apply(store, max_events=0).dropped) == 7
