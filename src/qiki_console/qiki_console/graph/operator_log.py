"""Events of an operator's commands and procedures, appended to the running graph's event store."""

import getpass
import re
from collections.abc import Callable, Mapping
from typing import Any

from qiki_console.model.command_id import in_procedure
from qiki_events import REGISTRY
from qiki_msgs.msg import Event
from qiki_msgs.srv import AppendEvents
from qiki_node.emission import outgoing
from qiki_node.errors import UnreachableError
from qiki_node.session import Session
from qiki_node.stamps import from_seconds
from qiki_node.terminal import echo

SERVICE = "/qiki/eventstore/append"

_ANSWER = 5.0
"""s of wall time."""

_FIRST = 1.5
"""s of wall time in which the store has to be found."""


def operator() -> str:
    """Name of the account, as it stands in events."""
    return re.sub(r"[^\w.-]", "_", getpass.getuser()) or "unknown"


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
                self._warn("no event store is there: this leaves no events of the operator")
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


def record_command(session: Session, now: float, command_id: str, verb: str, target: str, **arguments: str) -> None:
    """Record a command as `operator.command_issued`, except inside of a procedure, which records its own.

    Args:
        session: to append with.
        now: time of the command, s.
        command_id: its id, which the events that it causes carry.
        verb: such as `bridge set`.
        target: body that it is meant for.
        arguments: those that are not empty are recorded.
    """
    if in_procedure():
        return
    name = operator()
    log = OperatorLog(session, f"operator/{name}", lambda: now, lambda line: echo(f"note: {line}", err=True))
    given = {key: value for key, value in arguments.items() if value}
    payload = {"command_id": command_id, "name": verb, "operator": name, "target": target, "arguments": given}
    log.emit("operator.command_issued", payload, command_id)
