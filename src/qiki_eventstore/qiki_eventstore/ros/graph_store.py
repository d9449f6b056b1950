"""The store of a running graph, reached through its node: one more engine that keeps the contract."""

import json
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from qiki_events import Projection
from qiki_eventstore.errors import EventStoreError, PayloadError, StoreFull, StoreUnavailable, VersionConflict
from qiki_eventstore.events import ANY, AtPosition, AtRecorded, AtTime, AtVersion, Event, Moment, RecordedEvent
from qiki_eventstore.ids import as_uuid
from qiki_eventstore.preparation import Prepared, prepare
from qiki_eventstore.receipt import Receipt
from qiki_eventstore.retention.policy import Hold, Policy
from qiki_eventstore.retention.retention import Outcome
from qiki_eventstore.retention.segment import received
from qiki_eventstore.ros.conversions import EARLIEST, LATEST, to_recorded, to_stats
from qiki_eventstore.store import Delivery, EventStore, Query, Rebuilt, Stats, Subscription, Verification
from qiki_msgs.msg import Event as EventMessage
from qiki_msgs.srv import (
    AppendEvents,
    ApplyRetention,
    EventStoreStatus,
    PlaceHold,
    QueryEvents,
    ReadStream,
    ReconstructState,
    ReleaseHold,
    SnapshotState,
    VerifyStore,
)
from qiki_node.errors import UnreachableError
from qiki_node.qos import EVENT
from qiki_node.session import Session
from qiki_node.stamps import from_nanoseconds

NODE = "/qiki/eventstore"

_ANSWER = 10.0
"""s"""
_PAGE = 1000
DAY = 86_400.0
"""s"""
_LONG = 600.0
"""s that the whole chain may take to verify, or a state to be rebuilt."""
_LOOK = 1.0
"""s between two looks for events that no message announced."""

_MOMENTS = {
    AtVersion: (ReconstructState.Request.AT_VERSION, "version"),
    AtPosition: (ReconstructState.Request.AT_POSITION, "position"),
    AtTime: (ReconstructState.Request.AT_TIME, "time"),
    AtRecorded: (ReconstructState.Request.AT_RECORDED, "recorded"),
}


class GraphStore(EventStore):
    """The store of the running graph, by the services of its node; see `EventStore`.

        with GraphStore() as store:
            print(store.read("alpha/allocator"))

    Appends wait for their answer. Calls that only the store's own process can carry out are refused.

    Raises (by every method):
        StoreUnavailable: the store's node is not there or does not answer.
    """

    def __init__(self) -> None:
        self.answer = _ANSWER
        """s until a call without an answer fails; those that read the whole store get more."""
        self._session = Session("events")
        self._session.__enter__()

    def close(self) -> None:
        session, self._session = self._session, None  # type: ignore[assignment]
        if session is not None:
            session.__exit__(None, None, None)

    # Writing --------------------------------------------------------------------------------------------------------

    def submit(
        self, stream: str, events: Sequence[Event], expected_version: int = ANY, delivery: Delivery = Delivery.AUDIT
    ) -> Receipt:
        request = AppendEvents.Request(stream=stream, expected_version=expected_version)
        request.delivery = request.AUDIT if delivery is Delivery.AUDIT else request.TELEMETRY
        request.events = [_message(event) for event in prepare(stream, events, expected_version)]
        answer = self._call(AppendEvents, "append", request)
        receipt = Receipt()
        if answer.success:
            receipt.settle(list(answer.positions))
        else:
            receipt.settle([], _error(answer, stream, expected_version))
        return receipt

    # Reading --------------------------------------------------------------------------------------------------------

    def read(self, stream: str, start: int = 0, end: int | None = None) -> list[RecordedEvent]:
        events: list[RecordedEvent] = []
        while end is None or start < end:
            limit = _PAGE if end is None else min(_PAGE, end - start)
            page = self._page(stream, start, limit)
            events += map(to_recorded, page.events)
            if len(page.events) < limit:
                break
            start += limit
        return events

    def read_all(self, query: Query = Query()) -> Iterator[RecordedEvent]:
        first = query.before if query.backwards else query.after
        if query.backwards and query.before == 0:
            return
        if 0 in (query.end, query.recorded_end):
            raise ValueError("query.end: 0 is no bound over the graph; allowed: any other time")
        request = QueryEvents.Request(
            types=list(query.types),
            streams=list(query.streams),
            correlation=query.correlation or "",
            start=EARLIEST if query.start is None else query.start,
            end=LATEST if query.end is None else query.end,
            recorded_start=EARLIEST if query.recorded_start is None else query.recorded_start,
            recorded_end=LATEST if query.recorded_end is None else query.recorded_end,
            cursor=max(first or 0, 0),
            backwards=query.backwards,
        )
        left = query.limit
        while left is None or left > 0:
            request.limit = _PAGE if left is None else min(_PAGE, left)
            page = _successful(self._call(QueryEvents, "query", request))
            for message in page.events:
                if query.before is not None and message.position >= query.before:
                    return
                if query.after is not None and message.position <= query.after:
                    return
                yield to_recorded(message)
            if not page.cursor:
                return
            request.cursor = page.cursor
            left = None if left is None else left - len(page.events)

    def version(self, stream: str) -> int:
        return int(self._page(stream, 0, 1).version)

    def streams(self, pattern: str = "*") -> list[str]:
        return list(self._status(pattern).names)

    def head(self) -> int:
        return self.stats().head

    def settled(self) -> int:
        request = QueryEvents.Request(start=EARLIEST, end=LATEST, recorded_start=EARLIEST, recorded_end=LATEST, limit=1)
        return int(_successful(self._call(QueryEvents, "query", request)).settled)

    def subscribe(
        self,
        after: int | None = None,
        *,
        name: str | None = None,
        types: Sequence[str] = (),
        streams: Sequence[str] = (),
    ) -> Subscription:
        if name is not None:
            raise StoreUnavailable("a named subscription works on the store itself only: open it by its URL")
        return _Following(self, self._session, Query(after=after or 0, types=tuple(types), streams=tuple(streams)))

    # The past -------------------------------------------------------------------------------------------------------

    def rebuild(self, projections: Sequence[Projection[Any]], stream: str, at: Moment | None = None) -> list[Rebuilt]:
        return [self._rebuild(projection, stream, at) for projection in projections]

    def _rebuild(self, projection: Projection[Any], stream: str, at: Moment | None) -> Rebuilt:
        request = ReconstructState.Request(projection=projection.name, stream=stream)
        if at is not None:
            request.moment, field = _MOMENTS[type(at)]
            request.at = getattr(at, field)
        answer = _successful(self._call(ReconstructState, "reconstruct", request, _LONG))
        return Rebuilt(projection.load(json.loads(answer.state)), int(answer.skipped))

    def snapshot(self, projection: Projection[Any], stream: str) -> int:
        request = SnapshotState.Request(projection=projection.name, stream=stream)
        return int(_successful(self._call(SnapshotState, "snapshot", request, _LONG)).position)

    # Care -----------------------------------------------------------------------------------------------------------

    def verify(self) -> Verification:
        found = _successful(self._call(VerifyStore, "verify", VerifyStore.Request(), _LONG))
        first_bad, signed = found.first_bad or None, found.signed_head or None
        return Verification(found.ok, found.checked, first_bad, found.reason, found.head, signed)

    def backup(self, path: Path) -> None:
        raise StoreUnavailable(f"backup to {path}: works on the store itself only: open it by its URL")

    def stats(self) -> Stats:
        return to_stats(self._status())

    @property
    def url(self) -> str:
        """URL of the node's store, without a password."""
        return str(self._status().url)

    @property
    def store_id(self) -> str:
        """Identity of this store."""
        return str(self._status().store_id)

    def hold(self, hold: Hold) -> None:
        """Place a hold."""
        request = PlaceHold.Request(name=hold.name, reason=hold.reason, streams=list(hold.streams))
        request.start = EARLIEST if hold.start is None else hold.start
        request.end = LATEST if hold.end is None else hold.end
        request.correlation = hold.correlation or ""
        _successful(self._call(PlaceHold, "hold", request, repeatable=False))

    def release(self, name: str) -> None:
        """End a hold."""
        _successful(self._call(ReleaseHold, "release", ReleaseHold.Request(name=name), repeatable=False))

    def retain(self, policy: Policy) -> Outcome:
        """Apply a policy of retention once."""
        request = ApplyRetention.Request(segment_events=policy.segment_events)
        request.max_age_days = -1.0 if policy.max_age is None else policy.max_age / DAY
        request.max_events = -1 if policy.max_events is None else policy.max_events
        request.max_bytes = -1 if policy.max_bytes is None else policy.max_bytes
        done = _successful(self._call(ApplyRetention, "retain", request, _LONG, repeatable=False))
        return Outcome(tuple(received(text) for text in done.segments), int(done.due), done.hold)

    def restore(self, events: Iterable[RecordedEvent], store_id: str, sha256: str) -> int:  # noqa: ARG002
        """Refused: a store is restored while no node has it open."""
        raise StoreUnavailable("restore works on the store itself only: stop the graph and open it by its URL")

    def _call(
        self, kind: Any, name: str, request: Any, timeout: float | None = None, *, repeatable: bool = True
    ) -> Any:
        """Response of one of the node's services."""
        try:
            return self._session.call(kind, f"{NODE}/{name}", request, timeout or self.answer, repeatable=repeatable)
        except UnreachableError as error:
            raise StoreUnavailable(f"{error.message}: is an event store running?") from error

    def _status(self, pattern: str = "") -> Any:
        return self._call(EventStoreStatus, "status", EventStoreStatus.Request(pattern=pattern))

    def _page(self, stream: str, start: int, limit: int) -> Any:
        request = ReadStream.Request(stream=stream, start=start, end=start + limit, limit=limit)
        return _successful(self._call(ReadStream, "read_stream", request))


class _Following(Subscription):
    """Reads what is settled page by page; the topic of committed events only wakes it, so that nothing is missed."""

    def __init__(self, store: GraphStore, session: Session, query: Query) -> None:
        self._store, self._session, self._query = store, session, query
        self._news = threading.Event()
        self._closed = False
        self._waiting: list[RecordedEvent] = []
        self._heard = session.node.create_subscription(EventMessage, "/qiki/event", lambda _: self._news.set(), EVENT)

    def get(self, timeout: float | None = None) -> RecordedEvent | None:
        end = None if timeout is None else time.monotonic() + timeout
        while not self._closed:
            if self._waiting:
                event = self._waiting.pop()
                self._query = replace(self._query, after=event.position)
                return event
            self._news.clear()
            settled = self._store.settled()
            page = self._store.read_all(replace(self._query, limit=_PAGE))
            self._waiting = [event for event in page if event.position <= settled][::-1]
            if self._waiting:
                continue
            left = _LOOK if end is None else min(_LOOK, end - time.monotonic())
            if left <= 0.0:
                return None
            self._news.wait(left)
        return None

    def checkpoint(self, event: RecordedEvent) -> None:  # noqa: ARG002
        raise ValueError("the subscription has no name to keep a checkpoint under")

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._news.set()
            self._session.node.destroy_subscription(self._heard)


def _successful(answer: Any) -> Any:
    if not answer.success:
        raise EventStoreError(answer.message)
    return answer


def _error(answer: AppendEvents.Response, stream: str, expected: int) -> EventStoreError:
    if answer.code == answer.CONFLICT:
        return VersionConflict(stream, expected, answer.actual_version)
    kinds = {answer.FULL: StoreFull, answer.PAYLOAD: PayloadError}
    return kinds.get(answer.code, StoreUnavailable)(answer.message)


def _message(event: Prepared) -> EventMessage:
    id, event_time, payload, _tail, kind = event
    type, source, correlation, causation, schema_version, content_type = kind
    message = EventMessage()
    message.id = str(as_uuid(id))
    message.type, message.source = type, source
    try:
        message.time = from_nanoseconds(time.time_ns() if event_time is None else event_time)
    except ValueError as error:
        raise PayloadError(f"event {type!r}: {error}") from error
    message.correlation, message.causation = correlation or "", causation or ""
    message.schema_version, message.content_type = schema_version, content_type
    message.payload.frombytes(payload)
    return message
