"""Messages to events and back."""

import json
from typing import Any
from uuid import UUID

from qiki_events import JSON, REGISTRY
from qiki_eventstore.errors import EventStoreError, PayloadError, StoreFull, VersionConflict
from qiki_eventstore.events import AtPosition, AtRecorded, AtTime, AtVersion, Encoded, Event, Moment, RecordedEvent
from qiki_eventstore.store import Query, Stats
from qiki_msgs.msg import Event as EventMessage
from qiki_msgs.srv import AppendEvents, EventStoreStatus, QueryEvents, ReconstructState
from qiki_node.stamps import nanoseconds, nearest

EARLIEST, LATEST = -(2**63), 2**63 - 1

_APPEND = AppendEvents.Response
_RECONSTRUCT = ReconstructState.Request
_MOMENTS: dict[int, Any] = {
    _RECONSTRUCT.AT_VERSION: AtVersion,
    _RECONSTRUCT.AT_POSITION: AtPosition,
    _RECONSTRUCT.AT_TIME: AtTime,
    _RECONSTRUCT.AT_RECORDED: AtRecorded,
}


# Events that come ---------------------------------------------------------------------------------------------------


def to_event(message: EventMessage) -> Event:
    """The event of a message; the payload of a known type as its protobuf message.

    Raises:
        PayloadError: the id is no UUID, or the payload is not JSON as it says.
    """
    try:
        id = UUID(message.id)
    except ValueError:
        raise PayloadError(f"event {message.type!r}: id: {message.id!r}; allowed: a UUID") from None
    return Event(
        type=message.type,
        data=_data(message),
        id=id,
        time=nanoseconds(message.time),
        source=message.source,
        correlation=message.correlation or None,
        causation=message.causation or None,
        schema_version=message.schema_version,
    )


def _data(message: EventMessage) -> Any:
    """JSON of a known type as a mapping, which the store makes a protobuf message; everything else as it came."""
    payload = message.payload.tobytes()
    known = REGISTRY.message_class(message.type, message.schema_version) is not None
    if message.content_type != JSON or not known:
        return Encoded(message.content_type, payload)
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"event {message.type!r}: the payload is not JSON: {error}") from error


def code_of(error: BaseException) -> int:
    """The code by which an append service answers an error."""
    if isinstance(error, VersionConflict):
        return int(_APPEND.CONFLICT)
    if isinstance(error, StoreFull):
        return int(_APPEND.FULL)
    if isinstance(error, PayloadError):
        return int(_APPEND.PAYLOAD)
    return int(_APPEND.UNAVAILABLE)


def to_append_response(positions: list[int] | None, error: BaseException | None) -> AppendEvents.Response:
    """The answer to an append that gave positions, or an error."""
    if error is None:
        return _APPEND(success=True, code=_APPEND.OK, positions=positions or [])
    actual = error.actual if isinstance(error, VersionConflict) else 0
    text = str(error) if isinstance(error, EventStoreError) else f"{type(error).__name__}: {error}"
    return _APPEND(success=False, code=code_of(error), message=text, actual_version=actual)


def to_query(request: QueryEvents.Request, limit: int) -> Query:
    """A page's query."""
    cursor = int(request.cursor) or None
    return Query(
        after=None if request.backwards else cursor,
        before=cursor if request.backwards else None,
        start=lower(request.start),
        end=upper(request.end),
        recorded_start=lower(request.recorded_start),
        recorded_end=upper(request.recorded_end),
        types=tuple(request.types),
        streams=tuple(request.streams),
        correlation=request.correlation or None,
        limit=limit,
        backwards=request.backwards,
    )


def to_moment(request: ReconstructState.Request) -> Moment | None:
    """The moment that is asked for; None: now.

    Raises:
        ValueError: there is no such kind of moment.
    """
    if request.moment == _RECONSTRUCT.NOW:
        return None
    if request.moment not in _MOMENTS:
        raise ValueError(f"moment: {request.moment}; allowed: 0 to {max(_MOMENTS)}, see qiki_msgs/ReconstructState")
    moment: Moment = _MOMENTS[request.moment](int(request.at))
    return moment


def lower(value: int) -> int | None:
    return None if value == EARLIEST else int(value)


def upper(value: int) -> int | None:
    return None if value in (0, LATEST) else int(value)


# Events that go -----------------------------------------------------------------------------------------------------


def to_message(event: RecordedEvent) -> EventMessage:
    """A committed event as a message; a time that a stamp cannot hold, which a store takes, becomes the nearest."""
    message = EventMessage()
    message.id = str(event.id)
    message.stream = event.stream
    message.type = event.type
    message.source = event.source
    message.time = nearest(event.time)
    if event.correlation:
        message.correlation = event.correlation
    if event.causation:
        message.causation = event.causation
    message.schema_version = event.schema_version
    message.content_type = event.content_type
    message.payload.frombytes(event.payload)
    message.position = event.position
    message.version = event.version
    message.recorded = nearest(event.recorded)
    message.hash.frombytes(event.hash)
    return message


def to_recorded(message: EventMessage) -> RecordedEvent:
    """The inverse of `to_message`."""
    return RecordedEvent(
        position=int(message.position),
        stream=message.stream,
        version=int(message.version),
        id=UUID(message.id),
        type=message.type,
        source=message.source,
        time=nanoseconds(message.time),
        recorded=nanoseconds(message.recorded),
        correlation=message.correlation or None,
        causation=message.causation or None,
        schema_version=int(message.schema_version),
        content_type=message.content_type,
        payload=message.payload.tobytes(),
        hash=message.hash.tobytes(),
    )


_COUNTS = [
    name for name in Stats.__dataclass_fields__ if name in EventStoreStatus.Response.get_fields_and_field_types()
]


def fill_status(response: EventStoreStatus.Response, stats: Stats) -> None:
    """Counts and sizes."""
    for name in _COUNTS:
        setattr(response, name, getattr(stats, name))


def to_stats(response: EventStoreStatus.Response) -> Stats:
    """The inverse of `fill_status`."""
    return Stats(**{name: getattr(response, name) for name in _COUNTS})
