"""The outbox: nothing lost, nothing reordered, the same ids again, whatever the store does."""

from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from qiki_node.outbox import Answer, Delivery, Limits, Outbox, OutgoingEvent

STREAMS = ("alpha/allocator", "alpha/sim", "qiki/sim")
LIMITS = Limits(capacity=12, batch=3, batch_bytes=1000, in_flight=2, timeout=1.0, longest_pause=4.0)


def event(number: int, stream: str = STREAMS[0], delivery: Delivery = Delivery.AUDIT, size: int = 10) -> OutgoingEvent:
    return OutgoingEvent(UUID(int=number + 1), stream, "test.happened", "/test", number, b"x" * size, delivery=delivery)


def test_what_is_emitted_while_a_batch_is_on_its_way_goes_with_the_next() -> None:
    outbox = Outbox(LIMITS)
    events = [event(i) for i in range(5)]
    outbox.put(events[0])
    (first,) = outbox.due(0.0)
    for later in events[1:]:
        outbox.put(later)
    assert outbox.due(0.1) == []
    assert outbox.answer(first.number, Answer.STORED, 0.2) == (events[0],)
    (second,) = outbox.due(0.2)
    assert second.events == tuple(events[1:4])
    assert (outbox.held, outbox.in_flight) == (4, 3)


def test_an_unanswered_batch_is_repeated_unchanged_and_ever_more_seldom() -> None:
    outbox = Outbox(LIMITS)
    outbox.put(event(0))
    (batch,) = outbox.due(0.0)
    outbox.put(event(1))
    sent = []
    for step in range(200):
        now = step / 10.0
        sent += [now for again in outbox.due(now) if again == batch]
    assert sent == pytest.approx([1.0, 3.0, 7.0, 11.0, 15.0, 19.0], abs=0.11)
    assert outbox.counts.repeated == 6
    outbox.answer(batch.number, Answer.STORED, 20.0)
    assert outbox.answer(batch.number, Answer.STORED, 20.0) == (), "the answer to an earlier try comes late"
    assert outbox.counts.acknowledged == 1


def test_a_store_that_came_back_is_tried_at_once() -> None:
    outbox = Outbox(LIMITS)
    outbox.put(event(0))
    outbox.due(0.0)
    assert outbox.due(0.5) == []
    outbox.hasten(0.5)
    assert len(outbox.due(0.5)) == 1


@pytest.mark.requirement("EVENT-11")
def test_a_full_outbox_refuses_audit_events_and_drops_old_telemetry() -> None:
    outbox = Outbox(Limits(capacity=3))
    telemetry = [event(i, delivery=Delivery.TELEMETRY) for i in range(3)]
    for old in telemetry:
        assert outbox.put(old)
    assert outbox.put(event(3))
    assert [e.time for e in outbox.events()] == [1, 2, 3]
    assert outbox.put(event(4))
    assert outbox.put(event(5))
    assert not outbox.put(event(6))
    assert not outbox.put(event(7, delivery=Delivery.TELEMETRY))
    assert [e.time for e in outbox.events()] == [3, 4, 5]
    assert (outbox.counts.dropped, outbox.counts.overflowed, outbox.counts.emitted) == (4, 1, 6)


def test_an_event_that_cannot_be_stored_goes_alone() -> None:
    outbox = Outbox(LIMITS)
    events = [event(i) for i in range(4)]
    for each in events:
        outbox.put(each)
    (batch,) = outbox.due(0.0)
    assert outbox.answer(batch.number, Answer.REFUSED, 0.0) == ()
    done = []
    for _ in range(4):
        (batch,) = outbox.due(0.0)
        answer = Answer.REFUSED if events[1] in batch.events else Answer.STORED
        done += [(e.time, answer) for e in outbox.answer(batch.number, answer, 0.0)]
    assert done == [(0, Answer.STORED), (1, Answer.REFUSED), (2, Answer.STORED), (3, Answer.STORED)]
    assert (outbox.held, outbox.counts.refused, outbox.counts.acknowledged) == (0, 1, 3)


def test_large_payloads_go_alone() -> None:
    outbox = Outbox(LIMITS)
    for number, size in enumerate((2000, 400, 400, 400)):
        outbox.put(event(number, size=size))
    sizes = []
    while batches := outbox.due(0.0):
        sizes.append(len(batches[0].events))
        outbox.answer(batches[0].number, Answer.STORED, 0.0)
    assert sizes == [1, 2, 1]


class Exchange(RuleBasedStateMachine):
    """An outbox against a store that loses requests and answers, refuses, and is full at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(LIMITS)
        self.now = 0.0
        self.count = 0
        self.kept: list[OutgoingEvent] = []
        self.poison: set[UUID] = set()
        self.stored: dict[str, list[OutgoingEvent]] = {name: [] for name in STREAMS}
        self.done: list[UUID] = []
        self.batches: dict[int, tuple[UUID, ...]] = {}
        self.answers: list[tuple[int, Answer]] = []

    @rule(stream=st.sampled_from(STREAMS), delivery=st.sampled_from(Delivery), poison=st.integers(0, 9))
    def emit(self, stream: str, delivery: Delivery, poison: int) -> None:
        new = event(self.count, stream, delivery)
        self.count += 1
        if poison == 0:
            self.poison.add(new.id)
        if self.outbox.put(new):
            self.kept.append(new)

    @rule(wait=st.floats(0.0, 3.0), reached=st.booleans(), full=st.integers(0, 3))
    def send(self, wait: float, reached: bool, full: int) -> None:
        self.now += wait
        for batch in self.outbox.due(self.now):
            ids = tuple(e.id for e in batch.events)
            assert self.batches.setdefault(batch.number, ids) == ids, "a repetition must be the same call"
            assert {e.stream for e in batch.events} == {batch.stream}
            assert {e.delivery for e in batch.events} == {batch.delivery}
            if reached:
                self.answers.append((batch.number, self._store(batch.stream, batch.events, full == 0)))

    def _store(self, stream: str, events: tuple[OutgoingEvent, ...], full: bool) -> Answer:
        stored = self.stored[stream]
        if set(events) <= set(stored):
            return Answer.STORED
        assert not set(events) & set(stored)
        if self.poison & {e.id for e in events}:
            return Answer.REFUSED
        if full:
            return Answer.LATER
        stored.extend(events)
        return Answer.STORED

    @rule(lost=st.integers(0, 3))
    def answer(self, lost: int) -> None:
        for number, answer in self.answers:
            if lost != 0:
                self.done += [e.id for e in self.outbox.answer(number, answer, self.now)]
        self.answers.clear()

    @rule()
    def store_comes_back(self) -> None:
        self.outbox.hasten(self.now)

    @invariant()
    def it_is_bounded_and_accounts_for_everything(self) -> None:
        outbox, counts = self.outbox, self.outbox.counts
        held = list(outbox.events())
        assert len(held) == outbox.held <= LIMITS.capacity
        assert len(set(held)) == len(held)
        assert counts.emitted == len(self.kept)
        assert counts.acknowledged + counts.refused == len(self.done) == len(set(self.done))

    @invariant()
    def streams_keep_their_order(self) -> None:
        for stored in self.stored.values():
            assert [e.time for e in stored] == sorted(e.time for e in stored)

    def teardown(self) -> None:
        """With a store that works again, everything that was kept ends well."""
        for _ in range(500):
            self.send(5.0, reached=True, full=1)
            self.answer(lost=1)
            if not self.outbox.held:
                break
        assert self.outbox.held == 0
        stored = {e for events in self.stored.values() for e in events}
        audit = {e for e in self.kept if e.delivery is Delivery.AUDIT and e.id not in self.poison}
        assert audit <= stored
        assert {e for e in self.kept if e.id in self.poison}.isdisjoint(stored)
        self.streams_keep_their_order()
        lost = len(self.kept) - self.outbox.counts.acknowledged - self.outbox.counts.refused
        assert 0 <= lost <= self.outbox.counts.dropped


TestExchange = Exchange.TestCase
