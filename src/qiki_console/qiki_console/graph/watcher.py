"""Listens to the graph and makes snapshots of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import InertiaStamped
from lifecycle_msgs.srv import GetState
from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rosgraph_msgs.msg import Clock

from qiki_console.graph import messages
from qiki_console.graph.discovery import bots
from qiki_console.model.diagnostics import DiagnosticsBook
from qiki_console.model.names import SIMULATOR
from qiki_console.model.readings import Bot, Datum, Moment, Node, Simulator, Snapshot
from qiki_msgs.msg import Allocation, Energy, Thermal, ThrusterState
from qiki_node.qos import CLOCK, STATE, TELEMETRY
from qiki_node.session import Session
from qiki_node.stamps import seconds

_NO_ANSWER = "no answer"


@dataclass(frozen=True)
class _Source:
    topic: str
    kind: Any
    value: Callable[[Any], Any]
    limit: float
    qos: QoSProfile


# Limits: several periods of the topic's rate.
_SOURCES = {
    "motion": _Source("odom", Odometry, messages.motion, 0.5, TELEMETRY),
    "power": _Source("energy", Energy, messages.power, 1.0, TELEMETRY),
    "heat": _Source("thermal", Thermal, messages.heat, 1.0, TELEMETRY),
    "feed": _Source("thruster_state", ThrusterState, messages.feed, 1.0, TELEMETRY),
    "mass": _Source("body/mass_properties", InertiaStamped, lambda message: message.inertia.m, 3.0, STATE),
    "share": _Source("allocation", Allocation, messages.share, 1.0, TELEMETRY),
}


class Watcher:
    """Keeps the newest message of every topic that a snapshot needs.

    Messages stay serialized until a snapshot is made: most are replaced before anyone looks.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._newest: dict[tuple[str, str], tuple[bytes, float]] = {}
        self._bots: list[str] = []
        self._clock: tuple[bytes, float] | None = None
        self._diagnostics = DiagnosticsBook()
        self._state_clients: dict[str, Any] = {}
        self._states: dict[str, str | None] = {}
        session.subscribe(Clock, "/clock", self._on_clock, CLOCK, raw=True)
        session.subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, QoSProfile(depth=10))

    def collect(self, patience: float) -> Snapshot:
        """Wait, at most `patience` seconds of wall time, until everything there is has told something."""
        if self._session.wait_for(lambda: bool(self._session.nodes()), self._session.discovery):
            end = time.monotonic() + patience
            self.look()
            while time.monotonic() < end and not self._complete():
                self._session.wait_for(self._all_told, min(0.25, max(end - time.monotonic(), 0.0)))
                self.look()
        return self.snapshot()

    def look(self, answer: float = 1.0) -> None:
        """Look for bots and nodes, and ask the nodes for their lifecycle state."""
        for bot in bots(self._session):
            if bot not in self._bots:
                self._bots.append(bot)
                for name, source in _SOURCES.items():
                    self._listen(bot, name, source)
        nodes = self._session.nodes()
        services = {name for name, _ in self._session.node.get_service_names_and_types()}
        futures = {}
        for node in nodes:
            if f"{node}/get_state" in services:
                # Kept when the node goes: destroying a client while an answer is on its way crashes the executor.
                if node not in self._state_clients:
                    client = self._session.node.create_client(GetState, f"{node}/get_state")
                    self._state_clients[node] = client
                futures[node] = self._state_clients[node].call_async(GetState.Request())
        self._session.wait_for(lambda: all(future.done() for future in futures.values()), answer)
        self._states = dict.fromkeys(nodes)
        for node, future in futures.items():
            self._states[node] = future.result().current_state.label if future.done() else _NO_ANSWER
            if not future.done():
                self._state_clients[node].remove_pending_request(future)

    def snapshot(self) -> Snapshot:
        """The graph as it is known now; see `look`."""
        wall = time.monotonic()
        clock = self._clock
        simulated = seconds(deserialize_message(clock[0], Clock).clock) if clock else None
        told = self._diagnostics.simulator(wall)
        now = Moment(
            wall=wall,
            simulated=simulated,
            silence=wall - clock[1] if clock else float("inf"),
            paused=told.paused,
        )
        nodes = {name: Node(state, self._diagnostics.problems(name, wall)) for name, state in self._states.items()}
        simulator = Simulator(simulated, told.real_time_factor, told.paused, told.scenario)
        return Snapshot(now, simulator, nodes, tuple(self._bot(name) for name in sorted(self._bots)))

    def _listen(self, bot: str, name: str, source: _Source) -> None:
        def keep(message: bytes) -> None:
            self._newest[bot, name] = (message, time.monotonic())

        self._session.subscribe(source.kind, f"/{bot}/{source.topic}", keep, source.qos, raw=True)

    def _on_clock(self, message: bytes) -> None:
        self._clock = (message, time.monotonic())

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            values = {entry.key: entry.value for entry in status.values}
            self._diagnostics.note(status.name, status.level[0], status.message, values, time.monotonic())

    def _complete(self) -> bool:
        answered = all(state != _NO_ANSWER for state in self._states.values())
        return answered and bool(self._bots) and not self.snapshot().missing and self._all_told()

    def _all_told(self) -> bool:
        told = all((bot, name) in self._newest for bot in self._bots for name in _SOURCES)
        return told and self._diagnostics.heard(SIMULATOR)

    def _bot(self, bot: str) -> Bot:
        data: dict[str, Datum[Any]] = {}
        for name, source in _SOURCES.items():
            if (bot, name) not in self._newest:
                continue
            serialized, received = self._newest[bot, name]
            message = deserialize_message(serialized, source.kind)
            value = source.value(message)
            if value is not None:
                data[name] = Datum(value, seconds(message.header.stamp), received, source.limit)
        return Bot(bot, **data)
