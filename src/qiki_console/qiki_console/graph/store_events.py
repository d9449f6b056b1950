"""Events read from the running graph's event store."""

from collections.abc import Iterator

from qiki_console.model.dock_report import Happening
from qiki_events import REGISTRY, PayloadError
from qiki_msgs.srv import QueryEvents
from qiki_node.errors import CommandError
from qiki_node.session import Session
from qiki_node.stamps import nanoseconds

SERVICE = "/qiki/eventstore/query"


class GraphEvents:
    """The `model.dock_report.EventReader` of the graph's store.

    Raises:
        CommandError: the store refuses the question.
        UnreachableError: no event store is there.

    Args:
        since: ns, earliest time of recording; None: no bound.
    """

    def __init__(self, session: Session, since: int | None = None) -> None:
        self._session = session
        self._since = -(2**63) if since is None else since

    def __call__(self, types: list[str], stream: str, *, backwards: bool) -> Iterator[Happening]:
        request = QueryEvents.Request(types=types, streams=[stream] if stream else [], backwards=backwards)
        request.start, request.recorded_start = -(2**63), self._since  # the first: no bound
        while True:
            answer = self._session.call(QueryEvents, SERVICE, request, repeatable=True)
            if not answer.success:
                raise CommandError(f"the event store refuses the question: {answer.message}")
            for event in answer.events:
                try:
                    data = REGISTRY.decode(event.type, event.schema_version, event.content_type, bytes(event.payload))
                except PayloadError as error:
                    raise CommandError(f"event {event.id} of {event.stream} cannot be read: {error}") from error
                yield Happening(event.type, event.stream, nanoseconds(event.time), data)
            if not answer.cursor:
                return
            request.cursor = answer.cursor
