"""The outbox of a node's events: each emitted event is kept until the event store has acknowledged it as durable.

A state machine without ROS, thread or clock: time is an argument (s, of a clock that never goes back), and its caller
sends the batches it names and passes it the answers. For each stream there is at most one batch on its way,
and a batch is repeated unchanged until it is answered: so the order within a stream is kept, and the store knows
every event of a repeated batch by its id.
"""

import enum
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID


class Delivery(enum.Enum):
    """Treatment of events for which the outbox or the store has no room."""

    AUDIT = "audit"
    """None is lost silently: a new one is refused, those that are kept stay."""

    TELEMETRY = "telemetry"
    """The oldest are dropped and counted."""


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """An event as emitted; the fields are those of qiki_msgs/Event.

    Attributes:
        time: ns; None: the clock did not run, so that the event is stamped when it goes to the store.
    """

    id: UUID
    stream: str
    type: str
    source: str
    time: int | None
    payload: bytes = field(repr=False)
    content_type: str = "application/json"
    schema_version: int = 1
    correlation: str | None = None
    causation: str | None = None
    delivery: Delivery = Delivery.AUDIT


class Answer(enum.Enum):
    """The store's answer to a batch."""

    STORED = "stored"
    NO_ROOM = "no room"
    """Dropped by the store, as telemetry may be."""
    REFUSED = "refused"
    """It cannot be stored and never will be."""
    LATER = "later"
    """Not now: full, read-only, starting."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one stream and one class that go to the store together."""

    number: int
    stream: str
    delivery: Delivery
    events: tuple[OutgoingEvent, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """Capacity and patience of an outbox.

    Attributes:
        capacity: events kept.
        batch: events sent together.
        batch_bytes: payload bytes sent together, unless one event alone is larger.
        in_flight: batches on their way at once.
        timeout: s after which an unanswered batch is sent again.
        longest_pause: s, the longest wait before a repetition; it doubles from `timeout` up to here.
    """

    capacity: int = 10_000
    batch: int = 256
    batch_bytes: int = 256 * 1024
    in_flight: int = 4
    timeout: float = 1.0
    longest_pause: float = 15.0


@dataclass
class Counts:
    """Events since start, but for `repeated`: batches sent again. `refused` counts those that the store refused."""

    emitted: int = 0
    acknowledged: int = 0
    repeated: int = 0
    dropped: int = 0
    overflowed: int = 0
    refused: int = 0


@dataclass(slots=True)
class _InFlight:
    batch: Batch
    due: float
    pause: float
    tries: int = 0


class Outbox:
    """Events that wait for the store and batches on their way to it."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self.limits = limits
        self.counts = Counts()
        self._waiting: OrderedDict[str, OrderedDict[UUID, OutgoingEvent]] = OrderedDict()
        self._telemetry: OrderedDict[UUID, str] = OrderedDict()
        self._alone: set[UUID] = set()
        self._flights: dict[int, _InFlight] = {}
        self._busy: set[str] = set()
        self._held = 0
        self._numbers = 0

    # Events in --------------------------------------------------------------------------------------------------------

    def put(self, event: OutgoingEvent) -> bool:
        """Take an event; False if there is no room for it. Each outcome is counted."""
        if self._held >= self.limits.capacity and not self._make_room():
            if event.delivery is Delivery.AUDIT:
                self.counts.overflowed += 1
            else:
                self.counts.dropped += 1
            return False
        self._waiting.setdefault(event.stream, OrderedDict())[event.id] = event
        if event.delivery is Delivery.TELEMETRY:
            self._telemetry[event.id] = event.stream
        self._held += 1
        self.counts.emitted += 1
        return True

    def _make_room(self) -> bool:
        """Drop the oldest telemetry that is not on its way."""
        if not self._telemetry:
            return False
        id, stream = self._telemetry.popitem(last=False)
        self._remove(stream, id)
        self._held -= 1
        self.counts.dropped += 1
        return True

    # Batches out ------------------------------------------------------------------------------------------------------

    def due(self, now: float) -> list[Batch]:
        """Batches to be sent now, new ones and unanswered ones; each counts as sent."""
        batches = []
        for flight in self._flights.values():
            if now >= flight.due:
                batches.append(self._launch(flight, now))
        if len(self._flights) < self.limits.in_flight:
            for stream in [name for name in self._waiting if name not in self._busy]:
                flight = _InFlight(self._form(stream), now, self.limits.timeout)
                self._flights[flight.batch.number] = flight
                self._busy.add(stream)
                batches.append(self._launch(flight, now))
                if len(self._flights) >= self.limits.in_flight:
                    break
        return batches

    def _launch(self, flight: _InFlight, now: float) -> Batch:
        if flight.tries:
            self.counts.repeated += 1
            flight.pause = min(2.0 * flight.pause, max(self.limits.longest_pause, self.limits.timeout))
        flight.tries += 1
        flight.due = now + flight.pause
        return flight.batch

    def _form(self, stream: str) -> Batch:
        waiting = self._waiting[stream]
        events: list[OutgoingEvent] = []
        size = 0
        for event in waiting.values():
            size += len(event.payload)
            if events and (
                len(events) >= self.limits.batch
                or size > self.limits.batch_bytes
                or event.delivery is not events[0].delivery
                or event.id in self._alone
            ):
                break
            events.append(event)
            if event.id in self._alone:
                break
        for event in events:
            self._remove(stream, event.id)
            self._telemetry.pop(event.id, None)
        if stream in self._waiting:
            self._waiting.move_to_end(stream)  # the other streams have their turn first
        self._numbers += 1
        return Batch(self._numbers, stream, events[0].delivery, tuple(events))

    def _remove(self, stream: str, id: UUID) -> None:
        waiting = self._waiting[stream]
        del waiting[id]
        if not waiting:
            del self._waiting[stream]

    # Answers ----------------------------------------------------------------------------------------------------------

    def answer(self, number: int, answer: Answer, now: float) -> tuple[OutgoingEvent, ...]:
        """Take the store's answer to a batch; the events that are done with, one way or another.

        An answer to a batch that was answered before changes nothing. A refused batch of several events is taken
        apart: one event that cannot be stored does not take the others with it.
        """
        flight = self._flights.get(number)
        if flight is None:
            return ()
        if answer is Answer.LATER:
            flight.due = now + flight.pause
            return ()
        del self._flights[number]
        batch = flight.batch
        self._busy.discard(batch.stream)
        if answer is Answer.REFUSED and len(batch.events) > 1:
            self._take_apart(batch)
            return ()
        self._held -= len(batch.events)
        self._alone.difference_update(event.id for event in batch.events)
        if answer is Answer.STORED:
            self.counts.acknowledged += len(batch.events)
        elif answer is Answer.NO_ROOM:
            self.counts.dropped += len(batch.events)
        else:
            self.counts.refused += len(batch.events)
        return batch.events

    def _take_apart(self, batch: Batch) -> None:
        """Put a batch's events back in front of its stream, each to be sent alone."""
        waiting = self._waiting.setdefault(batch.stream, OrderedDict())
        for event in reversed(batch.events):
            waiting[event.id] = event
            waiting.move_to_end(event.id, last=False)
            if event.delivery is Delivery.TELEMETRY:
                self._telemetry[event.id] = batch.stream
                self._telemetry.move_to_end(event.id, last=False)
        self._alone.update(event.id for event in batch.events)

    def hasten(self, now: float) -> None:
        """Repeat every unanswered batch at once: the store has just come back."""
        for flight in self._flights.values():
            flight.due = now
            flight.pause = self.limits.timeout / 2.0

    # State ------------------------------------------------------------------------------------------------------------

    @property
    def held(self) -> int:
        """Events not yet done with: waiting or on their way."""
        return self._held

    @property
    def in_flight(self) -> int:
        """Events on their way."""
        return sum(len(flight.batch.events) for flight in self._flights.values())

    def events(self) -> Iterable[OutgoingEvent]:
        """All events not yet done with."""
        for flight in self._flights.values():
            yield from flight.batch.events
        for waiting in self._waiting.values():
            yield from waiting.values()
