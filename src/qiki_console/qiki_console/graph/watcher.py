"""Snapshots of the graph: subscriptions, and the waiting for their first messages."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import InertiaStamped
from lifecycle_msgs.srv import GetState
from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rosgraph_msgs.msg import Clock

from qiki_console.graph import messages
from qiki_console.graph.discovery import bots
from qiki_console.model.graph_state import NO_ANSWER, GraphState, Sample
from qiki_console.model.snapshot import Snapshot
from qiki_msgs.msg import Allocation, Energy, Thermal, ThrusterState
from qiki_node.qos import CLOCK, STATE, TELEMETRY
from qiki_node.session import Session
from qiki_node.stamps import seconds


class _Source(NamedTuple):
    topic: str
    kind: Any
    value: Callable[[Any], Any]
    qos: QoSProfile


_SOURCES = {
    "motion": _Source("odom", Odometry, messages.motion, TELEMETRY),
    "power": _Source("energy", Energy, messages.power, TELEMETRY),
    "hottest": _Source("thermal", Thermal, messages.hottest, TELEMETRY),
    "thrusters": _Source("thruster_state", ThrusterState, messages.thrusters, TELEMETRY),
    "mass": _Source("body/mass_properties", InertiaStamped, lambda message: message.inertia.m, STATE),
    "allocation": _Source("allocation", Allocation, messages.allocation, TELEMETRY),
}


class Watcher:
    """Subscriptions that keep the newest message of every topic of a snapshot.

    snapshot = Watcher(session).collect(patience=4.0)
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._state = GraphState()
        session.subscribe_serialized(Clock, "/clock", self._on_clock, CLOCK)
        session.subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, QoSProfile(depth=10))

    def collect(self, patience: float) -> Snapshot:
        """Wait, at most `patience` seconds of wall time, for data of every bot and node on the graph."""
        session, state = self._session, self._state
        if session.wait_for(lambda: bool(session.nodes()), session.discovery):
            end = time.monotonic() + patience
            self.look()
            while (left := end - time.monotonic()) > 0.0 and not state.complete(time.monotonic()):
                session.wait_for(lambda: state.reported, min(0.25, left))
                self.look()
        return self.snapshot()

    def snapshot(self) -> Snapshot:
        """The graph as it is known now; see `look`."""
        return self._session.between_callbacks(lambda: self._state.snapshot(time.monotonic()))

    def look(self, answer: float = 1.0) -> None:
        """Look for bots and nodes, and ask the nodes for their lifecycle state, waiting `answer` s at most."""
        for bot in bots(self._session):
            if bot not in self._state.bots:
                self._state.bots.append(bot)
                for name, source in _SOURCES.items():
                    keep = partial(self._keep, bot, name, source)
                    self._session.subscribe_serialized(source.kind, f"/{bot}/{source.topic}", keep, source.qos)
        self._state.states = self._lifecycle_states(answer)

    def _lifecycle_states(self, answer: float) -> dict[str, str | None]:
        nodes = self._session.nodes()
        services = {name for name, _ in self._session.node.get_service_names_and_types()}
        clients = {
            node: self._session.client(GetState, f"{node}/get_state")
            for node in nodes
            if f"{node}/get_state" in services
        }
        futures = {node: client.call_async(GetState.Request()) for node, client in clients.items()}
        self._session.wait_for(lambda: all(future.done() for future in futures.values()), answer)
        states: dict[str, str | None] = dict.fromkeys(nodes)
        for node, future in futures.items():
            states[node] = future.result().current_state.label if future.done() else NO_ANSWER
            if not future.done():
                clients[node].remove_pending_request(future)
        return states

    def _keep(self, bot: str, name: str, source: _Source, serialized: bytes) -> None:
        def read() -> tuple[Any, float]:
            message = deserialize_message(serialized, source.kind)
            return source.value(message), seconds(message.header.stamp)

        self._state.samples[bot, name] = Sample(time.monotonic(), read)

    def _on_clock(self, serialized: bytes) -> None:
        def read() -> tuple[Any, float]:
            return None, seconds(deserialize_message(serialized, Clock).clock)

        self._state.clock = Sample(time.monotonic(), read)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {entry.key: entry.value for entry in status.values}
            self._state.diagnostics.note(status.name, status.level[0], status.message, values, time.monotonic())
