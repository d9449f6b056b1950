"""Processes of benchmarks/graph.py: bare rclpy nodes with the messages of QIKI's, and the pilot that flies the bots.

    python benchmarks/bare_nodes.py sim|allocator|console|pilot NUMBER

NUMBER is the number of bots, for an allocator the bot's index. Bots are bot0, bot1, ...
"""

import json
import signal
import sys
import time
from collections.abc import Callable
from math import cos, sin
from typing import Any

import rclpy
from geometry_msgs.msg import InertiaStamped, WrenchStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import BatteryState

from qiki_msgs.msg import Allocation, Energy, Thermal, ThrusterCommand, ThrusterState
from qiki_node.executor import make_executor, spin_while
from qiki_node.qos import CLOCK, COMMAND, STATE, TELEMETRY

CONTROL_RATE = 100
"""Hz, wrenches per bot."""

START = 60.0
"""s, longest time a graph may take until every bot has answered a wrench."""


def bare_node(name: str, namespace: str, simulated: bool) -> Any:
    """An rclpy node with no more than every node has."""

    return Node(name, namespace=namespace, parameter_overrides=[Parameter("use_sim_time", value=simulated)])


def spin(node: Any, stopped: Callable[[], bool]) -> None:
    """Run callbacks on the executor of QIKI's nodes."""

    executor = make_executor("events")
    executor.add_node(node)
    spin_while(executor, lambda: not stopped(), 0.1)
    executor.shutdown()
    node.destroy_node()


def telemetry(count: int) -> list[tuple[str, Any, Any, Any, int]]:
    """Topics of a simulator with so many bots: name, message, type, QoS, clock ticks between two messages."""

    ten, sixteen = range(10), range(16)
    thermal = Thermal(name=[f"NODE_{i}" for i in ten], status=[1] * 10)
    thermal.temperature = thermal.heat = thermal.warn = thermal.trip = [20.0] * 10
    valves = ThrusterState(open=[False for _ in sixteen], health=[1] * 16, duty=[0.0] * 16)
    valves.on_time, valves.firings = [0.0] * 16, [0] * 16
    energy = Energy(loads=["nbl", "radar", "transponder"], load_on=[True] * 3)
    kinds = [
        ("odom", Odometry(), TELEMETRY, 2),
        ("thruster_state", valves, TELEMETRY, 5),
        ("energy", energy, TELEMETRY, 10),
        ("thermal", thermal, TELEMETRY, 10),
        ("battery", BatteryState(), TELEMETRY, 100),
        ("supercap", BatteryState(), TELEMETRY, 100),
        ("body/mass_properties", InertiaStamped(), STATE, 100),
    ]
    return [(f"/bot{i}/{name}", message, type(message), *rest) for i in range(count) for name, message, *rest in kinds]


def bare_sim(count: int, stopped: Callable[[], bool]) -> None:
    """/clock and the bots' telemetry, with a subscription to the valve commands."""

    node = bare_node("sim", "/qiki", False)
    clock, message = node.create_publisher(Clock, "/clock", CLOCK), Clock()
    topics = [
        (node.create_publisher(kind, name, qos), content, every) for name, content, kind, qos, every in telemetry(count)
    ]
    for i in range(count):
        node.create_subscription(ThrusterCommand, f"/bot{i}/thruster_command", lambda _: None, COMMAND)
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        message.clock.sec, message.clock.nanosec = ticks // 100, ticks % 100 * 10_000_000
        clock.publish(message)
        for publisher, content, every in topics:
            if ticks % every == 0:
                content.header.stamp = message.clock
                publisher.publish(content)

    node.create_timer(0.01, tick)
    spin(node, stopped)


def bare_allocator(index: int, stopped: Callable[[], bool]) -> None:
    """A valve command for each wrench, and `allocation` at 20 Hz."""

    node = bare_node("allocator", f"/bot{index}", True)
    valves = ThrusterCommand(window=0.1, open_time=[0.0] * 16, close_time=[0.05] * 16)
    allocation = Allocation(forces=[0.0] * 16, duty=[0.0] * 16, firings=[0] * 16)
    commands = node.create_publisher(ThrusterCommand, "thruster_command", COMMAND)
    allocations = node.create_publisher(Allocation, "allocation", TELEMETRY)

    def answer(message: WrenchStamped) -> None:
        valves.header.stamp = message.header.stamp
        commands.publish(valves)

    def report() -> None:
        allocation.header.stamp = node.get_clock().now().to_msg()
        allocations.publish(allocation)

    node.create_subscription(WrenchStamped, "cmd_wrench", answer, COMMAND)
    node.create_timer(0.05, report)
    spin(node, stopped)


def bare_console(count: int, stopped: Callable[[], bool]) -> None:
    """The subscriptions of the console."""

    node = bare_node("console", "/qiki", False)
    node.create_subscription(Clock, "/clock", lambda _: None, CLOCK, raw=True)
    for name, _, kind, qos, _ in telemetry(count):
        if not name.endswith(("battery", "supercap")):
            node.create_subscription(kind, name, lambda _: None, qos, raw=True)
    for i in range(count):
        node.create_subscription(Allocation, f"/bot{i}/allocation", lambda _: None, TELEMETRY, raw=True)
    spin(node, stopped)


class Pilot:
    """Sends wrenches that turn slowly, and times the answers."""

    def __init__(self, count: int) -> None:

        self.node = bare_node("pilot", "/", False)
        self.message = WrenchStamped()
        self.message.header.frame_id = "base_link"
        self.publishers = [
            self.node.create_publisher(WrenchStamped, f"/bot{i}/cmd_wrench", COMMAND) for i in range(count)
        ]
        self.asked: list[int | None] = [None] * count
        self.answers = [0] * count
        self.latencies: list[float] = []
        self.sent = 0
        self.clock: list[tuple[float, float]] = []
        self.ready_at: float | None = None
        for i in range(count):
            self.node.create_subscription(
                ThrusterCommand, f"/bot{i}/thruster_command", lambda _, i=i: self.answered(i), COMMAND
            )
        self.node.create_subscription(Clock, "/clock", self.tick, CLOCK)
        self.node.create_timer(1.0 / CONTROL_RATE, self.send)

    def tick(self, message: Any) -> None:
        self.clock.append((message.clock.sec + 1e-9 * message.clock.nanosec, time.monotonic()))

    def send(self) -> None:

        angle = 0.5 * time.monotonic()
        wrench = self.message.wrench
        wrench.force.x, wrench.force.y, wrench.force.z = 150.0 * cos(angle), 150.0 * sin(angle), 40.0 * cos(3.0 * angle)
        wrench.torque.x, wrench.torque.z = 20.0 * sin(5.0 * angle), 30.0 * cos(7.0 * angle)
        self.message.header.stamp = self.node.get_clock().now().to_msg()
        self.sent += 1
        for i, publisher in enumerate(self.publishers):
            self.asked[i] = time.monotonic_ns()
            publisher.publish(self.message)

    def answered(self, index: int) -> None:
        now, asked = time.monotonic_ns(), self.asked[index]
        self.answers[index] += 1
        if self.ready_at is not None and asked is not None:
            self.latencies.append((now - asked) / 1e3)
        self.asked[index] = None
        if self.ready_at is None and all(self.answers) and self.clock:
            self.ready_at, self.sent, self.answers = time.monotonic(), 0, [0] * len(self.answers)
            del self.clock[:-1]
            print("ready", flush=True)

    def report(self) -> dict[str, Any]:
        assert self.ready_at is not None
        wall = time.monotonic() - self.ready_at
        (first_sim, first_wall), (last_sim, last_wall) = self.clock[0], self.clock[-1]
        return {
            "latencies": self.latencies,
            "wrenches": self.sent / wall,
            "valve_commands": sum(self.answers) / len(self.answers) / wall,
            "speed": (last_sim - first_sim) / (last_wall - first_wall),
        }


def play(role: str, number: int) -> None:
    """Be one process of the benchmark until SIGINT."""

    stops: list[int] = []
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, lambda which, _: stops.append(which))
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    if role == "pilot":
        pilot, end = Pilot(number), time.monotonic() + START
        spin(pilot.node, lambda: bool(stops) or (pilot.ready_at is None and time.monotonic() > end))
        if pilot.ready_at is not None:
            print(json.dumps(pilot.report()))
    else:
        {"sim": bare_sim, "allocator": bare_allocator, "console": bare_console}[role](number, lambda: bool(stops))
    rclpy.shutdown()


if __name__ == "__main__":
    play(sys.argv[1], int(sys.argv[2]))
