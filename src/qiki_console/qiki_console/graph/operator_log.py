"""Events of an operator's procedure, appended to the running graph's event store."""

from collections.abc import Callable, Mapping
from typing import Any

from qiki_events import REGISTRY
from qiki_msgs.msg import Event
from qiki_msgs.srv import AppendEvents
from qiki_node.emission import outgoing
from qiki_node.errors import UnreachableError
from qiki_node.session import Session
from qiki_node.stamps import from_seconds

SERVICE = "/qiki/eventstore/append"

_ANSWER = 5.0
"""s of wall time."""

_FIRST = 1.5
"""s of wall time in which the store has to be found."""


class OperatorLog:
    """Appends each event at once and waits until it is durable. A store that is missing or refuses does not stop the
    operator: each event that is not stored is reported.

    Args:
        session: to append with.
        stream: such as `operator/kim`.
        now: time of the events, s.
        warn: takes a line about events that are not stored.
    """

    def __init__(self, session: Session, stream: str, now: Callable[[], float], warn: Callable[[str], None]) -> None:
        self._session = session
        self._stream = stream
        self._now = now
        self._warn = warn
        self._there: bool | None = None

    def emit(self, type: str, payload: Mapping[str, Any], correlation: str) -> None:
        """Append an event of a known type."""
        if self._there is None:
            client = self._session.client(AppendEvents, SERVICE)
            self._there = self._session.wait_for(client.service_is_ready, _FIRST)
            if not self._there:
                self._warn("no event store is there: this run leaves no events")
        if not self._there:
            return
        source = f"/{self._session.node.get_name()}"
        event = outgoing(
            type, payload, stream=self._stream, source=source, time=None, correlation=correlation, causation=None,
            delivery="audit", schema_version=REGISTRY.newest(type),
        )  # fmt: skip
        message = Event(
            id=str(event.id),
            stream=event.stream,
            type=event.type,
            source=event.source,
            time=from_seconds(self._now()),
            correlation=correlation,
            schema_version=event.schema_version,
            content_type=event.content_type,
            payload=event.payload,
        )
        request = AppendEvents.Request(stream=self._stream, events=[message], delivery=AppendEvents.Request.AUDIT)
        try:
            answer = self._session.call(AppendEvents, SERVICE, request, _ANSWER, repeatable=True)
        except UnreachableError as error:
            self._warn(f"event {type} is not stored: {error.message}")
            return
        if not answer.success:
            self._warn(f"event {type} is not stored: {answer.message}")
