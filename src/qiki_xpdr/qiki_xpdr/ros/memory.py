"""State of transponder, guard, alerts and numbers before a restart, from the event store."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from qiki_events import REGISTRY
from qiki_msgs.srv import QueryEvents
from qiki_node import stamps
from qiki_xpdr.guard import ALERT_ENDED, ALERT_RAISED, GuardMode
from qiki_xpdr.modes import Mode
from qiki_xpdr.numbers import NUMBERS_RESERVED
from qiki_xpdr.transponder import MODE_CHANGED

SERVICE: Final = "/qiki/eventstore/query"
BEGINS: Final = ("simulator.scenario_loaded", "simulator.reset")
"""Events with which a world begins: those from before are of another one."""
GUARD_CHANGED: Final = "guard.mode_changed"
MOST_ALERTS: Final = 1000
"""Newest alerts, raised and ended, among which those that last are searched."""

_AGAIN: Final = 1.0  # s of steady time after which a query is repeated
_AHEAD: Final = 1.0  # s, by which an event may lie ahead of the clock; beyond it is of another run
_UNBOUNDED: Final = -(2**63)
_QUERIES: Final = {
    "world": (BEGINS, 1),
    "mode": ((MODE_CHANGED,), 1),
    "guard": ((GUARD_CHANGED,), 1),
    "numbers": ((NUMBERS_RESERVED,), 1),
    "alerts": ((ALERT_RAISED, ALERT_ENDED), MOST_ALERTS),
}
"""Types and number of the newest events that are needed."""


@dataclass(frozen=True)
class OpenAlert:
    """An alert that lasted when the node ended. raised: s."""

    rule: str
    track: int
    raised: float


@dataclass(frozen=True)
class Remembered:
    """State before a restart; None: there is none, or it is lost.

    Attributes:
        mode: as ordered, SPOOF too. number: first one that no track has had.
        source: of it all. lost: reasons, of events that cannot be read.
    """

    mode: Mode | None = None
    guard: GuardMode | None = None
    number: int | None = None
    alerts: tuple[OpenAlert, ...] = ()
    source: str = "event store"
    lost: tuple[str, ...] = ()


@dataclass
class _Reading:
    """Newest events of this world, and the reasons for which some cannot be read."""

    events: dict[str, list[Any]]
    lost: list[str] = field(default_factory=list)

    def payloads(self, name: str) -> list[tuple[Any, dict[str, Any]]]:
        """Events with their payloads, the newest first; none where one cannot be read."""
        try:
            return [(one, _payload(one)) for one in self.events[name]]
        except ValueError as error:
            self.lost.append(str(error))
            return []

    def newest(self, name: str) -> dict[str, Any] | None:
        found = self.payloads(name)
        return found[0][1] if found else None


class Memory:
    """Asks once for the newest events; `look` gives what they say as soon as it is known.

    Args:
        node: rclpy's. stream: of the own events. patience: s of steady time for the store. clock: s, steady.
    """

    def __init__(self, node: Any, stream: str, patience: float, clock: Callable[[], float]) -> None:
        self._node, self._stream, self._clock, self._until = node, stream, clock, clock() + patience
        self._client = node.create_client(QueryEvents, SERVICE)
        self._answers: dict[str, list[Any]] = {}
        self._asked: dict[str, float] = {}

    def look(self, *, settled: bool) -> Remembered | None:
        """The state before; None: not known yet, look again. settled: no own event waits for the store."""
        if settled and self._client.service_is_ready():
            for name in _QUERIES:
                self._ask(name)
        if set(self._answers) == set(_QUERIES):
            return self._read()
        return Remembered(source="no event store answers") if self._clock() >= self._until else None

    def _ask(self, name: str) -> None:
        now = self._clock()
        if name in self._answers or now - self._asked.get(name, -_AGAIN) < _AGAIN:
            return
        self._asked[name] = now
        types, most = _QUERIES[name]
        streams = [] if name == "world" else [self._stream]
        request = QueryEvents.Request(types=list(types), streams=streams, limit=most, backwards=True)
        request.start = request.recorded_start = _UNBOUNDED
        self._client.call_async(request).add_done_callback(lambda done: self._answered(name, done))

    def _answered(self, name: str, done: Any) -> None:
        response = done.result()
        if response is not None and response.success:
            self._answers[name] = list(response.events)

    def _read(self) -> Remembered:
        begun = max((one.position for one in self._answers["world"]), default=0)
        latest = self._node.seconds() + _AHEAD
        events = {
            name: [one for one in found if one.position > begun and stamps.seconds(one.time) <= latest]
            for name, found in self._answers.items()
        }
        reading = _Reading(events)
        mode, guard, numbers = (reading.newest(name) for name in ("mode", "guard", "numbers"))
        return Remembered(
            mode=None if mode is None else Mode[mode["to"]],
            guard=None if guard is None else GuardMode[guard["to"]],
            number=None if numbers is None else int(numbers["until"]),
            alerts=_open(reading.payloads("alerts")),
            lost=tuple(reading.lost),
        )


def _payload(event: Any) -> dict[str, Any]:
    """Payload of an event.

    Raises:
        ValueError: it cannot be read, or names no mode; naming the type.
    """
    found = REGISTRY.decode(event.type, event.schema_version, event.content_type, event.payload.tobytes())
    modes = {MODE_CHANGED: Mode, GUARD_CHANGED: GuardMode}.get(event.type)
    if modes is not None and found.get("to") not in modes.__members__:
        raise ValueError(f"{event.type}: to {found.get('to')!r}; allowed: {', '.join(modes.__members__)}")
    return dict(found)


def _open(found: list[tuple[Any, dict[str, Any]]]) -> tuple[OpenAlert, ...]:
    """Alerts that were raised and have not ended; events the newest first."""
    last: dict[tuple[str, int], OpenAlert] = {}
    for event, payload in reversed(found):
        key = (payload["rule"], int(payload["track"]))
        if event.type == ALERT_RAISED:
            last[key] = OpenAlert(*key, stamps.seconds(event.time))
        else:
            last.pop(key, None)
    return tuple(last.values())
