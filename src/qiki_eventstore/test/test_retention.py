"""Retention: what leaves the store is in files that verify, and can still be read."""

import json
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qiki_events import JSON
from qiki_events.proto.simulator_pb2 import EnergySampled
from qiki_eventstore import Encoded, Event, EventStore, Query, StoreCorrupt, StoreUnavailable, open_store
from qiki_eventstore.engine.backend import Stale
from qiki_eventstore.engine.selection import Selector
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.heads import read_heads
from qiki_eventstore.preparation import OWN
from qiki_eventstore.retention.catalogue import StoreCatalogue
from qiki_eventstore.retention.parquet import read_parquet
from qiki_eventstore.retention.policy import Hold, Policy
from qiki_eventstore.retention.retention import Outcome, Retention, verify_segments
from qiki_eventstore.retention.segment import Extent, Retainable, Segment, received
from qiki_eventstore.ros import reading
from qiki_eventstore.sqlite.pool import Readers
from qiki_eventstore.sqlite.verification import SqliteContent
from qiki_eventstore.transfer import Imported, export_events, import_events
from qiki_eventstore.verification import verify
from qiki_msgs.srv import ApplyRetention, PlaceHold, ReleaseHold

STREAMS = ("alpha/allocator", "bravo/allocator", "sim")


def open_at(path: Path, mode: str = "") -> EventStore:
    options: dict[str, Any] = {} if mode else {"reserve_bytes": 0, "sign_events": 7}
    return open_store(f"sqlite:///{path}{mode}", **options)


def fill(store: EventStore, count: int, first: int = 0) -> None:
    """Append events one by one: every third is protobuf, times fall now and then."""
    for number in range(first, first + count):
        data: Any = {"number": number, "text": "ü" * (number % 5)}
        type = "launch.note"
        if number % 3 == 0:
            data, type = EnergySampled(energy_used_j=number), "energy.sampled"
        elif number % 7 == 0:
            data, type = Encoded("application/protobuf", bytes([number % 256] * 9)), "unknown.thing"
        time = (number * 37) % 1000 - 5
        event = Event(type, data, time=time, source="/n", correlation=None if number % 4 else f"c{number % 3}")
        store.append(STREAMS[number * 5 % 3 if number < 80 else number % 2], [event])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    with open_at(tmp_path / "a.db") as opened:
        fill(opened, 100)
        yield opened


def apply(store: EventStore, **policy: Any) -> Outcome:
    return Retention.of(store, Policy(**{"segment_events": 10, **policy})).apply()


def catalogue(store: EventStore) -> StoreCatalogue:
    assert isinstance(store, Retainable)
    return store.catalogue


def folder(store: EventStore) -> Path:
    assert isinstance(store, Retainable)
    return store.segments_folder


def recorded(store: EventStore) -> int:
    """Events by which the store records its own care."""
    return store.version(OWN) + 1


def left(store: EventStore) -> int:
    """Events of others in the database."""
    return store.stats().events - recorded(store)


def others(store: EventStore) -> list[RecordedEvent]:
    """Events of others."""
    return [event for event in store.read_all() if event.stream != OWN]


# Dropping -----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-7")
def test_dropped_events_are_gone_from_the_store_but_not_from_its_past(store: EventStore) -> None:
    before = list(store.read_all())
    done = apply(store, max_events=35)
    assert [(segment.extent.first, segment.extent.last) for segment in done.dropped] == [
        (first, first + 9) for first in range(1, 61, 10)
    ]
    assert done.due == 65
    assert left(store) == 40
    assert others(store) == before
    assert (store.head(), recorded(store)) == (106, 6)
    assert apply(store, max_events=40).dropped == ()
    found = store.verify()
    assert (found.ok, found.checked, found.head) == (True, 46, 106), found.reason


def test_versions_positions_and_chain_go_on_after_everything_was_dropped(tmp_path: Path, store: EventStore) -> None:
    versions = {stream: store.version(stream) for stream in STREAMS}
    assert len(apply(store, max_events=0).dropped) == 10
    assert left(store) == 0
    store.close()
    with open_at(tmp_path / "a.db") as again:
        assert again.head() == 110
        assert {stream: again.version(stream) for stream in STREAMS} == versions
        last = next(again.read_all(Query(after=109)))
        assert again.append("sim", [Event("a", {})], expected_version=versions["sim"]) == [111]
        assert next(again.read_all(Query(after=110))).recorded > last.recorded
        assert again.verify().ok
        assert len(again.read("sim")) == versions["sim"] + 2


def test_chain_that_was_changed_after_the_drop_is_noticed(tmp_path: Path, store: EventStore) -> None:
    apply(store, max_events=50)
    store.close()
    connection = apsw.Connection(str(tmp_path / "a.db"))
    connection.execute("UPDATE events SET source = source + 1 WHERE position = 51")
    connection.execute("INSERT OR IGNORE INTO sources(name) VALUES ('other')")
    connection.close()
    with open_at(tmp_path / "a.db") as again:
        found = again.verify()
    assert (found.ok, found.first_bad) == (False, 51)


def test_store_verifies_after_the_first_event_alone_of_a_block_of_times_was_dropped(tmp_path: Path) -> None:
    with open_at(tmp_path / "b.db") as store:
        store.append("sim", [Event("launch.note", {}, time=time) for time in range(1200)])
        apply(store, max_events=600, segment_events=512)
        found = store.verify()
        assert (found.ok, found.checked) == (True, 689), found.reason


def test_stream_that_is_dropped_while_it_is_looked_for_is_read_from_its_file(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = list(store.read_all(Query(streams=("sim",))))
    look = Selector._first_from

    def drop_first(*arguments: Any) -> int:
        monkeypatch.setattr(Selector, "_first_from", look)
        assert len(apply(store, max_events=0).dropped) == 10
        return look(*arguments)

    monkeypatch.setattr(Selector, "_first_from", drop_first)
    assert list(store.read_all(Query(streams=("sim",)))) == expected


def test_range_that_was_dropped_by_somebody_else_is_noticed(tmp_path: Path, store: EventStore) -> None:
    apply(store, max_events=50)
    store.close()
    connection = apsw.Connection(str(tmp_path / "a.db"))
    connection.execute("DELETE FROM events WHERE position BETWEEN 51 AND 60")
    connection.close()
    with open_at(tmp_path / "a.db") as again:
        found = again.verify()
    assert (found.ok, found.first_bad) == (False, 51)


@pytest.mark.requirement("EVENT-7a")
def test_export_holds_what_was_dropped(tmp_path: Path, store: EventStore) -> None:
    apply(store, max_events=20)
    export_events(store, tmp_path / "a.jsonl")
    with open_at(tmp_path / "b.db") as other:
        assert import_events(other, tmp_path / "a.jsonl").verbatim
        assert others(other) == others(store)
        assert other.verify().ok


def test_import_knows_what_was_dropped(tmp_path: Path, store: EventStore) -> None:
    export_events(store, tmp_path / "a.jsonl")
    apply(store, max_events=20)
    assert import_events(store, tmp_path / "a.jsonl") == Imported(stored=0, known=100, verbatim=False)


def test_heads_signed_inside_a_dropped_segment_are_no_problem(tmp_path: Path, store: EventStore) -> None:
    store.close()
    with open_at(tmp_path / "a.db") as again:
        fill(again, 5, first=100)
    with open_at(tmp_path / "a.db") as again:
        fill(again, 20, first=105)
        apply(again, max_events=0)
        assert {100, 105} <= {head.position for head in read_heads(tmp_path / "a.db.heads")}
        assert again.verify().ok


KILLED = """
import sys
from qiki_eventstore import Event, open_store
from qiki_eventstore.retention.policy import Policy
from qiki_eventstore.retention.retention import Retention

with open_store(sys.argv[1], reserve_bytes=0) as store:
    retention = Retention.of(store, Policy(max_events=30, segment_events=10))
    number = store.version("s") + 1
    while True:
        store.append("s", [Event("a", {"number": number + index}) for index in range(20)])
        number += 20
        print(number, flush=True)
        retention.apply()
"""


@pytest.mark.requirement("EVENT-7")
def test_kill_9_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    for round_number in range(8):
        command = [sys.executable, "-c", KILLED, f"sqlite:///{path}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3)]
            time.sleep(0.004 * round_number)
            process.kill()
            lines += process.stdout.read().split("\n")
        acknowledged = max(int(line) for line in lines if line.strip())
        with open_at(path) as store:
            numbers = [json.loads(event.payload)["number"] for event in others(store)]
            assert numbers == list(range(len(numbers)))
            assert len(numbers) >= acknowledged
            assert store.version("s") == len(numbers) - 1
            assert store.verify().ok


# Reading what was dropped -------------------------------------------------------------------------------------------

queries = st.builds(
    Query,
    after=st.none() | st.integers(0, 110),
    before=st.integers(0, 101),
    start=st.none() | st.integers(-10, 1000),
    end=st.none() | st.integers(-10, 1000),
    types=st.sampled_from([(), ("energy.sampled",), ("launch.*", "unknown.thing"), ("none",)]),
    streams=st.sampled_from([(), ("alpha/*",), ("sim",), ("sim", "b*"), ("none",)]),
    correlation=st.none() | st.sampled_from(["c0", "c1", "none"]),
    limit=st.none() | st.integers(0, 30),
    backwards=st.booleans(),
)


def matches(event: RecordedEvent, query: Query) -> bool:
    """Whether an event meets every condition of a query but its limit."""
    return (
        (query.after is None or event.position > query.after)
        and (query.before is None or event.position < query.before)
        and (query.start is None or event.time >= query.start)
        and (query.end is None or event.time < query.end)
        and (query.recorded_start is None or event.recorded >= query.recorded_start)
        and (query.recorded_end is None or event.recorded < query.recorded_end)
        and (query.correlation is None or event.correlation == query.correlation)
        and named(event.type, query.types)
        and named(event.stream, query.streams)
    )


def named(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(
        name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern for pattern in patterns
    )


def expected(events: list[RecordedEvent], query: Query) -> list[RecordedEvent]:
    found = [event for event in events if matches(event, query)]
    return (found[::-1] if query.backwards else found)[: query.limit]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=queries, recorded=st.tuples(st.none() | st.integers(0, 99), st.none() | st.integers(0, 99)))
def test_every_query_reads_through_to_the_segments(
    shared: "Shared", query: Query, recorded: tuple[int | None, int | None]
) -> None:
    store, events = shared.store, shared.events
    start, end = (None if index is None else events[index].recorded for index in recorded)
    query = replace(query, recorded_start=start, recorded_end=end)
    assert list(store.read_all(query)) == expected(events, query)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stream=st.sampled_from([*STREAMS, "none"]), start=st.integers(0, 60), end=st.none() | st.integers(0, 60))
def test_streams_read_through_to_the_segments(shared: "Shared", stream: str, start: int, end: int | None) -> None:
    store, events = shared.store, shared.events
    own = [event for event in events if event.stream == stream and start <= event.version]
    assert store.read(stream, start, end) == [event for event in own if end is None or event.version < end]


class Shared:
    """A store of which 60 events of 100 were dropped, as another process reads it, and all its events."""

    def __init__(self, store: EventStore, events: list[RecordedEvent]) -> None:
        self.store, self.events = store, events


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One for all queries."""
    path = tmp_path_factory.mktemp("shared") / "a.db"
    with open_at(path) as writer:
        fill(writer, 100)
        events = list(writer.read_all())
        apply(writer, max_events=35)
        with open_at(path, "?mode=ro") as reader:
            yield Shared(reader, events)


def test_missing_file_is_named_and_what_is_left_can_be_read(store: EventStore) -> None:
    done = apply(store, max_events=60)
    (folder(store) / done.dropped[1].file).unlink()
    assert len(list(store.read_all(Query(after=20, before=101)))) == 80
    assert len(list(store.read_all(Query(before=11)))) == 10
    with pytest.raises(StoreUnavailable, match=r"positions 11 to 20 were dropped.*0000000011.*position 20"):
        list(store.read_all())
    with pytest.raises(StoreUnavailable, match="positions 11 to 20"):
        store.read("sim")
    assert store.read("sim", store.version("sim")) != []
    found = store.verify()
    assert (found.ok, found.first_bad) == (False, 11)
    assert done.dropped[1].file in found.reason


def test_subscription_from_the_beginning_gets_everything(store: EventStore) -> None:
    events = list(store.read_all())
    apply(store, max_events=35)
    with store.subscribe(0) as subscription:
        assert [subscription.get(10.0) for _ in events] == events
        fill(store, 1, first=100)
        assert {getattr(subscription.get(10.0), "position", 0) for _ in range(7)} == set(range(101, 108))


@pytest.mark.parametrize("backwards", [False, True])
def test_reader_misses_nothing_while_events_are_dropped(tmp_path: Path, backwards: bool) -> None:
    with open_at(tmp_path / "a.db") as store:
        events = [Event("a", {"number": number}) for number in range(6000)]
        store.append("s", events)
        reading = store.read_all(Query(backwards=backwards))
        seen = [next(reading) for _ in range(10)]
        thread = threading.Thread(target=lambda: apply(store, max_events=500, segment_events=500))
        thread.start()
        for event in reading:
            seen.append(event)
            if len(seen) == 1500:
                thread.join()  # the pages that follow are gone from the database now
        positions = [event.position for event in seen if event.stream != OWN]
        assert positions == (list(range(6000, 0, -1)) if backwards else list(range(1, 6001)))
        assert left(store) == 500


# Segment files ------------------------------------------------------------------------------------------------------


def read_only(path: Path) -> EventStore:
    return open_store(f"sqlite:///{path}?mode=ro")


@pytest.mark.requirement("EVENT-7")
def test_segment_is_a_store_that_reads_alone(store: EventStore) -> None:
    events = list(store.read_all())
    (first, second, *_) = apply(store, max_events=50).dropped
    extent = second.extent
    assert (extent.first, extent.last, extent.events) == (11, 20, 10)
    assert (extent.before, extent.hash) == (events[9].hash, events[19].hash)
    assert extent.before == first.extent.hash
    assert sorted(file.name for file in folder(store).iterdir()) == sorted(
        segment.file for segment in catalogue(store).segments()
    )
    with read_only(folder(store) / second.file) as segment:
        found = segment.verify()
        assert (found.checked, found.first_bad, found.head) == (10, 1, 20)
        assert found.reason == "events 1 to 10 are missing: no segment holds them"
        assert list(segment.read_all()) == events[10:20]
        assert segment.version("sim") == extent.streams["sim"][1]
        assert isinstance(segment, Retainable)
        assert isinstance(store, Retainable)
        assert segment.store_id == store.store_id


@pytest.mark.requirement("EVENT-7")
def test_changed_segment_does_not_verify(store: EventStore) -> None:
    assert isinstance(store, Retainable)
    (segment, *_) = apply(store, max_events=50, segment_events=50).dropped
    path = folder(store) / segment.file
    content = path.read_bytes()
    changed = 0
    for place in range(4, len(content), len(content) // 60):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        with pytest.raises(StoreCorrupt, match="is not the file that was sealed"):
            verify_segments(store)
        try:
            # A byte that means nothing to a reader (free space) may change; an event must not.
            with read_only(path) as alone:
                verified, events = alone.verify().ok, list(alone.read_all())
            assert not verified or Extent.of(events, segment.extent.before) == segment.extent
            changed += not verified
        except StoreCorrupt as error:
            changed += str(path) in str(error) or "database" in str(error)
    assert changed > 5


@pytest.mark.parametrize(
    ("column", "value"), [("payload", "X'7B7D'"), ("time", "7"), ("hash", "zeroblob(32)"), ("correlation", "'z'")]
)
def test_changed_event_of_a_segment_is_named(store: EventStore, column: str, value: str) -> None:
    (segment, *_) = apply(store, max_events=50, segment_events=50).dropped
    path = folder(store) / segment.file
    connection = apsw.Connection(str(path))
    connection.execute(f"UPDATE events SET {column} = {value} WHERE position = 33")
    connection.close()
    with read_only(path) as alone:
        assert (alone.verify().ok, alone.verify().first_bad) == (False, 33)


def test_all_segments_verify_together(tmp_path: Path, store: EventStore) -> None:
    assert isinstance(store, Retainable)
    assert verify_segments(store) == 0
    (first, second, *_) = apply(store, max_events=50).dropped
    assert verify_segments(store) == 50
    path = folder(store) / second.file
    content = path.read_bytes()
    path.write_bytes((folder(store) / first.file).read_bytes())
    with pytest.raises(StoreCorrupt, match="positions 11 to 20: put it back"):
        verify_segments(store)
    path.write_bytes(content)
    store.close()
    connection = apsw.Connection(str(tmp_path / "a.db"))
    connection.execute("DELETE FROM segments WHERE first = 11")
    connection.close()
    with open_at(tmp_path / "a.db") as again:
        assert isinstance(again, Retainable)
        with pytest.raises(StoreCorrupt, match="does not go on from the segment before"):
            verify_segments(again)


@pytest.mark.parametrize("content", [b"", b"something else altogether"])
def test_other_files_are_no_segments(store: EventStore, content: bytes) -> None:
    (segment, *_) = apply(store, max_events=50).dropped
    (folder(store) / segment.file).write_bytes(content)
    with pytest.raises(StoreCorrupt, match=segment.file):
        list(store.read_all())


# Interruptions and damage -------------------------------------------------------------------------------------------


class Failing:
    """A catalogue whose calls of one name fail."""

    def __init__(self, inner: StoreCatalogue, name: str) -> None:
        self._inner, self._name = inner, name

    def __getattr__(self, name: str) -> Any:
        if name == self._name:
            raise InterruptedError(name)
        return getattr(self._inner, name)


@pytest.mark.parametrize("name", ["add", "drop"])
def test_interrupted_run_is_finished_by_the_next(store: EventStore, name: str) -> None:
    events = list(store.read_all())
    failing: Any = Failing(catalogue(store), name)
    policy = Policy(max_events=50, segment_events=10)
    with pytest.raises(InterruptedError):
        Retention(store, failing, folder(store), policy).apply()
    assert left(store) == 100
    assert len(apply(store, max_events=50).dropped) == 5
    assert others(store) == events
    assert store.verify().ok
    assert len(list(folder(store).iterdir())) == 5


def test_segment_whose_file_was_changed_is_not_dropped(store: EventStore) -> None:
    failing: Any = Failing(catalogue(store), "drop")
    with pytest.raises(InterruptedError):
        Retention(store, failing, folder(store), Policy(max_events=50, segment_events=10)).apply()
    (segment,) = catalogue(store).segments()
    (folder(store) / segment.file).write_bytes(b"")
    with pytest.raises(StoreCorrupt, match=r"\.db is not the file that was sealed with positions 1 to 10"):
        apply(store, max_events=50)
    assert store.stats().events == 100


def test_change_whose_answer_is_lost_is_done_once_and_is_no_failure(
    tmp_path: Path, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction is stored, its answer is not received: the writer loads the store and repeats it."""
    backend = store._backend  # type: ignore[attr-defined]
    commit, repeated = backend.commit, []

    def lose_the_answer(batch: Any, tasks: list[Any]) -> None:
        commit(batch, tasks)
        if tasks and tasks not in repeated and not any(task.error for task in tasks):
            repeated.append(tasks)
            raise Stale("the answer was lost", moved=True)

    monkeypatch.setattr(backend, "commit", lose_the_answer)
    catalogue(store).place(Hold("case", "asked for", start=1000))
    with pytest.raises(ValueError, match="there already"):
        catalogue(store).place(Hold("case", "asked for", start=1000))
    assert len(apply(store, max_events=0).dropped) == 10  # each adds a segment, and drops it
    catalogue(store).lift("case")
    with pytest.raises(ValueError, match="no hold of that name"):
        catalogue(store).lift("case")
    with open_at(tmp_path / "other.db") as other:
        fill(other, 3)
        export_events(other, tmp_path / "a.jsonl")
    assert import_events(store, tmp_path / "a.jsonl").stored == 3
    monkeypatch.undo()
    assert len(repeated) == 23
    recorded = [event.type.removeprefix("eventstore.") for event in store.read(OWN)]
    assert recorded == ["hold_placed", *["segment_dropped"] * 10, "hold_released", "imported"]
    assert store.verify().ok


def test_store_that_does_not_verify_is_not_sealed(tmp_path: Path, store: EventStore) -> None:
    store.close()
    connection = apsw.Connection(str(tmp_path / "a.db"))
    connection.execute("UPDATE events SET payload = X'7B7D' WHERE position = 15")
    connection.close()
    with open_at(tmp_path / "a.db") as again:
        with pytest.raises(StoreCorrupt, match="position 15") as caught:
            apply(again, max_events=50)
        assert caught.value.position == 15
        assert left(again) == 90


def test_catalogue_drops_only_the_oldest(store: EventStore) -> None:
    failing: Any = Failing(catalogue(store), "drop")
    with pytest.raises(InterruptedError):
        Retention(store, failing, folder(store), Policy(max_events=50, segment_events=10)).apply()
    (segment,) = catalogue(store).segments()
    other: Segment = replace(segment, extent=replace(segment.extent, first=2))
    with pytest.raises(ValueError, match="only the oldest"):
        catalogue(store).drop(other, [])


# Segments of the version before ---------------------------------------------------------------------------------------


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store of 100 events that version 0.1 wrote: 60 dropped into Parquet files (the second with several row groups,
    the third without dictionaries), a hold, signed heads, and an export of everything."""
    copy = tmp_path / "old"
    shutil.copytree(Path(__file__).parent / "stores" / "parquet", copy)
    return copy / "events.db"


@pytest.mark.requirement("EVENT-7")
@pytest.mark.parametrize("mode", ["", "?mode=ro"])
def test_store_with_parquet_segments_opens_verifies_and_reads_to_the_end(tmp_path: Path, old: Path, mode: str) -> None:
    with open_at(old, mode) as store:
        found = store.verify()
        assert (found.ok, found.checked, found.head, found.signed) == (True, 40, 100, 100), found.reason
        assert isinstance(store, Retainable)
        assert verify_segments(store) == 60
        export_events(store, tmp_path / "again.jsonl")
        assert (tmp_path / "again.jsonl").read_bytes() == old.with_suffix(".jsonl").read_bytes()
        events = list(store.read_all())
        assert [event for event in events if event.stream == "sim"] == store.read("sim")
        query = Query(after=15, before=70, correlation="c1", backwards=True)
        assert list(store.read_all(query)) == expected(events, query)
        assert [hold.name for hold in store.catalogue.holds()] == ["case"]
        if not mode:
            assert import_events(store, old.with_suffix(".jsonl")).known == 100


def test_retention_goes_on_from_parquet_segments(old: Path) -> None:
    with open_at(old) as store:
        events = list(store.read_all())
        fill(store, 20, first=100)
        assert len(apply(store, max_events=40, segment_events=20).dropped) == 1
        assert [segment.file.rsplit(".", 1)[1] for segment in catalogue(store).segments()] == 3 * ["parquet"] + ["db"]
        assert list(store.read_all(Query(before=101))) == events
        assert isinstance(store, Retainable)
        assert verify_segments(store) == 80
        catalogue(store).lift("case")
        assert store.verify().ok


def test_changed_parquet_segment_is_noticed_also_where_only_read(old: Path) -> None:
    (path, *_) = sorted((old.parent / "events.db.segments").glob("*.parquet"))
    content = path.read_bytes()
    with open_at(old, "?mode=ro") as store:
        events = list(store.read_all())
        noticed = 0
        for place in range(0, len(content), len(content) // 60):
            path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
            try:
                # A byte that means nothing to this reader (statistics) may change; an event must not.
                assert list(store.read_all()) == events
            except StoreCorrupt as error:
                noticed += path.name in str(error)
    assert noticed > 15
    assert list(read_parquet(sorted(path.parent.glob("*.parquet"))[1])) == events[20:40]


# Policies and holds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "one of max_age, max_events and max_bytes"),
        ({"max_age": -1.0}, r"max_age = -1\.0: allowed: 0 s or more"),
        ({"max_age": float("nan")}, "max_age = nan"),
        ({"max_events": -1}, "max_events = -1: allowed: 0 or more"),
        ({"max_bytes": -5}, "max_bytes = -5: allowed: 0 or more"),
        ({"max_events": 1, "segment_events": 0}, "segment_events = 0: allowed: 1 to 1000000"),
    ],
)
def test_bad_policy_is_refused_by_field(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Policy(**fields)


@pytest.mark.requirement("EVENT-7")
def test_what_is_due(store: EventStore) -> None:
    events = list(store.read_all())
    now = events[59].recorded + 10_000_000_000
    assert Policy(max_age=10.0).due(store, now) == 59
    assert Policy(max_age=3600.0).due(store, now) == 0
    assert Policy(max_events=30).due(store, now) == 70
    assert Policy(max_events=300).due(store, now) == 0
    assert Policy(max_age=10.0, max_events=30).due(store, now) == 70
    size = sum(len(event.payload) for event in events[80:])
    assert Policy(max_bytes=size).due(store, now) == 80
    assert Policy(max_bytes=size - 1).due(store, now) == 81
    assert Policy(max_bytes=10**9).due(store, now) == 0


def test_files_that_were_moved_away_do_not_stop_retention(store: EventStore) -> None:
    apply(store, max_events=50)
    for file in folder(store).iterdir():
        file.unlink()
    size = sum(len(event.payload) for event in store.read_all(Query(after=50)))
    assert apply(store, max_age=3600.0, max_bytes=size).dropped == ()
    assert len(apply(store, max_age=0.0).dropped) == 5
    assert "put it back" in store.verify().reason


@pytest.mark.requirement("EVENT-7b")
def test_hold_stops_retention_until_it_is_lifted(store: EventStore) -> None:
    held = next(event for event in store.read_all(Query(after=30)) if event.correlation == "c1")
    catalogue(store).place(Hold("case 7", "asked for by the insurer", streams=("a*", "b*", "s*"), correlation="c1"))
    place = next(event.position for event in store.read_all() if event.correlation == "c1")
    assert place <= held.position
    done = apply(store, max_events=0)
    assert done.hold == "case 7"
    assert len(done.dropped) == (place - 1) // 10
    assert left(store) == 100 - 10 * len(done.dropped)
    catalogue(store).lift("case 7")
    assert store.verify().ok
    assert apply(store, max_events=recorded(store)).hold == ""
    assert left(store) == 0


@pytest.mark.requirement("EVENT-7b")
def test_hold_that_comes_at_the_last_moment_still_holds(store: EventStore) -> None:
    inner = catalogue(store)

    class Late:
        """Places a hold after the holds were looked at."""

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

        def drop(self, segment: Segment, holds: Any) -> bool:
            if segment.extent.first == 21 and not inner.holds():
                inner.place(Hold("late"))
            return inner.drop(segment, holds)

    late: Any = Late()
    done = Retention(store, late, folder(store), Policy(max_events=50, segment_events=10)).apply()
    assert (done.hold, len(done.dropped), left(store)) == ("late", 2, 80)
    inner.lift("late")
    assert len(apply(store, max_events=50).dropped) == 3
    assert store.verify().ok


def test_hold_on_a_time_that_is_not_there_holds_nothing(store: EventStore) -> None:
    catalogue(store).place(Hold("far", start=10**6))
    assert len(apply(store, max_events=0).dropped) == 10


@pytest.mark.requirement("EVENT-7b")
def test_holds_survive_and_have_one_name_each(tmp_path: Path, store: EventStore) -> None:
    hold = Hold("b", "why", ("x/*",), 1, 2, "c")
    catalogue(store).place(hold)
    catalogue(store).place(Hold("a"))
    with pytest.raises(ValueError, match="'a': a hold of that name is there already"):
        catalogue(store).place(Hold("a"))
    with pytest.raises(ValueError, match="there is no hold of that name"):
        catalogue(store).lift("z")
    store.close()
    with open_at(tmp_path / "a.db", "?mode=ro") as again:
        assert catalogue(again).holds() == [Hold("a"), hold]
        with pytest.raises(StoreUnavailable, match="mode=ro"):
            catalogue(again).lift("a")


@pytest.mark.parametrize(
    ("fields", "text"), [({"name": " "}, "name = ' '"), ({"name": "a", "start": 5, "end": 5}, "start = 5, end = 5")]
)
def test_bad_hold_is_refused_by_field(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Hold(**fields)


def test_json_payload_type_is_kept(store: EventStore) -> None:
    apply(store, max_events=0)
    assert JSON in {event.content_type for event in store.read_all()}


def test_a_verification_goes_on_while_events_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with open_at(path) as store:
        store.append("sim", [Event("launch.note", {"number": number}) for number in range(2500)])
        left = [Policy(max_events=100, segment_events=1200)]

        def visit(_event: RecordedEvent) -> None:
            if left:
                Retention.of(store, left.pop()).apply()

        found = verify(SqliteContent(Readers(path, str)), visit=visit)
        assert (found.ok, found.checked, found.head) == (True, 102, 2502), found.reason


def test_the_node_s_services_hold_release_and_retain(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    services: dict[str, Any] = {}
    monkeypatch.setattr(
        reading, "create_deferred_service", lambda _node, _kind, name, work: services.__setitem__(name, work)
    )
    node: Any = SimpleNamespace(log=SimpleNamespace(warning=lambda *_, **__: None, error=lambda *_, **__: None))
    reading.Reading(node, store, "")

    def call(name: str, request: Any) -> Any:
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        services[f"~/{name}"](request, answers.put)
        return answers.get(timeout=60.0)

    request = PlaceHold.Request(name="case", reason="why", streams=["sim"], start=100, correlation="c1")
    assert call("hold", request).success
    assert catalogue(store).holds() == [Hold("case", "why", ("sim",), 100, None, "c1")]
    assert "there already" in call("hold", request).message
    assert not call("hold", PlaceHold.Request(name=" ")).success
    answer = call("retain", ApplyRetention.Request(max_events=0, segment_events=10))
    assert (answer.success, answer.hold) == (True, "case"), answer.message
    assert call("release", ReleaseHold.Request(name="case")).success
    assert "no hold of that name" in call("release", ReleaseHold.Request(name="case")).message
    answer = call("retain", ApplyRetention.Request(max_events=10, segment_events=10))
    assert [received(text) for text in answer.segments] == catalogue(store).segments() != []
    assert "one of max_age" in call("retain", ApplyRetention.Request()).message
    assert store.verify().ok
