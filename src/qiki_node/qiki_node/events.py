"""A node's events on their way to the event store: `node.events.emit("allocator.mode_changed", {...})`."""

import math
import threading
import time as wall
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from rclpy.task import Future

from qiki_msgs.msg import Event
from qiki_msgs.srv import AppendEvents
from qiki_node import emission
from qiki_node.deferred import MANY_REQUESTS
from qiki_node.executor import spin_while
from qiki_node.health import Health, Level
from qiki_node.outbox import Answer, Batch, Delivery, Limits, Outbox, OutgoingEvent
from qiki_node.spool import Spool
from qiki_node.stamps import from_nanoseconds

if TYPE_CHECKING:
    from rclpy.executors import Executor

    from qiki_node.node import QikiNode

SERVICE = "/qiki/eventstore/append"

_LOOK = 0.25
"""s between two looks at what is unanswered, while anything is."""
_SLOW = 5.0
"""s without an answer after which the diagnostics warn."""
_FLUSH = 2.0
"""s that the end of a node waits for the store."""
_FUTURES = 4
"""Requests per batch whose answer is still listened for."""

_RESPONSE = AppendEvents.Response
_REQUEST = AppendEvents.Request


class Events:
    """The outbox of one node. `emit` may be called from any thread.

    Raises (at construction):
        OSError: the spool cannot be used.
    """

    def __init__(self, node: "QikiNode[Any]") -> None:
        self._node = node
        params = node.params
        self.enabled: bool = params.events_enabled
        self._source = node.get_fully_qualified_name()
        self._stream = self._source.strip("/")
        self._lock = threading.RLock()
        self._outbox = Outbox(Limits(capacity=params.events_capacity))
        self._spool: Spool | None = None
        self._futures: dict[int, deque[Future]] = {}
        self._silent_since: float | None = None
        self._ready = False
        self._looked = -math.inf
        self._clock_runs = False
        self._stamps: dict[int, int] = {}
        self._trouble = ""
        self._shown: dict[str, int] = {}
        if not self.enabled:
            return
        if params.events_spool:
            self._spool = Spool(Path(params.events_spool) / f"{self._stream.replace('/', '.')}.jsonl")
            left = self._spool.left()
            room = replace(self._outbox.limits, capacity=max(self._outbox.limits.capacity, len(left)))
            self._outbox.limits = room
            for event in left:
                self._outbox.put(event)
        self._client = node.create_client(AppendEvents, SERVICE, qos_profile=MANY_REQUESTS)
        self._timer = node.create_timer(_LOOK, self._look, clock=node.steady_clock)
        node.add_diagnostic("events", self._health)
        node.registry.register(_Metrics(self))

    def emit(
        self,
        type: str,
        payload: Mapping[str, Any],
        *,
        stream: str | None = None,
        correlation: str | None = None,
        causation: str | None = None,
        delivery: str = "audit",
        time: int | None = None,
        schema_version: int = 1,
    ) -> str:
        """Hand an event to the store; it is kept and repeated until the store has acknowledged it. Never waits.

        Args:
            type: dotted name in the past tense.
            payload: fields by name, as the type's schema in `qiki_events` has them; of an unknown type what JSON can
                hold. NumPy's numbers and arrays are allowed; a number that is not finite becomes null.
            stream: default: the node's full name, such as `alpha/allocator`.
            correlation: id of the command that it belongs to.
            causation: id of the event or command that caused it.
            delivery: `audit` or `telemetry`; see `Delivery`.
            time: ns; default: the node's clock now. While that does not run (simulated time before the first /clock),
                the event is kept, in order, and gets the time at which it first runs; so does one of time 0.
            schema_version: of the payload.

        Returns:
            The event's id; empty if it is not kept: no room (counted, and logged for audit events) or disabled.

        Raises:
            PayloadError: an argument that cannot be stored; the text names type, field, value and what is allowed.
                Nothing is kept of it.
        """
        event = emission.outgoing(
            type,
            payload,
            stream=self._stream if stream is None else stream,
            source=self._source,
            time=(self._now() or None) if time is None else time,
            correlation=correlation,
            causation=causation,
            delivery=delivery,
            schema_version=schema_version,
        )
        if not self.enabled:
            return ""
        with self._lock:
            if not self._outbox.put(event):
                if event.delivery is Delivery.AUDIT:
                    self._node.log.error("outbox full: event is lost", throttle=1.0, type=type, stream=event.stream)
                return ""
            if self._spool and event.delivery is Delivery.AUDIT:
                self._on_disk(lambda spool: spool.add(event))
            if self._timer.is_canceled():
                self._timer.reset()
            self._send()
        return str(event.id)

    def flush(self, executor: "Executor", patience: float = _FLUSH) -> None:
        """Run callbacks until everything is acknowledged, at most `patience` s; where no store is, do not wait."""
        if not self.enabled:
            return
        end = wall.monotonic() + patience

        def waits() -> bool:
            return self._outbox.held > 0 and self._ready and wall.monotonic() < end

        spin_while(executor, waits, 0.02, on_error=self._node.spin_failed)
        if self._outbox.held:
            kept = "kept in the spool" if self._spool else "lost"
            self._node.log.warning("events are not acknowledged at the end", events=self._outbox.held, outcome=kept)

    def close(self) -> None:
        """Release the spool."""
        if self._spool:
            self._spool.close()
            self._spool = None

    # The way of a batch ---------------------------------------------------------------------------------------------

    def _look(self) -> None:
        with self._lock:
            self._looked = -math.inf
            self._send()
            if not self._outbox.held:
                self._timer.cancel()

    def _now(self) -> int:
        """ns of the node's clock; 0 while it does not run."""
        now: int = self._node.get_clock().now().nanoseconds
        self._clock_runs = now > 0
        return max(now, 0)

    def _send(self) -> None:
        now, stamp = wall.monotonic(), self._now()  # which may have been set back to 0 since the last look
        if not stamp or not self._is_ready(now):
            return
        for batch in self._outbox.due(now):
            try:
                request = _request(batch, self._stamps.setdefault(batch.number, stamp))
            except Exception as error:  # `emit` lets none pass; one that came another way must not block its stream
                self._settle(batch, Answer.REFUSED, f"it cannot be sent: {error}")
                continue
            future = self._client.call_async(request)
            futures = self._futures.setdefault(batch.number, deque())
            futures.append(future)
            if len(futures) > _FUTURES:
                self._client.remove_pending_request(futures.popleft())
            future.add_done_callback(lambda done, batch=batch: self._answered(batch, done))

    def _is_ready(self, now: float) -> bool:
        """True if the store's service is there. Looked up at intervals: each look costs as much as an event."""
        if now - self._looked >= _LOOK:
            self._looked = now
            ready = self._client.service_is_ready()
            if ready and not self._ready:
                self._outbox.hasten(now)
            self._ready = ready
            if self._silent_since is None and self._outbox.held:
                self._silent_since = now
        return self._ready

    def _answered(self, batch: Batch, future: Future) -> None:
        response = future.result()
        if response is None:
            return
        with self._lock:
            self._settle(batch, _meaning(response), response.message)
            self._send()

    def _settle(self, batch: Batch, answer: Answer, reason: str) -> None:
        now = wall.monotonic()
        done = self._outbox.answer(batch.number, answer, now)
        if answer is Answer.LATER:
            self._trouble = reason
            return
        self._trouble = ""
        self._silent_since = now if self._outbox.held else None
        stamp = self._stamps.pop(batch.number, None)
        for other in self._futures.pop(batch.number, ()):
            if not other.done():
                self._client.remove_pending_request(other)
        if answer is Answer.REFUSED and done:
            self._refuse([replace(event, time=event.time or stamp) for event in done], reason)
        elif self._spool and done:
            self._on_disk(lambda spool: spool.done([event.id for event in done]))

    def _refuse(self, events: Sequence[OutgoingEvent], reason: str) -> None:
        self._node.log.error("event refused by the store", type=events[0].type, reason=reason)
        if self._spool:
            self._on_disk(lambda spool: self._note_lost(spool.refuse(events, reason)))

    def _note_lost(self, letters: int) -> None:
        if letters:
            self._node.log.error("dead letters full: the oldest are dropped", letters=letters)

    def _on_disk(self, action: Callable[[Spool], object]) -> None:
        assert self._spool is not None
        try:
            action(self._spool)
        except OSError as error:
            self._node.log.error("events_spool cannot be written", throttle=5.0, reason=str(error))

    # How it is ------------------------------------------------------------------------------------------------------

    def values(self) -> dict[str, int]:
        """Counts since start, and what is held now."""
        with self._lock:
            letters = self._spool.dead_letters.count() if self._spool else 0
            held = {"queued": self._outbox.held, "in_flight": self._outbox.in_flight, "dead_letters": letters}
            return {**asdict(self._outbox.counts), **held}

    def _health(self) -> Health:
        with self._lock:
            values = self._shown = self.values()
            silent = 0.0 if self._silent_since is None else wall.monotonic() - self._silent_since
            unready = "" if self._client.service_is_ready() else "event store: it is not there"
            if values["overflowed"]:
                return Health(Level.ERROR, f"{values['overflowed']} audit events had no room", values, unready)
            if values["queued"] and not (self._clock_runs or self._now()):
                return Health(Level.WARN, f"{values['queued']} events wait for the clock to run", values, unready)
            if values["queued"] and silent > _SLOW:
                why = self._trouble or ("it does not answer" if self._ready else "it is not there")
                text = f"event store: nothing acknowledged for {silent:.0f} s: {why}"
                return Health(Level.WARN, text, values, unready or text)
            if values["dead_letters"]:
                text = f"{values['dead_letters']} events that the store refused: see qiki events dead-letters list"
                return Health(Level.WARN, text, values, unready)
            if values["refused"] and not self._spool:
                text = f"{values['refused']} events were refused by the store and are lost: events_spool is not set"
                return Health(Level.WARN, text, values, unready)
            return Health(Level.OK, f"{values['acknowledged']} acknowledged", values, unready)


class _Metrics(Collector):
    """Counts as the last diagnostics found them: the thread that serves metrics takes no lock of `emit`."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def collect(self) -> Iterator[Metric]:
        values = dict(self._events._shown)
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(f"qiki_node_events_{name}", text, values.pop(name, 0))
        for name, value in values.items():
            yield CounterMetricFamily(f"qiki_node_events_{name}", f"Events (batches, if repeated) {name}", value)


_GAUGES = {
    "queued": "Events held by the outbox",
    "in_flight": "Events on their way to the store",
    "dead_letters": "Events that the store refused and that are kept",
}


def _meaning(response: AppendEvents.Response) -> Answer:
    if response.code == _RESPONSE.OK:
        return Answer.STORED if response.positions else Answer.NO_ROOM
    return Answer.REFUSED if response.code == _RESPONSE.PAYLOAD else Answer.LATER


def _request(batch: Batch, stamp: int) -> AppendEvents.Request:
    """`stamp`: ns, time of the events that have none."""
    request = AppendEvents.Request()
    request.stream = batch.stream
    request.expected_version = _REQUEST.ANY
    request.delivery = _REQUEST.AUDIT if batch.delivery is Delivery.AUDIT else _REQUEST.TELEMETRY
    request.events = [_message(event, stamp) for event in batch.events]
    return request


def _message(event: OutgoingEvent, stamp: int) -> Event:
    message = Event()
    message.id = str(event.id)
    message.type = event.type
    message.source = event.source
    message.time = from_nanoseconds(event.time or stamp)
    if event.correlation:
        message.correlation = event.correlation
    if event.causation:
        message.causation = event.causation
    message.schema_version = event.schema_version
    message.content_type = event.content_type
    message.payload.frombytes(event.payload)
    return message
