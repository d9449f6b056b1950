"""Stands in for simulator and allocator: a free rigid body that follows each wrench from the moment of its stamp.

A wrench that a busy machine brings late is put where it belongs: what was simulated since is simulated again. So what
the body does depends on what was commanded and not on when this process was given time.

Bot alpha is alive, bravo is a name on the graph with nothing behind it.
"""

import copy
import time
from bisect import insort
from collections import deque
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import InertiaStamped, WrenchStamped
from nav_msgs.msg import Odometry
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from std_srvs.srv import Trigger

from qiki_msgs.msg import Allocation, Energy, Thermal, ThrusterState
from qiki_msgs.srv import InjectFault, LoadScenario, SetSpeed, Step
from qiki_node.executor import make_executor, spin_while
from qiki_node.qos import CLOCK, COMMAND, STATE, TELEMETRY
from qiki_node.run import StopSignal

TICK = 0.01
TICK_US = 10_000
WATCHDOG_US = 500_000
MASS = 1200.0
COM = np.array([0.0, 0.0, 0.1])
INERTIA = np.array([760.0, 800.0, 820.0])
WATTS_PER_NEWTON = 100.0 / 3.0
FORCE_MAX = 5000.0


def quaternion_product(a: Any, b: Any) -> Any:
    (ax, ay, az, aw), (bx, by, bz, bw) = a, b
    return np.array(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ]
    )


class Body:
    """A free rigid body: velocity of its centre of mass in world."""

    def __init__(self) -> None:
        self.position, self.velocity, self.rate = np.zeros(3), np.zeros(3), np.zeros(3)
        self.attitude = np.array([0.0, 0.0, 0.0, 1.0])
        self.force, self.torque = np.zeros(3), np.zeros(3)
        self.energy = 0.0

    def in_world(self, vector: Any) -> Any:
        x, y, z, w = self.attitude
        turned = quaternion_product(quaternion_product(self.attitude, [*vector, 0.0]), [-x, -y, -z, w])
        return turned[:3]

    def in_body(self, vector: Any) -> Any:
        x, y, z, w = self.attitude
        return quaternion_product(quaternion_product([-x, -y, -z, w], [*vector, 0.0]), self.attitude)[:3]

    def step(self, dt: float) -> None:
        self.rate = self.rate + dt * (self.torque - np.cross(self.rate, INERTIA * self.rate)) / INERTIA
        self.attitude = self.attitude + 0.5 * dt * quaternion_product(self.attitude, [*self.rate, 0.0])
        self.attitude /= np.linalg.norm(self.attitude)
        self.velocity = self.velocity + dt * self.in_world(self.force) / MASS
        self.position = self.position + dt * self.velocity
        self.energy += dt * WATTS_PER_NEWTON * float(np.abs(self.force).sum())


class Fake:
    def __init__(self) -> None:
        self.sim = Node("sim", namespace="/qiki")
        self.allocator = LifecycleNode("allocator", namespace="/alpha")
        self.time_us, self.speed, self.paused = 5_000_000, 1.0, False
        self.begin()
        self.dropouts: set[str] = set()
        self.refused, self.refusal = 0, ""
        self.due = time.monotonic()
        node = self.sim
        self.clock = node.create_publisher(Clock, "/clock", CLOCK)
        self.odom = node.create_publisher(Odometry, "/alpha/odom", TELEMETRY)
        self.energy = node.create_publisher(Energy, "/alpha/energy", TELEMETRY)
        self.thermal = node.create_publisher(Thermal, "/alpha/thermal", TELEMETRY)
        self.thrusters = node.create_publisher(ThrusterState, "/alpha/thruster_state", TELEMETRY)
        self.mass = node.create_publisher(InertiaStamped, "/alpha/body/mass_properties", STATE)
        self.silent = node.create_publisher(ThrusterState, "/bravo/thruster_state", TELEMETRY)
        self.diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # Wants more than the best-effort publisher gives.
        node.create_subscription(Odometry, "/alpha/odom", lambda _: None, QoSProfile(depth=10))
        for kind, name, callback in (
            (Trigger, "pause", self.on_pause),
            (Trigger, "resume", self.on_resume),
            (Trigger, "reset", self.on_reset),
            (Step, "step", self.on_step),
            (SetSpeed, "set_speed", self.on_speed),
            (LoadScenario, "load_scenario", self.on_load),
            (InjectFault, "inject_fault", self.on_fault),
        ):
            node.create_service(kind, f"~/{name}", callback)
        node.create_timer(0.002, self.run)
        node.create_timer(0.5, self.diagnose)
        self.allocation = self.allocator.create_publisher(Allocation, "/alpha/allocation", TELEMETRY)
        # Deeper than the allocator's: each wrench counts for its time, also when several come at once.
        deep = QoSProfile(depth=1000, reliability=COMMAND.reliability)
        self.allocator.create_subscription(WrenchStamped, "/alpha/cmd_wrench", self.on_wrench, deep)
        self.allocator.trigger_configure()
        self.allocator.trigger_activate()

    def run(self) -> None:
        while not self.paused and time.monotonic() >= self.due:
            self.due = max(self.due + TICK / self.speed, time.monotonic() - 0.1)
            self.tick()

    def begin(self) -> None:
        self.body = Body()
        self.wrenches: list[tuple[int, Any, Any]] = []
        self.past: deque[tuple[int, Body]] = deque(maxlen=300)

    def advance(self) -> None:
        """One step, with the newest wrench that is stamped before its end, unless that is too old."""
        self.past.append((self.time_us, copy.copy(self.body)))
        self.time_us += TICK_US
        self.body.force, self.body.torque = np.zeros(3), np.zeros(3)
        for stamp, force, torque in reversed(self.wrenches):
            if stamp < self.time_us:
                if self.time_us - stamp <= WATCHDOG_US:
                    self.body.force, self.body.torque = force, torque
                break
        self.body.step(TICK)

    def put(self, stamp: int, force: Any, torque: Any) -> None:
        """Take a wrench stamped `stamp` us; go back to its moment, where that is past, and forward again."""
        insort(self.wrenches, (stamp, force, torque), key=lambda wrench: wrench[0])
        del self.wrenches[:-1000]
        now = self.time_us
        while self.past and self.past[-1][0] + TICK_US > stamp:
            self.time_us, self.body = self.past.pop()
        while self.time_us < now:
            self.advance()

    def tick(self) -> None:
        self.advance()
        message = Clock()
        message.clock.sec, message.clock.nanosec = self.time_us // 1_000_000, self.time_us % 1_000_000 * 1000
        self.clock.publish(message)
        self.stamp = message.clock
        if self.time_us % 20_000 == 0:
            self.publish_odom()
        if self.time_us % 50_000 == 0:
            self.publish_allocation()
        if self.time_us % 100_000 == 0:
            self.publish_slow()

    def publish_odom(self) -> None:
        if "odom" in self.dropouts:
            return
        message = Odometry()
        message.header.stamp, message.header.frame_id, message.child_frame_id = self.stamp, "world", "alpha/base_link"
        pose, twist = message.pose.pose, message.twist.twist
        pose.position.x, pose.position.y, pose.position.z = self.body.position
        q = pose.orientation
        q.x, q.y, q.z, q.w = self.body.attitude
        at_origin = self.body.in_body(self.body.velocity) - np.cross(self.body.rate, COM)
        twist.linear.x, twist.linear.y, twist.linear.z = at_origin
        twist.angular.x, twist.angular.y, twist.angular.z = self.body.rate
        self.odom.publish(message)

    def publish_allocation(self) -> None:
        message = Allocation(mode=Allocation.MODE_ADAPTIVE, refused=self.refused, refusal=self.refusal)
        message.header.stamp = self.stamp
        active = self.body.force.any() or self.body.torque.any()
        message.state = Allocation.STATE_ACTIVE if active else Allocation.STATE_IDLE
        if self.refusal:
            message.state = Allocation.STATE_REFUSED
        for wrench in (message.commanded, message.allocated, message.achieved):
            wrench.force.x, wrench.force.y, wrench.force.z = self.body.force
            wrench.torque.x, wrench.torque.y, wrench.torque.z = self.body.torque
        self.allocation.publish(message)

    def publish_slow(self) -> None:
        energy = Energy(supercap_soc=0.8, battery_soc=float("nan"), thrust_energy=self.body.energy, pdu=Energy.PDU_ON)
        energy.header.stamp = self.stamp
        self.energy.publish(energy)
        heat = Thermal(name=["CORE", "HULL"], temperature=[31.5, float("nan")], trip=[90.0, 140.0], status=[1, 0])
        heat.header.stamp = self.stamp
        self.thermal.publish(heat)
        state = ThrusterState(open=[True, False], health=[1, 4], working_mass=59.5)
        state.header.stamp = self.stamp
        self.thrusters.publish(state)
        mass = InertiaStamped()
        mass.header.stamp = self.stamp
        inertia = mass.inertia
        inertia.m, inertia.com.z = MASS, COM[2]
        inertia.ixx, inertia.iyy, inertia.izz = INERTIA
        self.mass.publish(mass)

    def diagnose(self) -> None:
        values = {"time": self.time_us * 1e-6, "real_time_factor": 0.98, "scenario": "fake", "paused": self.paused}
        status = DiagnosticStatus(
            name="qiki/sim: simulation", level=DiagnosticStatus.OK, message="paused" if self.paused else "running"
        )
        status.values = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
        self.diagnostics.publish(DiagnosticArray(status=[status]))

    def on_wrench(self, message: Any) -> None:
        force, torque = message.wrench.force, message.wrench.torque
        wanted = np.array([force.x, force.y, force.z])
        if np.abs(wanted).max() > FORCE_MAX:
            self.refused += 1
            self.refusal = f"force.x: {force.x:g} is not allowed; allowed: -{FORCE_MAX:g} to {FORCE_MAX:g} N"
            return
        self.refusal = ""
        stamp = message.header.stamp
        self.put(stamp.sec * 1_000_000 + stamp.nanosec // 1000, wanted, np.array([torque.x, torque.y, torque.z]))

    def on_pause(self, _request: Any, response: Any) -> Any:
        self.paused, response.success, response.message = True, True, "paused at some time"
        return response

    def on_resume(self, _request: Any, response: Any) -> Any:
        self.paused, response.success, self.due = False, True, time.monotonic()
        return response

    def on_reset(self, _request: Any, response: Any) -> Any:
        self.begin()
        self.time_us, response.success = 0, True
        return response

    def on_step(self, request: Any, response: Any) -> Any:
        response.success = self.paused
        if self.paused:
            for _ in range(round(request.duration / TICK)):
                self.tick()
        else:
            response.message = "simulation is running; pause it first"
        response.time = self.time_us * 1e-6
        return response

    def on_speed(self, request: Any, response: Any) -> Any:
        self.speed = request.factor
        response.success, response.factor = True, self.speed
        return response

    def on_load(self, request: Any, response: Any) -> Any:
        response.success = request.path.startswith("/")
        response.message = (
            f"{request.path} {request.seed}" if response.success else f"path: {request.path!r} is not there"
        )
        return response

    def on_fault(self, request: Any, response: Any) -> Any:
        response.success = True
        if request.kind == InjectFault.Request.KIND_CLEAR:
            self.dropouts.clear()
        elif request.kind == InjectFault.Request.KIND_SENSOR_DROPOUT:
            self.dropouts.add(request.target)
        elif not request.target.isdecimal() or int(request.target) > 15:
            response.success, response.message = False, f"target: {request.target!r} is not allowed; allowed: 0 to 15"
        return response


def main() -> None:
    stop = StopSignal()
    rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    fake = Fake()
    executor = make_executor()
    executor.add_node(fake.sim)
    executor.add_node(fake.allocator)
    print("ready", flush=True)
    spin_while(executor, lambda: not stop.is_set)
    executor.shutdown()
    fake.sim.destroy_node()
    fake.allocator.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
