"""The append service: each request is queued at once and answered when its events are durable.

The callback does not wait: all requests that come while the store commits are in its next group commit.
"""

import time
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from qiki_eventstore.errors import EventStoreError, PayloadError, StoreUnavailable
from qiki_eventstore.events import ANY
from qiki_eventstore.receipt import Receipt
from qiki_eventstore.ros.conversions import to_append_response, to_event
from qiki_eventstore.store import Delivery, EventStore
from qiki_msgs.srv import AppendEvents
from qiki_node.callbacks import failed_answer, reason_of
from qiki_node.deferred import Reply, create_deferred_service
from qiki_node.node import QikiNode

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_EVENTS = 2000
"""Events of one request."""

_LATENCIES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)  # s

_DELIVERIES = {AppendEvents.Request.AUDIT: Delivery.AUDIT, AppendEvents.Request.TELEMETRY: Delivery.TELEMETRY}
_CODES = {
    getattr(AppendEvents.Response, name): name.lower() for name in ("OK", "CONFLICT", "FULL", "PAYLOAD", "UNAVAILABLE")
}


class AppendMetrics:
    """Counts of requests by how they ended, and the time from request to answer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "qiki_eventstore_append_requests", "Append requests by outcome", ["outcome"], registry=registry
        )
        self._seconds = Histogram(
            "qiki_eventstore_append_seconds", "From request to durable", buckets=_LATENCIES, registry=registry
        )
        for outcome in _CODES.values():
            self._requests.labels(outcome)

    def answered(self, code: int, seconds: float) -> None:
        """Count one answer."""
        self._requests.labels(_CODES[code]).inc()
        self._seconds.observe(seconds)


class Appending:
    """Serves `append` on a store while `is_open` says so."""

    def __init__(
        self, node: QikiNode[Any], store: EventStore, metrics: AppendMetrics, is_open: "Callable[[], bool]"
    ) -> None:
        self._node, self._store, self._metrics, self._is_open = node, store, metrics, is_open
        create_deferred_service(node, AppendEvents, "~/append", self._append)

    def _append(self, request: AppendEvents.Request, reply: Reply) -> None:
        began = time.monotonic()

        def answer(positions: list[int] | None, error: BaseException | None) -> None:
            response = to_append_response(positions, error)
            self._metrics.answered(response.code, time.monotonic() - began)
            reply(response)

        def committed(receipt: Receipt) -> None:
            try:
                error = receipt.exception()
                answer(None if error else receipt.result(), error)
            except Exception as failure:  # in the writer's thread, which must go on
                self._node.callbacks.failed("receipt of append", failure, drives=False)
                reply(failed_answer(AppendEvents.Response, reason_of(failure)))

        try:
            receipt = self._submit(request)
        except EventStoreError as error:
            self._node.log.warning("append refused", throttle=1.0, stream=request.stream, reason=str(error))
            answer(None, error)
            return
        receipt.add_done_callback(committed)

    def _submit(self, request: AppendEvents.Request) -> Receipt:
        if not self._is_open():
            raise StoreUnavailable("the node is not active: activate it, then send again")
        if not 1 <= len(request.events) <= MOST_EVENTS:
            raise PayloadError(f"events: {len(request.events)}; allowed: 1 to {MOST_EVENTS}")
        if request.expected_version < ANY:
            raise PayloadError(f"expected_version: {request.expected_version}; allowed: {ANY} and more")
        delivery = _DELIVERIES.get(request.delivery)
        if delivery is None:
            raise PayloadError(f"delivery: {request.delivery}; allowed: 0 (audit), 1 (telemetry)")
        events = [to_event(message) for message in request.events]
        return self._store.submit(request.stream, events, request.expected_version, delivery)
