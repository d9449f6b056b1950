"""Any interleaving of appends, conflicts, retries, crashes and the rest leaves a store that equals a model of it."""

import json
import logging
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import apsw
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from power_cut_disk import installed

from qiki_eventstore import (
    ANY,
    NO_STREAM,
    AtPosition,
    Event,
    EventStore,
    EventStoreError,
    PayloadError,
    Query,
    Receipt,
    RecordedEvent,
    StoreFull,
    VersionConflict,
    open_store,
)

STREAMS = ("alpha/allocator", "alpha/docking", "operator")
FOLLOWER = "ledger"


class Trace:
    """Remembers the number of every event that it met."""

    name, version = "trace", 1

    def initial(self) -> tuple[int, ...]:
        return ()

    def apply(self, state: tuple[int, ...], _event: RecordedEvent, data: Mapping[str, Any]) -> tuple[int, ...]:
        return (*state, data["number"])

    def dump(self, state: tuple[int, ...]) -> Mapping[str, Any]:
        return {"numbers": list(state)}

    def load(self, data: Mapping[str, Any]) -> tuple[int, ...]:
        return tuple(data["numbers"])


@dataclass(frozen=True)
class Call:
    """An append: stream, numbers of its events (an event's id is made of its number), expected version."""

    stream: str
    numbers: tuple[int, ...]
    expected: int

    def events(self) -> list[Event]:
        return [
            Event("test.began", {"number": number, "text": "x" * (number % 7 * 300)}, id=UUID(int=number))
            for number in self.numbers
        ]


@dataclass
class Model:
    """What should be stored: streams and numbers in order of positions."""

    stored: list[tuple[str, int]] = field(default_factory=list)

    def version(self, stream: str) -> int:
        return sum(found == stream for found, _ in self.stored) - 1

    def numbers(self, pattern: str, last: int) -> tuple[int, ...]:
        return tuple(
            number for stream, number in self.stored[:last] if pattern == "*" or stream.startswith(pattern.rstrip("*"))
        )

    def append(self, call: Call) -> list[int] | type[EventStoreError]:
        """The positions, or the error, as the contract has it."""
        actual = self.version(call.stream)
        places = {number: (position, stream) for position, (stream, number) in enumerate(self.stored, 1)}
        known = [places[number] for number in call.numbers if number in places]
        if any(stream != call.stream for _, stream in known) or 0 < len(known) < len(call.numbers):
            return PayloadError
        if known:
            return [position for position, _ in known]
        if call.expected not in (ANY, actual):
            return VersionConflict
        self.stored += [(call.stream, number) for number in call.numbers]
        return list(range(len(self.stored) - len(call.numbers) + 1, len(self.stored) + 1))


KINDS = st.sampled_from(["new", "new", "new", "right", "wrong", "none", "retry", "retry", "mixed", "moved"])
CALLS = st.lists(st.tuples(KINDS, st.sampled_from(STREAMS), st.integers(1, 4), st.integers(0, 99)), max_size=8)
SEEDS = st.integers(0, 2**32 - 1)


class Stores(RuleBasedStateMachine):
    """A store on a disk that may lose its power at any operation."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.done: list[Call] = []
        self.checkpoint = 0
        self.now = 10**18
        self.next_number = count(1)
        self.cleanup = ExitStack()
        self.folder = Path(self.cleanup.enter_context(TemporaryDirectory()))
        (self.folder / "copies").mkdir()
        self.disk = self.cleanup.enter_context(installed(self.folder))
        self.url = f"sqlite:///{self.folder}/events.db"
        self.open()

    def open(self) -> None:
        self.store: EventStore = open_store(
            self.url, reserve_bytes=0, checkpoint_bytes=50_000, sign_events=5, clock=lambda: self.now
        )

    # Rules ----------------------------------------------------------------------------------------------------------

    @rule(wanted=CALLS)
    def append(self, wanted: list[tuple[str, str, int, int]]) -> None:
        """Calls that are queued together."""
        calls: list[tuple[Call, Any]] = []
        for kind in wanted:
            call = self.make(*kind)
            calls.append((call, self.model.append(call)))
            self.done.append(call)
        receipts = [self.store.submit(call.stream, call.events(), call.expected) for call, _ in calls]
        for receipt, (call, expected) in zip(receipts, calls, strict=True):
            assert outcome(receipt) == expected, call

    @rule(wanted=CALLS, operations=st.integers(1, 80), seed=SEEDS, kill=st.booleans())
    def crash(self, wanted: list[tuple[str, str, int, int]], operations: int, seed: int, kill: bool) -> None:
        """The power is cut, or the process killed, while calls are stored, or when the disk has nothing to do."""
        self.disk.cut_in = operations
        before = Model(list(self.model.stored))
        receipts: list[tuple[Call, Receipt]] = []
        for kind in wanted:
            call = self.make(*kind)
            before.append(call)  # what the next calls expect
            receipts.append((call, self.store.submit(call.stream, call.events(), call.expected)))
            self.done.append(call)
        answers = [(call, outcome(receipt)) for call, receipt in receipts]
        self.disk.dead = True
        self.close()
        if kill:
            self.disk.go_on()
        else:
            self.disk.restart(Random(seed))
        self.open()
        self.settle(answers)
        self.check()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.open()
        self.check()

    @rule(seconds=st.integers(-1000, 1000))
    def jump(self, seconds: int) -> None:
        """The wall clock is set."""
        self.now += seconds * 10**9

    @rule(pattern=st.sampled_from(["*", "alpha/*", *STREAMS]))
    def snapshot(self, pattern: str) -> None:
        assert self.store.snapshot(Trace(), pattern) == len(self.model.stored)

    @rule(pattern=st.sampled_from(["*", "alpha/*", *STREAMS]), share=st.floats(0, 1))
    def reconstruct(self, pattern: str, share: float) -> None:
        last = round(share * len(self.model.stored))
        assert self.store.reconstruct(Trace(), pattern, AtPosition(last)) == self.model.numbers(pattern, last)

    @rule(most=st.integers(0, 20), remember=st.booleans())
    def follow(self, most: int, remember: bool) -> None:
        """A follower goes on where its name stopped."""
        expected = list(enumerate(self.model.stored, 1))[self.checkpoint :][:most]
        with self.store.subscribe(name=FOLLOWER) as follower:
            for position, (stream, number) in expected:
                event = follower.get(30)
                assert event is not None
                assert (event.position, event.stream, number_of(event)) == (position, stream, number)
                if remember:
                    follower.checkpoint(event)
                    self.checkpoint = position
            if len(expected) < most:
                assert follower.get(0) is None

    @rule()
    def back_up(self) -> None:
        copy = self.folder / "copies" / "copy.db"  # on another disk
        self.store.backup(copy)
        with open_store(f"sqlite:///{copy}?mode=ro") as copied:
            assert [(e.stream, number_of(e)) for e in copied.read_all()] == self.model.stored
            assert copied.verify().ok
        for file in copy.parent.iterdir():
            file.unlink()

    @invariant()
    def is_where_the_model_is(self) -> None:
        assert self.store.head() == len(self.model.stored)
        for stream in STREAMS:
            assert self.store.version(stream) == self.model.version(stream)

    def teardown(self) -> None:
        with self.cleanup:
            try:
                self.check()
            finally:
                self.close()

    # Parts ----------------------------------------------------------------------------------------------------------

    def make(self, kind: str, stream: str, size: int, choice: int) -> Call:
        """A call of some kind; one that repeats others if there are any."""
        numbers = tuple(next(self.next_number) for _ in range(size))
        if not self.done:
            return Call(stream, numbers, ANY)
        earlier = self.done[choice % len(self.done)]
        version = self.model.version(stream)
        return {
            "new": Call(stream, numbers, ANY),
            "right": Call(stream, numbers, version),
            "wrong": Call(stream, numbers, version + 1 + choice),
            "none": Call(stream, numbers, NO_STREAM),
            "retry": earlier,
            "mixed": Call(earlier.stream, (*earlier.numbers, *numbers), ANY),
            "moved": Call(stream, earlier.numbers, ANY),
        }[kind]

    def settle(self, answers: list[tuple[Call, Any]]) -> None:
        """What was acknowledged is stored. Of the rest each call is stored as a whole or not, in their order."""
        found = [(event.stream, number_of(event)) for event in self.store.read_all()]
        for call, answer in answers:
            trial = Model(list(self.model.stored))
            expected = trial.append(call)
            stored = trial.stored == found[: len(trial.stored)]
            if answer is StoreFull:
                self.model = trial if stored else self.model
            else:
                assert answer == expected, call
                assert stored, call
                self.model = trial
        assert found == self.model.stored

    def check(self) -> None:
        events = list(self.store.read_all())
        assert [(event.stream, number_of(event)) for event in events] == self.model.stored
        assert [event.position for event in events] == list(range(1, len(events) + 1))
        assert len({event.id for event in events}) == len(events)
        assert all(before.recorded < after.recorded for before, after in pairwise(events))
        for stream in STREAMS:
            of_stream = self.store.read(stream)
            assert of_stream == [event for event in events if event.stream == stream]
            assert [event.version for event in of_stream] == list(range(len(of_stream)))
            assert list(self.store.read_all(Query(streams=(stream,)))) == of_stream
        verification = self.store.verify()
        assert verification.ok, verification.reason

    def close(self) -> None:
        # Of a disk made in Python, SQLite passes on what it overlooks of a real one when a connection ends.
        with suppress(apsw.IOError):
            self.store.close()


def outcome(receipt: Receipt) -> list[int] | type[BaseException]:
    error = receipt.exception(60)
    return receipt.result() if error is None else type(error)


def number_of(event: RecordedEvent) -> int:
    number = json.loads(event.payload)["number"]
    assert event.id == UUID(int=number)
    assert isinstance(number, int)
    return number


@pytest.mark.requirement("EVENT-16")
@pytest.mark.parametrize(
    ("examples", "steps"), [(25, 30), pytest.param(3000, 60, marks=[pytest.mark.long, pytest.mark.timeout(7200)])]
)
def test_any_interleaving_leaves_what_the_model_says(
    examples: int, steps: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "qiki_eventstore")
    run_state_machine_as_test(
        Stores,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
