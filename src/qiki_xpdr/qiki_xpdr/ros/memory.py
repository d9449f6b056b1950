"""Mode of the transponder before a restart, from the event store."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from qiki_events import REGISTRY
from qiki_msgs.srv import QueryEvents
from qiki_node import stamps
from qiki_xpdr.modes import Mode
from qiki_xpdr.transponder import MODE_CHANGED, rebuilt

SERVICE: Final = "/qiki/eventstore/query"
BEGINS: Final = ("simulator.scenario_loaded", "simulator.reset")
"""Events with which a world begins: orders from before are of another one."""

_AGAIN: Final = 1.0  # s of steady time after which a query is repeated
_AHEAD: Final = 1.0  # s, by which an event may lie ahead of the clock; beyond it is of another run
_UNBOUNDED: Final = -(2**63)


@dataclass(frozen=True)
class Remembered:
    """Mode before a restart; None: there is none, for the reason in `source`."""

    mode: Mode | None
    source: str


class Memory:
    """Asks once for the newest change of mode; `look` gives it as soon as it is known.

    Args:
        node: rclpy's. stream: of the own events. patience: s of steady time for the store. clock: s, steady.
    """

    def __init__(self, node: Any, stream: str, patience: float, clock: Callable[[], float]) -> None:
        self._node, self._clock, self._until = node, clock, clock() + patience
        self._wanted = {"mode": ((MODE_CHANGED,), [stream]), "world": (BEGINS, [])}
        self._client = node.create_client(QueryEvents, SERVICE)
        self._answers: dict[str, Any] = {}  # the newest event of each kind, None: there is none
        self._asked: dict[str, float] = {}

    def look(self, *, settled: bool) -> Remembered | None:
        """The mode before; None: not known yet, look again. settled: no own event waits for the store.

        Raises:
            ValueError: the newest event holds no mode.
        """
        if settled and self._client.service_is_ready():
            for name in self._wanted:
                self._ask(name)
        if set(self._answers) == set(self._wanted):
            return self._newest()
        return Remembered(None, "no event store answers") if self._clock() >= self._until else None

    def _ask(self, name: str) -> None:
        now = self._clock()
        if name in self._answers or now - self._asked.get(name, -_AGAIN) < _AGAIN:
            return
        self._asked[name] = now
        types, streams = self._wanted[name]
        request = QueryEvents.Request(types=list(types), streams=streams, limit=1, backwards=True)
        request.start = request.recorded_start = _UNBOUNDED
        self._client.call_async(request).add_done_callback(lambda done: self._answered(name, done))

    def _answered(self, name: str, done: Any) -> None:
        response = done.result()
        if response is None or not response.success:
            return
        self._answers[name] = next(iter(response.events), None)

    def _newest(self) -> Remembered:
        world, changed = self._answers["world"], self._answers["mode"]
        if changed is None:
            return Remembered(None, "it was never changed")
        at = stamps.seconds(changed.time)
        if (world is not None and changed.position < world.position) or at > self._node.seconds() + _AHEAD:
            return Remembered(None, "it is of another run")
        payload = REGISTRY.decode(changed.type, changed.schema_version, changed.content_type, changed.payload.tobytes())
        return Remembered(rebuilt([(MODE_CHANGED, payload)]), "event store")


class Recall:
    """Takes the mode before a restart, once; an order that comes first ends it.

    Args:
        node: rclpy's, a `Host`. memory: None: there is none.
    """

    def __init__(self, node: Any, memory: Memory | None) -> None:
        self._node, self._memory = node, memory

    def look(self) -> None:
        """Take the mode as soon as it is known."""
        if self._memory is None:
            return
        node = self._node
        try:
            remembered = self._memory.look(settled=node.events.values()["queued"] == 0)
        except ValueError as error:
            node.log.error("the mode before the start is lost", reason=str(error))
            self.end()
            return
        if remembered is None:
            return
        self.end()
        mode = remembered.mode
        node.log.info("mode before the start", mode=None if mode is None else mode.name, source=remembered.source)
        if mode is not None and mode is not node.transponder.mode:
            node.transponder.set_mode(mode, "xpdr", "mode before the restart", node.seconds())
            node.report()

    def end(self) -> None:
        """Look no more."""
        self._memory = None
