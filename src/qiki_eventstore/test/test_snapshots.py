"""Reconstruction reads few events: snapshots are taken by themselves, types and correlation choose what is read."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import apsw
import pytest

from qiki_events import PROTOBUF
from qiki_eventstore import AtPosition, AtTime, Encoded, Event, EventStore, Query, RecordedEvent, open_store
from qiki_eventstore.engine import tables
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


def only_read(path: Path, *projections: Numbers) -> EventStore:
    return open_store(f"sqlite:///{path}?mode=ro", projections=projections)


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


class Failing(Numbers):
    """Fails with one event."""

    def apply(self, state: tuple[int, ...], event: RecordedEvent, data: Mapping[str, Any]) -> tuple[int, ...]:
        if data["number"] == 77:
            raise ZeroDivisionError(state)
        return super().apply(state, event, data)


def test_an_event_that_a_projection_cannot_take_costs_it_that_event_alone(path: Path) -> None:
    failing = Failing("failing", "test.odd")
    with opened(path, failing, ODD) as store:
        append(store, 0, 120)
        wait_for(lambda: ("failing", "bravo/*", 100) in snapshots(store))
        store.append("bravo/allocator", [Event("test.odd", Encoded(PROTOBUF, b"not JSON"))])
        wrong, right = store.rebuild([failing, ODD], "*")
        assert 77 not in wrong.state
        assert wrong.state == tuple(number for number in right.state if number != 77)
        assert (wrong.skipped, right.skipped) == (2, 1)
        for pattern in ("alpha/*", "bravo/*"):  # also from a snapshot
            wrong, right = store.rebuild([failing, ODD], pattern)
            assert wrong.skipped == right.skipped + len(right.state) - len(wrong.state)
        assert store.stats().skipped > 0
        assert store.verify().ok, store.verify().reason


@pytest.mark.requirement("EVENT-5")
def test_a_forged_snapshot_is_not_believed_and_one_with_a_forged_digest_is_found(path: Path) -> None:
    with opened(path, ODD) as store:
        append(store, 0, 120)
        wait_for(lambda: ("odd", "alpha/*", 100) in snapshots(store))
        expectation = store.reconstruct(ODD, "alpha/*")
        assert store.verify().ok
    connection = apsw.Connection(str(path))
    ((text, position),) = connection.execute(
        "SELECT state, position FROM snapshots WHERE stream = 'alpha/*' AND position = 100"
    )
    content = json.loads(text)
    content["state"]["numbers"][0] = 4711
    put = "UPDATE snapshots SET state = ? WHERE stream = 'alpha/*' AND position = 100"
    connection.execute(put, (json.dumps(content),))
    with only_read(path, ODD) as store:  # one that writes may take the snapshot again
        assert store.reconstruct(ODD, "alpha/*") == expectation
        assert "'odd' over 'alpha/*' is not as it was taken" in store.verify().reason
    del content["sha256"]
    content["sha256"] = tables._digest("odd", 1, "alpha/*", position, content)
    connection.execute(put, (json.dumps(content),))
    with only_read(path, ODD) as store:
        assert "'odd' over 'alpha/*' at position 100 is not the state" in store.verify().reason
    connection.execute(put, (json.dumps({"numbers": [4711]}),))  # as version 0.1 kept them
    connection.close()
    with opened(path, ODD) as store:
        assert store.reconstruct(ODD, "alpha/*") == expectation
        assert store.verify().ok
