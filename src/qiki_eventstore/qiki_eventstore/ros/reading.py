"""The services that read: each in a thread of a small pool, so that appends and the executor never wait for them."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from qiki_events import Projection
from qiki_events.projections import PROJECTIONS
from qiki_eventstore.errors import EventStoreError
from qiki_eventstore.retention.policy import Hold, Policy
from qiki_eventstore.retention.retention import Retention
from qiki_eventstore.retention.segment import Retainable, sent
from qiki_eventstore.ros.conversions import fill_status, lower, to_message, to_moment, to_query, upper
from qiki_eventstore.ros.retaining import DAY
from qiki_eventstore.store import EventStore
from qiki_eventstore.transfer import Restorable
from qiki_msgs.srv import (
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
from qiki_node.deferred import Reply, create_deferred_service
from qiki_node.node import QikiNode

_THREADS = 2
LARGEST_PAGE = QueryEvents.Request.LARGEST_PAGE


class Reading:
    """Serves query, read_stream, reconstruct, snapshot, verify, status, hold, release and retain on a store."""

    def __init__(self, node: QikiNode[Any], store: EventStore, url: str) -> None:
        self._node, self._store, self._url = node, store, url
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="reading")
        self._services = [
            self._serve(QueryEvents, "query", self._query),
            self._serve(ReadStream, "read_stream", self._read_stream),
            self._serve(ReconstructState, "reconstruct", self._reconstruct),
            self._serve(SnapshotState, "snapshot", self._snapshot),
            self._serve(VerifyStore, "verify", self._verify),
            self._serve(EventStoreStatus, "status", self._status),
            self._serve(PlaceHold, "hold", self._hold),
            self._serve(ReleaseHold, "release", self._release),
            self._serve(ApplyRetention, "retain", self._retain),
        ]

    def close(self) -> None:
        """Leave the graph. Does not wait: what is being read, which may be the whole store, ends with the store."""
        for service in self._services:
            self._node.destroy_service(service)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _serve(self, kind: Any, name: str, answer: Callable[[Any, Any], None]) -> Any:
        """A service whose response `answer` fills in a thread of the pool; what it raises is answered as the reason."""

        def work(request: Any, reply: Reply) -> None:
            response = kind.Response()
            try:
                answer(request, response)
                if hasattr(response, "success"):
                    response.success = True
            except Exception as error:  # each request must get an answer
                expected = isinstance(error, (EventStoreError, ValueError))
                reason = str(error) if expected else f"{type(error).__name__}: {error}"
                response = kind.Response()
                if hasattr(response, "message"):
                    response.message = reason
                say = self._node.log.warning if expected else self._node.log.error
                say(f"{name} failed", throttle=1.0, reason=reason)
            reply(response)

        return create_deferred_service(
            self._node, kind, f"~/{name}", lambda request, reply: _discard(self._pool.submit(work, request, reply))
        )

    def _query(self, request: QueryEvents.Request, response: QueryEvents.Response) -> None:
        limit = _page(request.limit)
        response.settled = self._store.settled()  # before reading: all up to it is seen
        found = list(self._store.read_all(to_query(request, limit + 1)))
        response.events = [to_message(event) for event in found[:limit]]
        response.cursor = found[limit - 1].position if len(found) > limit else 0

    def _read_stream(self, request: ReadStream.Request, response: ReadStream.Response) -> None:
        limit = _page(request.limit)
        start = min(int(request.start), 2**63 - 1 - limit)  # the store's integers have 64 bits, with a sign
        end = min(int(request.end) or start + limit, start + limit)
        response.events = [to_message(event) for event in self._store.read(request.stream, start, end)]
        response.version = self._store.version(request.stream)

    def _reconstruct(self, request: ReconstructState.Request, response: ReconstructState.Response) -> None:
        wanted = [_projection(request.projection)] if request.projection else list(PROJECTIONS.values())
        rebuilt = self._store.rebuild(wanted, request.stream, to_moment(request))
        dumped = {p.name: p.dump(one.state) for p, one in zip(wanted, rebuilt, strict=True)}
        response.skipped = sum(one.skipped for one in rebuilt)
        found = dumped[request.projection] if request.projection else dumped
        response.state = json.dumps(found, allow_nan=False, ensure_ascii=False)

    def _snapshot(self, request: SnapshotState.Request, response: SnapshotState.Response) -> None:
        wanted = [_projection(request.projection)] if request.projection else list(PROJECTIONS.values())
        response.position = max(self._store.snapshot(projection, request.stream) for projection in wanted)

    def _verify(self, _request: VerifyStore.Request, response: VerifyStore.Response) -> None:
        found = self._store.verify()
        response.ok, response.checked, response.reason = found.ok, found.checked, found.reason
        response.head, response.first_bad = found.head, found.first_bad or 0
        response.signed_head = found.signed or 0

    def _status(self, request: EventStoreStatus.Request, response: EventStoreStatus.Response) -> None:
        response.url = self._url
        # Other stores may have gaps in their positions: an export over the graph must not call itself complete then.
        response.store_id = self._store.store_id if isinstance(self._store, Restorable) else ""
        fill_status(response, self._store.stats())
        if request.pattern:
            response.names = self._store.streams(request.pattern)

    def _hold(self, request: PlaceHold.Request, _response: PlaceHold.Response) -> None:
        hold = Hold(
            name=request.name,
            reason=request.reason,
            streams=tuple(request.streams),
            start=lower(request.start),
            end=upper(request.end),
            correlation=request.correlation or None,
        )
        self._retainable().catalogue.place(hold)

    def _release(self, request: ReleaseHold.Request, _response: ReleaseHold.Response) -> None:
        self._retainable().catalogue.lift(request.name)

    def _retain(self, request: ApplyRetention.Request, response: ApplyRetention.Response) -> None:
        policy = Policy(
            None if request.max_age_days < 0.0 else request.max_age_days * DAY,
            None if request.max_events < 0 else int(request.max_events),
            None if request.max_bytes < 0 else int(request.max_bytes),
            int(request.segment_events),
        )
        done = Retention.of(self._store, policy).apply()
        response.segments = [sent(segment) for segment in done.dropped]
        response.due, response.hold = done.due, done.hold

    def _retainable(self) -> Retainable:
        assert isinstance(self._store, Retainable)  # every engine's store is
        return self._store


def _page(limit: int) -> int:
    return min(limit, LARGEST_PAGE) or int(LARGEST_PAGE)


def _projection(name: str) -> Projection[Any]:
    if name not in PROJECTIONS:
        raise ValueError(f"projection: {name!r}; allowed: {', '.join(sorted(PROJECTIONS))}")
    return PROJECTIONS[name]


def _discard(_result: object) -> None:
    """The work replies by itself."""
