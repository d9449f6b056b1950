"""Reconstruction reads few events: snapshots are taken by themselves, types and correlation choose what is read."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from qiki_eventstore import AtPosition, AtTime, Event, Query, RecordedEvent, open_store
from qiki_eventstore.sqlite.store import SqliteStore

EVERY = 50
STREAMS = ("alpha/allocator", "alpha/energy", "bravo/allocator", "operator")


class Numbers:
    """Numbers of the events of some types, in their order."""

    version = 1

    def __init__(self, name: str, *types: str) -> None:
        self.name, self.types = name, types

    def initial(self) -> tuple[int, ...]:
        return ()

    def apply(self, state: tuple[int, ...], event: RecordedEvent, data: Mapping[str, Any]) -> tuple[int, ...]:
        return (*state, data["number"]) if "*" in self.types or event.type in self.types else state

    def dump(self, state: tuple[int, ...]) -> Mapping[str, Any]:
        return {"numbers": list(state)}

    def load(self, data: Mapping[str, Any]) -> tuple[int, ...]:
        return tuple(data["numbers"])


ODD, EVERYTHING, NOTHING = Numbers("odd", "test.odd"), Numbers("all", "*"), Numbers("nothing")


def event(number: int) -> Event:
    flow = f"command-{number // 10}" if number % 2 else None
    return Event("test.odd" if number % 2 else "test.even", {"number": number}, time=number, correlation=flow)


def opened(path: Path, *projections: Numbers) -> SqliteStore:
    store = open_store(
        f"sqlite:///{path}", projections=projections, snapshot_events=EVERY, sign_seconds=0.02, reserve_bytes=0
    )
    assert isinstance(store, SqliteStore)
    return store


def append(store: SqliteStore, start: int, end: int) -> None:
    for number in range(start, end):
        store.submit(STREAMS[number % 4 if number >= 30 else number % 2], [event(number)])
    store.append("operator", [event(end)])


def snapshots(store: SqliteStore) -> set[tuple[str, str, int]]:
    with store._backend.reading() as connection:
        return {
            (row[0], row[1], row[2]) for row in connection.execute("SELECT projection, stream, position FROM snapshots")
        }


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def expected(projection: Numbers, store: SqliteStore, pattern: str, last: int) -> tuple[int, ...]:
    events = store.read_all(Query(before=last + 1, streams=(pattern,)))
    wanted = [found for found in events if "*" in projection.types or found.type in projection.types]
    return tuple(json.loads(found.payload)["number"] for found in wanted)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


def test_snapshots_are_taken_every_so_many_events(path: Path) -> None:
    with opened(path, ODD) as store:
        append(store, 0, 40)  # too few
        append(store, 41, 230)
        wait_for(lambda: ("odd", "bravo/*", 200) in snapshots(store))
        positions = {position for _, stream, position in snapshots(store) if stream == "alpha/*"}
        assert positions == {50, 100, 150, 200}
        assert {stream for _, stream, _ in snapshots(store)} == {"alpha/*", "bravo/*", "operator"}
        for last in range(0, store.head() + 1, 7):
            for pattern in ("alpha/*", "bravo/*", "operator", "*"):
                assert store.reconstruct(ODD, pattern, AtPosition(last)) == expected(ODD, store, pattern, last)


def test_they_go_on_when_the_store_is_opened_again_also_with_other_projections(path: Path) -> None:
    with opened(path, ODD) as store:
        append(store, 0, 120)
        wait_for(lambda: ("odd", "alpha/*", 100) in snapshots(store))
        store.snapshot(ODD, "alpha/*")
    with opened(path, ODD, EVERYTHING) as store:
        append(store, 121, 260)
        wait_for(lambda: ("all", "alpha/*", 250) in snapshots(store))
        wait_for(lambda: ("odd", "alpha/*", 250) in snapshots(store))
        for last in range(0, store.head() + 1, 9):
            for pattern in ("alpha/*", "operator"):
                at = AtPosition(last)
                found = store.reconstruct_all([ODD, EVERYTHING, NOTHING], pattern, at)
                assert found == [expected(ODD, store, pattern, last), expected(EVERYTHING, store, pattern, last), ()]


class Spy:
    """Counts the events that a store reads."""

    def __init__(self, store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read = 0
        read_all = store.read_all

        def counted(query: Query) -> Any:
            for found in read_all(query):
                self.read += 1
                yield found

        monkeypatch.setattr(store, "read_all", counted)


def test_a_state_is_rebuilt_from_the_events_after_the_snapshot_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(path, ODD, EVERYTHING) as store:
        append(store, 0, 260)
        wait_for(lambda: {("odd", "alpha/*", 250), ("all", "alpha/*", 250)} <= snapshots(store))
        spy = Spy(store, monkeypatch)
        for at in (AtPosition(203), AtTime(202)):
            spy.read = 0
            store.reconstruct_all([ODD, EVERYTHING], "alpha/*", at)
            assert spy.read <= 5


def test_only_types_that_a_projection_handles_are_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(path) as store:
        append(store, 0, 99)
        spy = Spy(store, monkeypatch)
        assert len(store.reconstruct(ODD, "*")) == spy.read == 50
        spy.read = 0
        assert store.reconstruct(NOTHING, "*") == ()
        assert spy.read == 0
        assert len(store.reconstruct_all([ODD, EVERYTHING], "*")[1]) == spy.read == 100  # in one pass


def test_one_command_is_found_by_its_index(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(path) as store:
        append(store, 0, 99)
        spy = Spy(store, monkeypatch)
        assert store.reconstruct_correlated([ODD, EVERYTHING], "command-4") == [(41, 43, 45, 47, 49)] * 2
        assert spy.read == 5
        assert store.reconstruct_correlated([ODD], "command-4", at=AtPosition(45)) == [(41, 43)]
        assert store.reconstruct_correlated([ODD], "no-such-command") == [()]


def test_a_projection_that_fails_stops_the_snapshots_and_nothing_else(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Numbers):
        def apply(self, state: Any, event: RecordedEvent, data: Mapping[str, Any]) -> Any:
            raise ZeroDivisionError(state, event, data)

    with opened(path, Failing("failing", "*")) as store:
        append(store, 0, 120)
        wait_for(lambda: "no more snapshots" in caplog.text)
        append(store, 121, 240)
        assert store.verify().ok
    assert caplog.text.count("no more snapshots") == 1
