"""A peer of the allocator's node, in lockstep with it, and thrust profiles asked of it."""

import math
import time

import numpy as np
from geometry_msgs.msg import InertiaStamped, WrenchStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import GetParameters
from rclpy.action import ActionClient
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from valve_hardware import Hardware

from qiki_allocator import ValveCommand
from qiki_msgs.action import ExecuteThrustProfile
from qiki_msgs.msg import Allocation, Energy, Thermal, ThrusterCommand, ThrusterLevels, ThrusterState, ThrustSegment
from qiki_node.executor import spin_until
from qiki_node.qos import COMMAND, STATE, TELEMETRY
from qiki_node.testing import PATIENCE, Peer

NODE = "/alpha/allocator"
TICK = 0.01  # s


class Bench:
    """A peer that drives `/clock` and commands, and keeps what the allocator sends.

    Bench and node go in lockstep: the next step of the clock is made when the node has lived through the one before.
    `/clock` keeps the newest message only: a node that a busy machine lets wait would miss steps, and be late.
    """

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.now = 5.0
        self.commands: list[ThrusterCommand] = []
        self.allocations: list[Allocation] = []
        self.hardware = Hardware(16)
        node = peer.node
        self._clock = node.create_publisher(Clock, "/clock", QoSProfile(depth=10))
        self._wrench = node.create_publisher(WrenchStamped, "/alpha/cmd_wrench", COMMAND)
        self._mass = node.create_publisher(InertiaStamped, "/alpha/mass_properties", STATE)
        self._energy = node.create_publisher(Energy, "/alpha/energy", TELEMETRY)
        self._thermal = node.create_publisher(Thermal, "/alpha/thermal", TELEMETRY)
        self.odometry = node.create_publisher(Odometry, "/alpha/odom", TELEMETRY)
        self.valves = node.create_publisher(ThrusterState, "/alpha/thruster_state", TELEMETRY)
        self.levels = node.create_publisher(ThrusterLevels, "/alpha/cmd_levels", COMMAND)
        self.soc = 0.8
        self.profiles = ActionClient(node, ExecuteThrustProfile, f"{NODE}/execute_thrust_profile")
        node.create_subscription(ThrusterCommand, "/alpha/thruster_command", self._take, COMMAND)
        node.create_subscription(Allocation, "/alpha/allocation", self.allocations.append, TELEMETRY)
        self._greeter = node.create_client(GetParameters, f"{NODE}/get_parameters")
        peer.wait_until_active(NODE)
        peer.spin_until(self.profiles.server_is_ready)
        peer.spin_until(self._greeter.service_is_ready)
        for publisher in (self._clock, self._wrench, self._energy, self._thermal, self.odometry, self.valves):
            peer.spin_until(lambda publisher=publisher: publisher.get_subscription_count() == 1)
        # Answers to a client that is not known yet are dropped, and a goal cannot be sent again.
        peer.meet(f"{NODE}/execute_thrust_profile/_action/send_goal")
        self.tick_until(lambda: bool(self.allocations))
        self.tick_until(lambda: self.allocations[-1].gate == "BOOST")

    def hear(self) -> None:
        """Energy and thermal telemetry of now."""
        energy = Energy(supercap_soc=self.soc, continuous_power=22500.0, pdu=Energy.PDU_ON)
        names = ["RCS_A", "RCS_B", "RCS_C", "RCS_D", "HULL"]
        thermal = Thermal(name=names, temperature=[20.0] * len(names))
        for message in (energy, thermal):
            message.header.stamp = self.clock_message().clock
        self._energy.publish(energy)
        self._thermal.publish(thermal)

    def clock_message(self) -> Clock:
        message = Clock()
        message.clock.sec = int(self.now)
        message.clock.nanosec = round((self.now - int(self.now)) * 1e9)
        return message

    def _take(self, message: ThrusterCommand) -> None:
        self.commands.append(message)
        start = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
        command = ValveCommand(start, message.window, np.array(message.open_time), np.array(message.close_time))
        self.hardware.take(command, 0.0)

    def tick(self, duration: float = TICK) -> None:
        """Let simulated time pass, in steps of 10 ms."""
        for _ in range(round(duration / TICK)):
            self.now = round(self.now + TICK, 6)
            self._clock.publish(self.clock_message())
            if round(self.now * 100.0) % 10 == 0:
                self.hear()
            self._wait_for_node()

    def _wait_for_node(self) -> None:
        """Until the node has done all that follows from what was sent, in the order of its executor's queue: it sets
        its clock, looks for timers that are due, runs them, has begun to look for more. A request waits behind each."""
        for _ in range(3):
            answer, end = self._greeter.call_async(GetParameters.Request()), time.monotonic() + PATIENCE
            while not spin_until(self.peer.executor, answer, 1.0):
                assert time.monotonic() < end, "the node does not answer"

    def tick_until(self, condition) -> None:
        for _ in range(2000):
            if condition():
                return
            self.tick()
        raise AssertionError("condition did not come true")

    def command(self, *wrench: float, frame: str = "base_link") -> None:
        message = WrenchStamped()
        message.header.frame_id = frame
        force, torque = message.wrench.force, message.wrench.torque
        force.x, force.y, force.z, torque.x, torque.y, torque.z = [float(value) for value in wrench]
        self._wrench.publish(message)

    def send_mass(self, com, frame: str = "alpha/base_link") -> None:
        message = InertiaStamped()
        message.header.frame_id = frame
        message.inertia.m, message.inertia.ixx, message.inertia.iyy, message.inertia.izz = 1200.0, 760.0, 800.0, 820.0
        message.inertia.com.x, message.inertia.com.y, message.inertia.com.z = com
        self._mass.publish(message)

    def allocation(self) -> Allocation:
        """A fresh one."""
        self.allocations.clear()
        self.tick_until(lambda: bool(self.allocations))
        return self.allocations[-1]

    def wait_for_state(self, state: int) -> Allocation:
        self.tick_until(lambda: bool(self.allocations) and self.allocations[-1].state == state)
        return self.allocations[-1]


def send_odometry(bench, velocity=0.0, tilt=0.0):
    message = Odometry()
    message.header.stamp = bench.clock_message().clock
    message.pose.pose.orientation.z, message.pose.pose.orientation.w = math.sin(tilt / 2.0), math.cos(tilt / 2.0)
    message.twist.twist.linear.x = velocity
    bench.odometry.publish(message)


class Flight:
    """A thrust profile asked for, and its results."""

    def __init__(self, bench, *segments, goal_id=None, client=None, wait=True, command_id="test"):
        self.bench, self.feedback = bench, []
        goal = ExecuteThrustProfile.Goal(command_id=command_id, segments=list(segments))
        client = client or bench.profiles
        keep = lambda message: self.feedback.append(message.feedback)  # noqa: E731
        self._sent = client.send_goal_async(goal, keep, goal_uuid=goal_id)
        self._result = None
        if wait:
            self.is_accepted()

    @property
    def is_answered(self):
        return self._sent.done()

    def is_accepted(self):
        self.bench.peer.spin_until(self._sent.done)
        self.handle = self._sent.result()
        if self.handle.accepted and self._result is None:
            self._result = self.handle.get_result_async()
        return self.handle.accepted

    def is_done(self):
        return self._result.done()

    def result(self):
        assert self.is_accepted()
        self.bench.tick_until(self.is_done)
        return self._result.result().result

    @property
    def status(self):
        return self._result.result().status


def segment(force=0.0, group="", level=1.0, duration=1.0):
    message = ThrustSegment(group=group, level=level, duration=duration)
    message.header.frame_id = "base_link"
    message.wrench.force.x = force
    return message
