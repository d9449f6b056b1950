"""Events of dockings, read from the running graph's event store."""

from collections.abc import Iterator

from qiki_console.model.dock_report import Happening
from qiki_events import REGISTRY, PayloadError
from qiki_msgs.srv import QueryEvents
from qiki_node.errors import CommandError, UnknownNameError
from qiki_node.session import Session
from qiki_node.stamps import nanoseconds

SERVICE = "/qiki/eventstore/query"

_LISTED = 20
"""Dockings that an error names."""


def docking_events(session: Session, docking_id: str | None) -> tuple[str, str, list[Happening]]:
    """Id of a docking (None: the one that began last), its stream, and the events of that stream in their order.

    Raises:
        UnknownNameError: there is no such docking; names the last ones.
        CommandError: the store refuses the question, or none is recorded.
        UnreachableError: no event store is there.
    """
    known: dict[str, str] = {}
    for event in _query(session, ["docking.started", "docking.ended"], ["*/docking"], backwards=True):
        if name := str(event.data.get("docking_id") or ""):
            known.setdefault(name, event.stream)
        if name and docking_id in (None, name):
            return name, event.stream, list(_query(session, ["docking.*"], [event.stream]))
    if docking_id is None:
        raise CommandError("no docking is recorded")
    raise UnknownNameError("docking", docking_id, list(known)[:_LISTED])


def _query(session: Session, types: list[str], streams: list[str], *, backwards: bool = False) -> Iterator[Happening]:
    suffix = streams[0].removeprefix("*") if streams[0].startswith("*") else ""
    request = QueryEvents.Request(types=types, streams=[] if suffix else streams, backwards=backwards)
    request.start = request.recorded_start = -(2**63)  # no bound
    while True:
        answer = session.call(QueryEvents, SERVICE, request, repeatable=True)
        if not answer.success:
            raise CommandError(f"the event store refuses the question: {answer.message}")
        for event in answer.events:
            if event.stream.endswith(suffix):
                try:
                    data = REGISTRY.decode(event.type, event.schema_version, event.content_type, bytes(event.payload))
                except PayloadError as error:
                    raise CommandError(f"event {event.id} of {event.stream} cannot be read: {error}") from error
                yield Happening(event.type, event.stream, nanoseconds(event.time), data)
        if not answer.cursor:
            return
        request.cursor = answer.cursor
