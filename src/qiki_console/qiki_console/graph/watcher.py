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
from qiki_console.graph.endpoints import full_name
from qiki_console.model.graph_state import GraphState, Sample
from qiki_console.model.snapshot import NO_ANSWER, Snapshot
from qiki_msgs.msg import Allocation, BridgeState, DockingState, Energy, Thermal, ThrusterState
from qiki_node.qos import CLOCK, STATE, TELEMETRY
from qiki_node.run_file import domain_id, read_run_file
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
    "docking": _Source("docking", DockingState, messages.docking, STATE),
    "bridge": _Source("bridge", BridgeState, messages.bridge, STATE),
}


class Watcher:
    """Subscriptions that keep the newest message of every topic of a snapshot.

    snapshot = Watcher(session).collect(patience=4.0)
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._state = GraphState(begun=time.monotonic())
        session.subscribe_serialized(Clock, "/clock", self._on_clock, CLOCK)
        session.subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, QoSProfile(depth=100))

    def collect(self, patience: float) -> Snapshot:
        """Wait, at most `patience` seconds of wall time, for data of every bot and node that should be there."""
        session = self._session
        if session.wait_for(lambda: bool(session.nodes()), session.discovery):
            end = time.monotonic() + patience
            self.look()
            while (left := end - time.monotonic()) > 0.0 and not self._settled():
                time.sleep(min(0.1, left))
                self.look(min(1.0, max(left, 0.1)))
        return self.snapshot()

    def snapshot(self) -> Snapshot:
        """The graph as it is known now; see `look`."""
        return self._session.between_callbacks(lambda: self._state.snapshot(time.monotonic()))

    def look(self, answer: float = 1.0) -> None:
        """Look for bots and nodes, and ask the nodes for their lifecycle state, waiting `answer` s at most."""
        session, state = self._session, self._state
        run = read_run_file()
        # The run of another domain is another graph.
        own = run is not None and run.domain in (None, domain_id())
        here = run if run is not None and own else None
        state.wanted = here.nodes if here else None
        state.gone, state.frozen = (here.gone, here.frozen) if here else (frozenset(), frozenset())
        for bot in bots(session):
            if bot not in state.bots:
                state.bots.append(bot)
                for name, source in _SOURCES.items():
                    keep = partial(self._keep, bot, name, source)
                    session.subscribe_serialized(source.kind, f"/{bot}/{source.topic}", keep, source.qos)
        state.published = frozenset(
            (bot, name)
            for bot in state.bots
            for name, source in _SOURCES.items()
            if session.publishers(f"/{bot}/{source.topic}")
        )
        state.diagnosing = frozenset(map(full_name, session.publishers("/diagnostics")))
        state.clocks = tuple(sorted(map(full_name, session.publishers("/clock"))))
        states = self._lifecycle_states(answer)
        session.between_callbacks(lambda: setattr(state, "states", states))

    def _settled(self) -> bool:
        return self._session.between_callbacks(lambda: self._state.settled(time.monotonic()))

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
