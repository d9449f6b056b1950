"""Stands in for the docking nodes of alpha, bravo and `station`, and for the event store.

alpha docks to any port of the station by going through the phases in half a second. To bravo it stays in APPROACH until
it is cancelled. With profile DATA it fails at contact. Port names: A, B; the station's are `dorsal` and `ventral`.
"""

import time
from collections.abc import Callable
from math import nan
from typing import Any

import rclpy
from rclpy.action import CancelResponse, GoalResponse
from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from qiki_events import REGISTRY
from qiki_msgs.action import Dock
from qiki_msgs.msg import BridgeEdge, BridgeState, DockingState, Event, PortOffer
from qiki_msgs.srv import AppendEvents, QueryEvents, ReleaseDock, ResetDocking, SetBridge, Undock
from qiki_node.executor import make_executor, spin_while
from qiki_node.prompt_action import PromptActionServer
from qiki_node.qos import CLOCK, STATE
from qiki_node.run import StopSignal
from qiki_node.stamps import from_seconds

STEP = 0.1
"""s between two phases."""
CODE = 4242
PHASES = [(DockingState.APPROACH, "hold_5"), (DockingState.ALIGN, "settle"), (DockingState.ALIGN, "close"),
          (DockingState.SOFT_DOCK, "damp"), (DockingState.HARD_DOCK, "lock"), (DockingState.BRIDGE, "")]  # fmt: skip


class Body:
    """A docking node that publishes at 10 Hz."""

    def __init__(self, name: str, ports: tuple[str, ...]) -> None:
        self.node = Node("docking", namespace=f"/{name}")
        unknown = dict.fromkeys(("range", "closing", "lateral_offset", "lateral_rate", "tilt", "tilt_rate"), nan)
        offers = [PortOffer(port=port, fit=True) for port in ports]
        self.state = DockingState(body=name, active=True, offers=offers, **unknown)
        self.bridge = BridgeState(
            body=name, role=BridgeState.RELAY, source_volts=nan, source_power=nan, loads=["base", "charge"],
            wanted=[60.0, 200.0], priority=[0, 4], divisible=[False, True], served=[60.0, 0.0],
            shed=["alpha/charge", "\x1b[2J/base"],
        )  # fmt: skip
        self.queue: list[tuple[float, Callable[[], None]]] = []
        self.publishers = (
            self.node.create_publisher(DockingState, f"/{name}/docking", STATE),
            self.node.create_publisher(BridgeState, f"/{name}/bridge", STATE),
        )
        self.node.create_service(Undock, "~/undock", self.on_undock)
        self.node.create_service(ReleaseDock, "~/release", self.on_release)
        self.node.create_service(SetBridge, "~/set_bridge", self.on_set_bridge)
        self.node.create_service(ResetDocking, "~/reset", self.on_reset)
        self.docking = PromptActionServer(
            self.node, Dock, "~/dock", execute_callback=lambda _: None, goal_callback=self.on_goal,
            handle_accepted_callback=self.on_accepted, cancel_callback=self.on_cancel,
        )  # fmt: skip
        self.goal: Any = None
        self.node.create_timer(0.1, self.publish)
        self.node.create_timer(0.02, self.run)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        self.queue.append((time.monotonic() + seconds, action))

    def run(self) -> None:
        due = [entry for entry in self.queue if entry[0] <= time.monotonic()]
        self.queue = [entry for entry in self.queue if entry not in due]
        for _, action in due:
            action()

    def publish(self) -> None:
        for publisher, message in zip(self.publishers, (self.state, self.bridge), strict=True):
            message.header.stamp = from_seconds(time.monotonic())
            publisher.publish(message)

    def enter(self, phase: int, step: str) -> None:
        self.state.phase, self.state.step = phase, step
        if self.goal is not None:
            margins = [0.01, 0.02, 0.003, 0.003, 0.1, -0.02, nan] if step == "close" else []
            self.goal.publish_feedback(
                Dock.Feedback(docking_id="dock-1", phase=phase, step=step, range=3.25, closing=0.05, margins=margins)
            )
        if phase == DockingState.BRIDGE:
            edge = BridgeEdge(name="alpha:A-station:dorsal", port="A", partner="station", partner_port="dorsal")
            edge.profile, edge.state = 3, BridgeEdge.CLOSED
            edge.volts, edge.current, edge.expected, edge.temperature = 27.5, 2.5, 2.49, nan
            self.bridge.edges, self.bridge.source, self.bridge.depth = [edge], "station", 1
            self.end("EXECUTED", 0, "")

    def end(self, outcome: str, code: int, reason: str) -> None:
        goal, self.goal = self.goal, None
        self.finish(goal, outcome, code, reason)

    def finish(self, goal: Any, outcome: str, code: int, reason: str) -> None:
        result = Dock.Result(outcome=getattr(Dock.Result, outcome), code=code, reason=reason, docking_id="dock-1")
        result.phase, result.tries, result.elapsed = self.state.phase, 1, 0.5
        {"EXECUTED": goal.succeed, "CANCELED": goal.canceled}.get(outcome, goal.abort)()
        self.docking.finish(goal, result)

    def on_goal(self, goal: Any) -> GoalResponse:
        return GoalResponse.REJECT if goal.own_port == "B" else GoalResponse.ACCEPT

    def on_accepted(self, goal: Any) -> None:
        busy, order = self.goal is not None or self.state.phase != DockingState.FREE, goal.request
        goal.execute()
        if busy:
            reason = f"\x1b[31mnot free, {order.command_id[:0]}docked already"
            self.finish(goal, "REJECTED", 103, reason)
            return
        self.goal = goal
        self.state.partner, self.state.partner_port = order.partner, order.partner_port or "dorsal"
        self.state.own_port, self.state.profile = order.own_port or "A", 3
        self.state.offers[0].holder = order.partner
        phases = PHASES[:1] if order.partner == "bravo" else PHASES[:3] if order.profile == "DATA" else PHASES
        for index, (phase, step) in enumerate(phases):
            self.later(STEP * (index + 1), lambda phase=phase, step=step: self.enter(phase, step))
        if order.profile == "DATA":
            self.later(STEP * 4, self.fail)

    def fail(self) -> None:
        self.free()
        self.end("FAILED", 302, "closing 0.132 m/s, 0.032 m/s above the limit of 0.1 m/s")

    def free(self) -> None:
        self.state.phase, self.state.step, self.state.partner, self.state.own_port = DockingState.FREE, "", "", ""
        self.state.offers[0].holder = ""
        self.bridge.edges, self.bridge.source = [], ""

    def on_cancel(self, _goal: Any) -> CancelResponse:
        self.queue.clear()
        self.enter(DockingState.ABORT, "back_off")
        self.later(0.3, lambda: (self.free(), self.end("CANCELED", 204, "cancelled by order")))
        return CancelResponse.ACCEPT

    def on_undock(self, request: Any, response: Any) -> Any:
        response.success = self.state.phase == DockingState.BRIDGE
        response.code, response.message = 102, f"port {request.port!r}: not docked"
        if response.success:
            self.enter(DockingState.UNDOCKING, "power_down")
            self.later(0.3, self.free)
        return response

    def on_release(self, request: Any, response: Any) -> Any:
        response.success = request.code in (0, CODE)
        response.code, response.seconds = CODE, 10.0
        response.message = "" if response.success else f"code: {request.code} is not the armed one"
        return response

    def on_set_bridge(self, request: Any, response: Any) -> Any:
        response.success = bool(not request.profile or self.bridge.edges)
        response.message = "" if response.success else "no port is docked"
        if request.role:
            role = getattr(BridgeState, request.role)
            self.later(0.3, lambda: setattr(self.bridge, "role", role))
        if response.success and request.profile and request.profile != "POWER":  # POWER is accepted and never comes
            self.later(0.3, lambda: setattr(self.bridge.edges[0], "profile", getattr(DockingState, request.profile)))
        return response

    def on_reset(self, _request: Any, response: Any) -> Any:
        response.success, response.message = False, "reset: not in FAULT"
        return response


def stored(type: str, **data: Any) -> Event:
    """An event of alpha as the store keeps it."""
    content_type, payload = REGISTRY.encode(type, data)
    event = Event(id=type, stream="alpha/docking", type=type, schema_version=1, content_type=content_type)
    event.payload = payload
    return event


class Store:
    """Keeps events in memory, and the time: /clock is the monotonic one."""

    def __init__(self) -> None:
        self.node = Node("eventstore", namespace="/qiki")
        self.clock = self.node.create_publisher(Clock, "/clock", CLOCK)
        self.node.create_timer(0.02, lambda: self.clock.publish(Clock(clock=from_seconds(time.monotonic()))))
        self.events = [stored("docking.started", docking_id="dock-0", partner="bravo", partner_port="A")]
        ended = {"outcome": "EXECUTED", "phase": "BRIDGE", "tries": 1, "operation": "dock", "elapsed": 61.5, "code": 0}
        self.events += [
            stored("docking.ended", docking_id="dock-0", partner="\x1b[2Jbravo", margins={"closing": 0.02}, **ended)
        ]
        self.node.create_service(AppendEvents, "~/append", self.on_append)
        self.node.create_service(QueryEvents, "~/query", self.on_query)

    def on_append(self, request: Any, response: Any) -> Any:
        for event in request.events:
            if event.id not in [known.id for known in self.events]:
                event.position, event.stream = len(self.events) + 1, request.stream
                self.events.append(event)
        response.success = True
        return response

    def on_query(self, request: Any, response: Any) -> Any:
        def fits(event: Any) -> bool:
            types = not request.types or any(event.type.startswith(name.rstrip("*")) for name in request.types)
            streams = not request.streams or event.stream in request.streams
            return types and streams and request.correlation in ("", event.correlation)

        response.success = True
        response.events = [event for event in self.events if fits(event)]
        if request.backwards:
            response.events.reverse()
        return response


def main() -> None:
    stop = StopSignal()
    rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    bodies = [Body("alpha", ("A", "B")), Body("bravo", ("A", "B")), Body("station", ("dorsal", "ventral"))]
    nodes = [*(body.node for body in bodies), Store().node]
    executor = make_executor()
    for node in nodes:
        executor.add_node(node)
    print("ready", flush=True)
    spin_while(executor, lambda: not stop.is_set)
    executor.shutdown()
    for body in bodies:
        body.docking.destroy()
    for node in nodes:
        node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
