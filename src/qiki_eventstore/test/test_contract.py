"""What every engine must keep: the sentences of `EventStore`, `Query`, `Subscription` and the moments of the past."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count, pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qiki_eventstore import (
    ANY,
    NO_STREAM,
    AtPosition,
    AtRecorded,
    AtTime,
    AtVersion,
    Delivery,
    Event,
    EventStore,
    Moment,
    PayloadError,
    Query,
    RecordedEvent,
    StoreUnavailable,
    VersionConflict,
)

STREAMS = ("alpha/allocator", "alpha/docking", "bravo/allocator", "operator")
TYPES = ("test.began", "test.ended", "other.thing")
ALLOCATOR = "alpha/allocator"

_names = count()


def event(number: int = 0, **fields: Any) -> Event:
    return Event(fields.pop("type", "test.began"), {"number": number}, **fields)


def unsealed(events: Iterable[RecordedEvent | None]) -> list[RecordedEvent]:
    """Without the hashes, which an engine may add later."""
    return [replace(found, hash=b"") for found in events if found is not None]


def positions(events: Any) -> list[int]:
    return [found.position for found in events]


# Writing ------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-1")
def test_an_event_comes_back_as_it_was_written(store: EventStore) -> None:
    id = uuid4()
    written = Event("test.began", {"a": [1, None, "ü"]}, id, -5, "/alpha/x", "command-1", "event-0", 3)
    before = time.time_ns()
    (position,) = store.append(ALLOCATOR, [written])
    (found,) = store.read(ALLOCATOR)
    assert before <= found.recorded <= time.time_ns()
    assert (found.position, found.stream, found.version, found.id) == (position, ALLOCATOR, 0, id)
    assert (found.type, found.source, found.time, found.schema_version) == ("test.began", "/alpha/x", -5, 3)
    assert (found.correlation, found.causation) == ("command-1", "event-0")
    assert (found.content_type, found.payload) == ("application/json", '{"a":[1,null,"ü"]}'.encode())


def test_a_protobuf_message_is_stored_as_its_bytes(store: EventStore) -> None:
    message = StringValue(value="hull")
    store.append(ALLOCATOR, [Event("test.unknown_type", message)])
    (found,) = store.read(ALLOCATOR)
    assert (found.content_type, found.payload) == ("application/protobuf", message.SerializeToString())


@pytest.mark.requirement("EVENT-1")
def test_what_is_not_given_is_made(store: EventStore) -> None:
    store.append(ALLOCATOR, [event(), event()])
    first, second = store.read(ALLOCATOR)
    assert first.id.version == second.id.version == 7
    assert first.id < second.id
    assert first.time == first.recorded
    assert (first.source, first.correlation, first.causation) == ("", None, None)


@pytest.mark.requirement("EVENT-1")
def test_versions_run_per_stream_and_positions_over_all(store: EventStore) -> None:
    given = [store.append(stream, [event(), event()]) for stream in (ALLOCATOR, "operator", ALLOCATOR)]
    flat = [position for call in given for position in call]
    assert flat == sorted(set(flat))
    assert flat[0] >= 1
    assert [found.version for found in store.read(ALLOCATOR)] == [0, 1, 2, 3]
    assert positions(store.read(ALLOCATOR)) == given[0] + given[2]
    assert positions(store.read_all()) == flat
    recorded = [found.recorded for found in store.read_all()]
    assert recorded == sorted(recorded)


@pytest.mark.requirement("EVENT-2")
def test_expected_versions(store: EventStore) -> None:
    assert store.version(ALLOCATOR) == NO_STREAM
    with pytest.raises(VersionConflict, match="does not exist") as missing:
        store.append(ALLOCATOR, [event()], 0)
    assert (missing.value.expected, missing.value.actual) == (0, NO_STREAM)
    store.append(ALLOCATOR, [event(), event()], NO_STREAM)
    assert store.version(ALLOCATOR) == 1
    for wrong in (NO_STREAM, 0, 2):
        with pytest.raises(VersionConflict, match="is at version 1"):
            store.append(ALLOCATOR, [event()], wrong)
    store.append(ALLOCATOR, [event()], 1)
    store.append(ALLOCATOR, [event()], ANY)
    assert store.version(ALLOCATOR) == 3
    assert store.stats().conflicts == 4


@pytest.mark.requirement("EVENT-3b")
def test_a_conflict_fails_alone(store: EventStore) -> None:
    store.append(ALLOCATOR, [event()])
    futures = [store.submit(ALLOCATOR, [event(number)], 99 if number % 2 else ANY) for number in range(40)]
    for number, future in enumerate(futures):
        if number % 2:
            with pytest.raises(VersionConflict):
                future.result(10)
        else:
            assert len(future.result(10)) == 1
    assert [found.version for found in store.read(ALLOCATOR)] == list(range(21))


@pytest.mark.requirement("EVENT-2")
def test_only_one_of_many_that_expect_the_same_version_wins(store: EventStore) -> None:
    def attempt(number: int) -> bool:
        try:
            store.append(ALLOCATOR, [event(number)], NO_STREAM)
        except VersionConflict:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(attempt, range(32))) == 1
    assert store.version(ALLOCATOR) == 0


@pytest.mark.requirement("EVENT-2a")
@pytest.mark.parametrize("expected", [ANY, NO_STREAM, 0, 1, 99])
def test_a_retry_gets_the_first_positions_whatever_the_expected_version(store: EventStore, expected: int) -> None:
    call = [event(number, id=uuid4()) for number in range(2)]
    first = store.append(ALLOCATOR, call, NO_STREAM)
    store.append(ALLOCATOR, [event()])
    assert store.append(ALLOCATOR, call, expected) == first
    assert store.version(ALLOCATOR) == 2
    assert store.stats().duplicates == 2
    assert store.stats().conflicts == 0


@pytest.mark.requirement("EVENT-2a")
def test_a_retry_while_the_first_is_still_queued(store: EventStore) -> None:
    calls = [[event(number, id=uuid4())] for number in range(50)]
    futures = [[store.submit(ALLOCATOR, call, ANY) for _ in range(3)] for call in calls]
    for tries in futures:
        assert len({tuple(future.result(10)) for future in tries}) == 1
    assert store.version(ALLOCATOR) == 49


@pytest.mark.requirement("EVENT-2a")
def test_ids_in_the_wrong_place_are_refused(store: EventStore) -> None:
    known = event(id=uuid4())
    store.append(ALLOCATOR, [known])
    with pytest.raises(PayloadError, match="stored already"):
        store.append("operator", [known])
    with pytest.raises(PayloadError, match="stored already"):
        store.append(ALLOCATOR, [known, event(id=uuid4())])
    with pytest.raises(PayloadError, match="same id"):
        store.append("operator", [known, known])
    assert positions(store.read_all()) == [store.head()]


@pytest.mark.requirement("EVENT-2")
def test_all_events_of_a_call_are_stored_or_none(store: EventStore) -> None:
    with pytest.raises(PayloadError):
        store.append(ALLOCATOR, [event(), Event("test.began", {"number": float("nan")})])
    assert store.read(ALLOCATOR) == []
    assert store.head() == 0


@pytest.mark.requirement("EVENT-2g")
@pytest.mark.parametrize(
    ("stream", "bad", "names"),
    [
        ("", event(), "stream"),
        ("x" * 201, event(), "201 characters"),
        ("a\nb", event(), "control characters"),
        ("a\0", event(), "control characters"),
        ("alpha/*", event(), "must not end in"),
        (ALLOCATOR, event(type=""), "type"),
        (ALLOCATOR, event(source="x" * 201), "source"),
        (ALLOCATOR, event(source="\ud800"), "source"),
        (ALLOCATOR, event(correlation=""), "correlation"),
        (ALLOCATOR, event(causation=5), "causation 5"),
        (ALLOCATOR, event(time=2**63), "time 9223372036854775808"),
        (ALLOCATOR, event(time=1.5), "time 1.5"),
        (ALLOCATOR, event(schema_version=0), "schema_version 0"),
        (ALLOCATOR, event(schema_version=True), "schema_version True"),
        (ALLOCATOR, event(id="not-a-uuid"), "id 'not-a-uuid'"),
        (ALLOCATOR, {"type": "test.began"}, "must be an Event"),
        (ALLOCATOR, Event("test.began", {"a": {1, 2}}), "payload"),
        (ALLOCATOR, Event("test.began", {"a": "\ud800"}), "payload"),
    ],
)
def test_bad_input_is_named(store: EventStore, stream: str, bad: Any, names: str) -> None:
    with pytest.raises(PayloadError, match=names):
        store.append(stream, [bad])
    store.append(ALLOCATOR, [event()])
    assert store.version(ALLOCATOR) == 0


@pytest.mark.requirement("EVENT-2g")
@pytest.mark.parametrize("expected", [-3, 1.0, True, None])
def test_a_bad_expected_version_is_named(store: EventStore, expected: Any) -> None:
    with pytest.raises(PayloadError, match="expected_version"):
        store.append(ALLOCATOR, [event()], expected)


def test_telemetry_is_stored_if_there_is_room(store: EventStore) -> None:
    assert len(store.append(ALLOCATOR, [event()], delivery=Delivery.TELEMETRY)) == 1
    assert store.stats().dropped == 0


def test_what_was_stored_is_there_when_it_is_opened_again(make_store: Callable[..., EventStore]) -> None:
    with make_store("again") as store:
        retried = [event(id=uuid4())]
        first = store.append(ALLOCATOR, retried)
        store.append("operator", [event(), event()])
        before = list(store.read_all())
    with make_store("again") as store:
        assert unsealed(store.read_all()) == unsealed(before)
        assert store.version("operator") == 1
        assert store.append(ALLOCATOR, retried) == first
        assert store.append(ALLOCATOR, [event()], 0)[0] > before[-1].position
        assert store.verify().ok


@pytest.mark.requirement("EVENT-2g")
def test_a_closed_store_says_so_and_closes_twice(make_store: Callable[..., EventStore]) -> None:
    store = make_store("closed")
    futures = [store.submit(ALLOCATOR, [event()]) for _ in range(100)]
    store.close()
    store.close()
    assert len({future.result(10)[0] for future in futures}) == 100  # what was queued is stored
    for use in (lambda: store.append(ALLOCATOR, [event()]), lambda: store.read(ALLOCATOR), store.head):
        with pytest.raises(StoreUnavailable, match="closed"):
            use()


# Reading ------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-2b")
def test_reading_a_part_of_a_stream(store: EventStore) -> None:
    store.append(ALLOCATOR, [event(number) for number in range(5)])
    assert [found.version for found in store.read(ALLOCATOR, 1, 4)] == [1, 2, 3]
    assert [found.version for found in store.read(ALLOCATOR, 3)] == [3, 4]
    assert store.read(ALLOCATOR, 5) == store.read(ALLOCATOR, 3, 3) == store.read("nothing") == []


@pytest.mark.requirement("EVENT-2b")
def test_reading_more_than_any_page(store: EventStore) -> None:
    for _ in range(5):
        store.append(ALLOCATOR, [event(number) for number in range(700)])
        store.append("operator", [event(number) for number in range(9)])
    assert [found.version for found in store.read(ALLOCATOR)] == list(range(3500))
    assert len(list(store.read_all())) == 3545
    assert positions(store.read_all(Query(backwards=True))) == positions(store.read_all())[::-1]
    assert len(list(store.read_all(Query(streams=("operator",), types=("test.*",))))) == 45


def test_names_of_streams(store: EventStore) -> None:
    for stream in STREAMS:
        store.append(stream, [event()])
    assert store.streams() == sorted(STREAMS)
    assert store.streams("alpha/*") == ["alpha/allocator", "alpha/docking"]
    assert store.streams("operator") == ["operator"]
    assert store.streams("charlie/*") == []


def test_an_empty_store(store: EventStore) -> None:
    assert (store.head(), store.streams(), list(store.read_all())) == (0, [], [])
    verification = store.verify()
    assert (verification.ok, verification.checked, verification.first_bad, verification.head) == (True, 0, None, 0)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(STREAMS),
        st.sampled_from(TYPES),
        st.integers(-3, 12),
        st.sampled_from([None, "command-1", "command-2"]),
    ),
    max_size=25,
)
PATTERNS = st.lists(st.sampled_from([*STREAMS, "alpha/*", "*", "no*", "nothing"]), max_size=2).map(tuple)
TYPE_PATTERNS = st.lists(st.sampled_from([*TYPES, "test.*", "*", "no*", "nothing"]), max_size=2).map(tuple)
BOUND = st.none() | st.integers(-4, 14)


def queries() -> st.SearchStrategy[Query]:
    return st.builds(
        Query,
        after=BOUND,
        before=BOUND,
        start=BOUND,
        end=BOUND,
        types=TYPE_PATTERNS,
        streams=PATTERNS,
        correlation=st.none() | st.sampled_from(["command-1", "nothing"]),
        limit=st.none() | st.integers(0, 5),
        backwards=st.booleans(),
    )


def fits(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def brute_force(events: list[RecordedEvent], query: Query) -> list[RecordedEvent]:
    found = [
        e
        for e in events
        if (query.after is None or e.position > query.after)
        and (query.before is None or e.position < query.before)
        and (query.start is None or e.time >= query.start)
        and (query.end is None or e.time < query.end)
        and (query.recorded_start is None or e.recorded >= query.recorded_start)
        and (query.recorded_end is None or e.recorded < query.recorded_end)
        and (not query.types or any(fits(pattern, e.type) for pattern in query.types))
        and (not query.streams or any(fits(pattern, e.stream) for pattern in query.streams))
        and (query.correlation is None or e.correlation == query.correlation)
    ]
    ordered = found[::-1] if query.backwards else found
    return ordered if query.limit is None else ordered[: query.limit]


@pytest.mark.requirement("EVENT-2b")
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=EVENTS, wanted=st.lists(queries(), min_size=5, max_size=30), data=st.data())
def test_queries_find_what_brute_force_finds(
    make_store: Callable[..., EventStore], written: list[Any], wanted: list[Query], data: st.DataObject
) -> None:
    with make_store(f"queries{next(_names)}") as store:
        for stream, type, at, correlation in written:
            store.append(stream, [Event(type, {}, time=at, correlation=correlation)])
        events = list(store.read_all())
        assert len(events) == len(written)
        for query in wanted:
            assert list(store.read_all(query)) == brute_force(events, query)
        if events:
            moments = st.sampled_from([e.recorded + step for e in events for step in (-1, 0, 1)])
            query = Query(recorded_start=data.draw(moments), recorded_end=data.draw(moments))
            assert list(store.read_all(query)) == brute_force(events, query)


# Following ----------------------------------------------------------------------------------------------------------


def test_what_is_settled_reaches_the_head(store: EventStore) -> None:
    assert store.settled() == 0
    store.append(ALLOCATOR, [event(), event()])
    end = time.monotonic() + 10.0  # on PostgreSQL other transactions of the server may have to end first
    while store.settled() < store.head() and time.monotonic() < end:
        time.sleep(0.01)
    assert store.settled() == store.head() == 2


@pytest.mark.requirement("EVENT-2c")
def test_a_follower_catches_up_and_then_hears_what_comes(store: EventStore) -> None:
    first = store.append(ALLOCATOR, [event(), event()])
    with store.subscribe() as follower:
        assert [follower.get(10).position for _ in first] == first  # type: ignore[union-attr]
        assert follower.get(0) is None
        began = time.monotonic()
        assert follower.get(0.05) is None
        assert time.monotonic() - began >= 0.04
        timer = threading.Timer(0.1, lambda: store.append("operator", [event()]))
        timer.start()
        found = follower.get(10)
        timer.join()
    assert found is not None
    assert found.stream == "operator"


@pytest.mark.requirement("EVENT-2c")
def test_a_follower_may_start_anywhere_and_choose(store: EventStore) -> None:
    for stream in STREAMS:
        store.append(stream, [event(type="test.began"), event(type="other.thing")])
    events = list(store.read_all())
    with store.subscribe(events[3].position, streams=["alpha/*", "operator"], types=["test.*"]) as follower:
        assert follower.get(10) == events[6]
        assert follower.get(0.1) is None
        later = store.append("alpha/new", [event(type="other.thing"), event(type="test.new")])
        found = follower.get(10)
    assert found is not None
    assert found.position == later[1]


def test_closing_a_follower_ends_its_wait(store: EventStore) -> None:
    follower = store.subscribe()
    timer = threading.Timer(0.1, follower.close)
    timer.start()
    assert follower.get() is None
    timer.join()
    assert list(follower) == []
    follower.close()


def test_closing_the_store_ends_its_followers(make_store: Callable[..., EventStore]) -> None:
    store = make_store("followers")
    follower = store.subscribe()
    timer = threading.Timer(0.1, store.close)
    timer.start()
    assert follower.get(10) is None
    timer.join()


@pytest.mark.requirement("EVENT-2c")
def test_checkpoints_are_kept_by_name(make_store: Callable[..., EventStore]) -> None:
    with make_store("checkpoints") as store:
        store.append(ALLOCATOR, [event(number) for number in range(4)])
        events = store.read(ALLOCATOR)
        with store.subscribe(name="ledger") as follower:
            assert unsealed([follower.get(10), follower.get(10)]) == unsealed(events[:2])
            follower.checkpoint(events[1])
            assert unsealed([follower.get(10)]) == unsealed(events[2:3])  # read, but not done
    with make_store("checkpoints") as store:
        with store.subscribe(name="ledger") as follower:
            assert unsealed([follower.get(10)]) == unsealed(events[2:3])
        with store.subscribe(name="other") as follower:
            assert unsealed([follower.get(10)]) == unsealed(events[:1])
        with store.subscribe(0, name="ledger") as follower:
            assert unsealed([follower.get(10)]) == unsealed(events[:1])
        with store.subscribe() as follower, pytest.raises(ValueError, match="no name"):
            follower.checkpoint(events[0])


@pytest.mark.requirement("EVENT-14")
def test_sixteen_writers_and_followers_that_miss_nothing(store: EventStore) -> None:
    writers, each = 16, 60
    total = writers * each
    seen: list[list[RecordedEvent]] = [[], []]

    def follow(found: list[RecordedEvent], pause: float) -> None:
        with store.subscribe() as follower:
            while len(found) < total and (next := follower.get(30)) is not None:
                found.append(next)
                time.sleep(pause)

    def write(writer: int) -> None:
        for number in range(each):
            store.append(f"writer/{writer}", [event(number)], number - 1)

    followers = [
        threading.Thread(target=follow, args=(seen[0], 0.0)),
        threading.Thread(target=follow, args=(seen[1], 0.0005)),
    ]
    for thread in followers:
        thread.start()
    with ThreadPoolExecutor(writers) as threads:
        list(threads.map(write, range(writers)))
    for thread in followers:
        thread.join()
    for found in seen:
        assert len({next.id for next in found}) == len(found) == total
        for stream in store.streams():
            assert [next.version for next in found if next.stream == stream] == list(range(each))
    assert store.verify().ok


# The past -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trace:
    """Remembers every event that it met, in order, as numbers."""

    name: str = "trace"
    version: int = 1

    def initial(self) -> tuple[int, ...]:
        return ()

    def apply(self, state: tuple[int, ...], event: RecordedEvent, data: Mapping[str, Any]) -> tuple[int, ...]:
        assert json.loads(event.payload) == data
        return (*state, data["number"])

    def dump(self, state: tuple[int, ...]) -> Mapping[str, Any]:
        return {"numbers": list(state)}

    def load(self, data: Mapping[str, Any]) -> tuple[int, ...]:
        return tuple(data["numbers"])


class NoMoreFolding(Trace):
    """Fails where a snapshot should have spared the fold."""

    def apply(self, state: tuple[int, ...], event: RecordedEvent, data: Mapping[str, Any]) -> tuple[int, ...]:
        raise AssertionError(f"folded event {event.position}, {data}, into {state}, which a snapshot spares")


@pytest.mark.requirement("EVENT-2d")
def test_moments(store: EventStore) -> None:
    for number, at in enumerate([100, 200, 300]):
        store.append(ALLOCATOR, [event(number, time=at)])
        store.append("operator", [event(10 + number, time=at)])
    events = list(store.read_all())
    trace = Trace()
    assert store.reconstruct(trace, ALLOCATOR) == (0, 1, 2)
    assert store.reconstruct(trace, "*") == (0, 10, 1, 11, 2, 12)
    assert store.reconstruct(trace, "nothing") == ()
    assert store.reconstruct(trace, ALLOCATOR, AtVersion(1)) == (0, 1)
    assert store.reconstruct(trace, ALLOCATOR, AtVersion(-1)) == ()
    assert store.reconstruct(trace, "*", AtPosition(events[2].position)) == (0, 10, 1)
    assert store.reconstruct(trace, "*", AtRecorded(events[3].recorded)) == (0, 10, 1, 11)
    assert store.reconstruct(trace, "*", AtRecorded(events[0].recorded - 1)) == ()
    assert store.reconstruct(trace, "*", AtTime(200)) == (0, 10, 1, 11)
    assert store.reconstruct(trace, "*", AtTime(199)) == (0, 10)
    with pytest.raises(ValueError, match="no version 3"):
        store.reconstruct(trace, ALLOCATOR, AtVersion(3))
    with pytest.raises(ValueError, match="one stream"):
        store.reconstruct(trace, "*", AtVersion(1))


@pytest.mark.requirement("EVENT-2d")
def test_a_time_that_came_twice_means_its_last_coming(store: EventStore) -> None:
    store.append(ALLOCATOR, [event(number, time=at) for number, at in enumerate([100, 200, 300, 50, 150])])
    assert store.reconstruct(Trace(), ALLOCATOR, AtTime(120)) == (0, 1, 2, 3)
    assert store.reconstruct(Trace(), ALLOCATOR, AtTime(40)) == ()


@pytest.mark.requirement("EVENT-2d")
def test_a_snapshot_spares_the_fold(store: EventStore) -> None:
    store.append(ALLOCATOR, [event(number) for number in range(3)])
    assert store.snapshot(Trace(), ALLOCATOR) <= store.head()
    assert store.reconstruct(NoMoreFolding(), ALLOCATOR) == (0, 1, 2)
    assert store.rebuild([NoMoreFolding(version=2)], ALLOCATOR)[0].skipped == 3  # of another meaning
    assert store.rebuild([NoMoreFolding()], ALLOCATOR, AtVersion(1))[0].skipped == 2  # of a later moment
    store.append(ALLOCATOR, [event(3)])
    assert store.reconstruct(Trace(), ALLOCATOR) == (0, 1, 2, 3)


STEPS = st.lists(st.none() | st.tuples(st.sampled_from(STREAMS[:3]), st.integers(0, 8)), max_size=14)


@pytest.mark.requirement("EVENT-2d")
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_snapshots_change_no_past_state(
    make_store: Callable[..., EventStore], steps: list[tuple[str, int] | None]
) -> None:
    """Every moment: equal with and without snapshots, and equal to a fold that takes the definition literally."""
    trace, bare = Trace(), Trace(name="bare")
    with make_store(f"moments{next(_names)}") as store:
        for number, step in enumerate(steps):
            if step is None:
                for pattern in ("alpha/*", "*", ALLOCATOR):
                    store.snapshot(trace, pattern)
            else:
                store.append(step[0], [event(number, time=step[1])])
        events = list(store.read_all())
        moments: list[Moment] = [AtTime(at) for at in range(-1, 10)]
        moments += [AtPosition(e.position) for e in events] + [AtRecorded(e.recorded) for e in events]
        for pattern in ("alpha/*", "*", ALLOCATOR):
            for at in moments:
                expected = tuple(number_of(e) for e in events if fits(pattern, e.stream) and lies_before(e, events, at))
                assert store.reconstruct(trace, pattern, at) == store.reconstruct(bare, pattern, at) == expected


def number_of(e: RecordedEvent) -> int:
    return int(json.loads(e.payload)["number"])


def lies_before(e: RecordedEvent, events: list[RecordedEvent], at: Moment) -> bool:
    match at:
        case AtPosition(position):
            return e.position <= position
        case AtRecorded(recorded):
            return e.recorded <= recorded
        case AtTime(at_time):
            return any(f.stream == e.stream and f.version >= e.version and f.time <= at_time for f in events)
    raise AssertionError(at)


# Care ---------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-2e")
def test_stats_count(store: EventStore) -> None:
    call = [event(id=UUID(int=1)), event(id=UUID(int=2))]
    store.append(ALLOCATOR, call)
    store.append(ALLOCATOR, call)
    store.append("operator", [event()])
    stats = store.stats()
    assert (stats.events, stats.streams, stats.head) == (3, 2, store.head())
    assert (stats.duplicates, stats.conflicts, stats.dropped, stats.queued, stats.read_only) == (2, 0, 0, 0, "")
    assert stats.commits >= 2
    assert stats.appended >= 3
    assert stats.bytes > 0


@pytest.mark.requirement("EVENT-2e")
def test_every_hash_follows_from_the_one_before(store: EventStore) -> None:
    for number in range(30):
        store.append(STREAMS[number % 4], [event(number, correlation=f"command-{number}")])
    verification = store.verify()
    assert verification.ok, verification.reason
    assert verification.head == store.head()


@pytest.mark.requirement("EVENT-1a")
def test_recording_times_never_fall(store: EventStore) -> None:
    for _ in range(50):
        store.append(ALLOCATOR, [event(), event()])
    recorded = [found.recorded for found in store.read_all()]
    assert all(earlier <= later for earlier, later in pairwise(recorded))


def test_an_event_that_is_appended_again_is_stored_once(store: EventStore) -> None:
    event = Event("test.began", {"n": 1})
    first = store.append("alpha/a", [event])
    assert store.append("alpha/a", [event]) == first
    assert [found.id for found in store.read("alpha/a")] == [event.id]
    assert store.append("alpha/a", [Event("test.began", {"n": 1})]) != first
    with pytest.raises(PayloadError, match="same id"):
        store.append("alpha/b", [event, event])


def test_data_of_a_stored_event_is_its_payload(store: EventStore) -> None:
    mode = {"mode": "AUTO", "before": "ADAPTIVE"}
    store.append("alpha/a", [Event("allocator.mode_changed", mode), Event("test.began", {"a": [1, None, "ü"]})])
    assert [event.data for event in store.read("alpha/a")] == [mode, {"a": [1, None, "ü"]}]
