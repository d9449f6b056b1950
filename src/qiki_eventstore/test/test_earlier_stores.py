"""Stores that earlier versions of the program wrote open, verify and read to the end.

`stores/version_N.db` was written by the program of schema version N with `fill`.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from qiki_eventstore import AtTime, Event, EventStore, Query, RecordedEvent, open_store

STORES = Path(__file__).parent / "stores"
COUNT = 300
STREAMS = ("alpha/allocator", "bravo/allocator", "operator")
BEGAN = 1_700_000_000_000_000_000
"""Recording time of the first event, ns."""
RESET = 200
"""Number of the event before which the simulated clock was set back to zero."""


def written(number: int) -> Event:
    """The event of a number, from 0; it is event `number` + 1 of the store."""
    message = StringValue(value=f"payload {number}")
    return Event(
        "test.began" if number % 2 else "test.ended",
        message if number % 5 == 0 else {"number": number, "text": "ü"},
        UUID(int=number + 1),
        (number % RESET) * 1_000_000,
        f"/{STREAMS[number % 3]}",
        f"command-{number // 10}" if number % 4 == 0 else None,
        "before" if number % 7 == 0 else None,
        1 + number % 2,
    )


def fill(path: Path) -> None:
    with open_store(f"sqlite:///{path}", clock=lambda: BEGAN, reserve_bytes=0) as store:
        for number in range(COUNT):
            store.append(STREAMS[number % 3], [written(number)])
            if number == COUNT // 2:
                store.snapshot(Count(), "*")
        with store.subscribe(0, name="ledger") as follower:
            found = follower.get(10)
            assert found is not None
            follower.checkpoint(found)


class Count:
    """Number of events."""

    name, version, types = "count", 1, ("*",)

    def initial(self) -> int:
        return 0

    def apply(self, state: int, event: RecordedEvent, data: Mapping[str, Any]) -> int:
        del event, data
        return state + 1

    def dump(self, state: int) -> Mapping[str, Any]:
        return {"count": state}

    def load(self, data: Mapping[str, Any]) -> int:
        return int(data["count"])


@pytest.fixture(params=["version_1", "version_2"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a store of each earlier version."""
    for file in STORES.glob(f"{request.param}.db*"):
        shutil.copy(file, tmp_path / file.name.replace(request.param, "events"))
    return tmp_path / "events.db"


def check(store: EventStore) -> None:
    """It verifies, is read to the end, and answers every kind of question."""
    verification = store.verify()
    assert verification.ok, verification.reason
    assert (verification.checked, verification.signed) == (COUNT, COUNT)
    events = list(store.read_all())
    assert [event.position for event in events] == list(range(1, COUNT + 1))
    for number, found in enumerate(events):
        event = written(number)
        assert (found.type, found.id, found.time, found.source) == (event.type, event.id, event.time, event.source)
        assert (found.correlation, found.causation) == (event.correlation, event.causation)
        assert (found.stream, found.version) == (STREAMS[number % 3], number // 3)
        assert (found.recorded, found.schema_version) == (BEGAN + number, event.schema_version)
        assert found.data
    assert events[-1].hash.hex() == "df62deef0611c60a06bea5edf3975b40d22e70bae55ac81126f14ba34e80d023"
    assert store.read("operator", 10, 20) == [event for event in events if event.stream == "operator"][10:20]
    between = Query(start=20_000_000, end=40_000_000)
    assert list(store.read_all(between)) == [event for event in events if 20_000_000 <= event.time < 40_000_000]
    assert [event.position for event in store.read_all(Query(correlation="command-7", backwards=True))] == [77, 73]
    assert store.reconstruct(Count(), "*") == COUNT
    assert store.reconstruct(Count(), "*", AtTime(50_000_000)) == RESET + 51
    with store.subscribe(name="ledger") as follower:
        following = follower.get(10)
        assert following is not None
        assert following.position == 2


def test_it_is_read_as_it_is(path: Path) -> None:
    before = path.read_bytes()
    with open_store(f"sqlite:///{path}?mode=ro") as store:
        check(store)
    assert path.read_bytes() == before


def test_it_goes_on(path: Path) -> None:
    for _ in range(2):
        with open_store(f"sqlite:///{path}", reserve_bytes=0) as store:
            check(store)
            assert store.append("operator", [written(COUNT - 1)]) == [COUNT]  # a retry
    with open_store(f"sqlite:///{path}", reserve_bytes=0) as store:
        assert store.append("operator", [Event("test.began", {"number": 0}, time=30_000_000)], 99) == [COUNT + 1]
        assert [event.position for event in store.read_all(Query(start=30_000_000, end=30_000_001))] == [31, 231, 301]
        assert store.verify().ok
