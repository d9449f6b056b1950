"""The docking node of alpha as a core of the rig, in lockstep; hardware and station are here."""

import time
from types import SimpleNamespace

from geometry_msgs.msg import InertiaStamped
from rcl_interfaces.srv import GetParameters
from rclpy.action import ActionClient
from rclpy.qos import QoSProfile
from rig import STEP, Rig
from rosgraph_msgs.msg import Clock

from qiki_docking.bridge import Role
from qiki_docking.core import Output
from qiki_docking.ros import exchange_messages
from qiki_msgs.action import Dock
from qiki_msgs.msg import BridgeState, DockCommand, DockingState, DockSensor, PortCommand, PortState, ThrusterState
from qiki_node import stamps
from qiki_node.executor import spin_until
from qiki_node.qos import COMMAND, STATE, TELEMETRY
from qiki_node.testing import PATIENCE
from qiki_vehicle import port_hardware

NODE = "/alpha/docking"
_SEEN = {None: PortState.UNKNOWN, True: PortState.YES, False: PortState.NO}
_LEVELS = {PortCommand.KEEP: None, PortCommand.ON: True, PortCommand.OFF: False}


class RemoteCore:
    """The core within the node of alpha, with the methods that the rig uses."""

    def __init__(self, peer):
        self.peer, node = peer, peer.node
        self._network = SimpleNamespace(role=Role.RELAY)
        self.states, self.bridges, self.commands = [], [], []
        self._clock = node.create_publisher(Clock, "/clock", QoSProfile(depth=10))
        self._sensor = node.create_publisher(DockSensor, "/alpha/dock/sensor", TELEMETRY)
        self._valves = node.create_publisher(ThrusterState, "/alpha/thruster_state", TELEMETRY)
        self._mass = node.create_publisher(InertiaStamped, "/alpha/body/mass_properties", STATE)
        self._others = node.create_publisher(DockingState, "/station/docking", STATE)
        self._bridges = node.create_publisher(BridgeState, "/station/bridge", STATE)
        node.create_subscription(DockingState, "/alpha/docking", self.states.append, STATE)
        node.create_subscription(BridgeState, "/alpha/bridge", self.bridges.append, STATE)
        node.create_subscription(DockCommand, "/alpha/dock_command", self.commands.append, COMMAND)
        self._greeter = node.create_client(GetParameters, f"{NODE}/get_parameters")
        self.docks = ActionClient(node, Dock, f"{NODE}/dock")

    def meet(self):
        """Wait until the node has found all of this end."""
        peer = self.peer
        peer.wait_until_active(NODE)
        peer.spin_until(self._greeter.service_is_ready)
        peer.spin_until(self.docks.server_is_ready)
        for publisher in (self._clock, self._sensor, self._valves, self._mass, self._others, self._bridges):
            peer.spin_until(lambda publisher=publisher: publisher.get_subscription_count() >= 1)
        peer.meet(f"{NODE}/dock/_action/send_goal")

    @property
    def state(self):
        """The newest state, as a value."""
        return exchange_messages.docking_state(self.states[-1])

    phase = property(lambda self: self.state.phase)

    def energy(self, *_):
        pass

    def reading(self, reading, _now):
        message = DockSensor()
        stamps.set_nanoseconds(message.header.stamp, round(reading.stamp * 1e9))
        for port in reading.ports:
            state = PortState()
            for name, value in vars(port).items():
                setattr(state, name, _SEEN[value] if value is None or isinstance(value, bool) else value)
            message.ports.append(state)
        self._sensor.publish(message)
        valves = ThrusterState(on_time=[0.0] * 16, working_mass=60.0)
        valves.header.stamp = message.header.stamp
        self._valves.publish(valves)
        self.settle()

    def partner(self, state, _now):
        message = DockingState()
        exchange_messages.fill_docking(message, state)
        stamps.set_nanoseconds(message.header.stamp, round(state.stamp * 1e9))
        self._others.publish(message)
        self.settle()

    def bridge(self, status):
        message = BridgeState()
        exchange_messages.fill_bridge(message, status)
        stamps.set_nanoseconds(message.header.stamp, round(status.stamp * 1e9))
        self._bridges.publish(message)

    def step(self, now):
        """Set the clock in steps of 50 ms, and give the messages of the cycle that is due then."""
        for part in (now - STEP / 2.0, now):
            message = Clock()
            stamps.set_nanoseconds(message.clock, round(part * 1e9))
            self._clock.publish(message)
            self._last = message.clock
            self.settle()
        self.peer.spin_until(lambda: bool(self.states))
        state, bridge, command = self.state, self.bridges[-1], self.commands[-1]
        ports = tuple(_port(port) for port in command.ports)
        draw = None if command.draw < 0.0 else command.draw
        dock = port_hardware.DockCommand(now, ports, command.source, draw)
        return Output(dock, None, False, state, exchange_messages.bridge_status(bridge))

    def take_occurrences(self):
        return []

    def publish_impossible(self):
        """A sensor from the future, a mass that is none, and states of the partner that cannot be."""
        early = DockSensor()
        early.header.stamp.sec = 2**31 - 1
        self._sensor.publish(early)
        self._mass.publish(InertiaStamped())
        for publisher, message in (
            (self._others, DockingState(body="station", phase=99)),
            (self._bridges, BridgeState(body="station", role=BridgeState.SOURCE, source_volts=0.0)),
        ):
            message.header.stamp = self._last
            publisher.publish(message)
        self.settle()

    def settle(self):
        """Wait until the node has taken what was sent, in the order of its executor's queue."""
        for _ in range(2):
            answer, end = self._greeter.call_async(GetParameters.Request()), time.monotonic() + PATIENCE
            while not spin_until(self.peer.executor, answer, 1.0):
                assert time.monotonic() < end, "the node does not answer"


def _port(message):
    levels = {
        name: _LEVELS[getattr(message, name)] for name in ("capture", "latch", "ground", "precharge", "main", "data")
    }
    limit = None if message.current_limit < 0.0 else message.current_limit
    return port_hardware.PortCommand(
        message.port, **levels, current_limit=limit, pull=message.pull, release=message.release
    )


class Bench(Rig):
    """Alpha's node seated at port A of a station. options: of the station's core, as `station=`."""

    def __init__(self, peer, **options):
        self.remote = RemoteCore(peer)
        roles = {"station": Role.SOURCE, "alpha": Role.RELAY}
        super().__init__(roles, [("alpha", "B", "station", "A")], delay=0.0, **options)
        self.peer = peer
        self.remote.meet()

    def make(self, name, **options):
        return self.remote if name == "alpha" else super().make(name, **options)

    def goal(self, **fields):
        """Send a goal; its handle, feedback and result."""
        return Goal(self, Dock.Goal(**{"partner": "station", "partner_port": "A", "own_port": "B", **fields}))


class Goal:
    """A goal that was accepted by the server."""

    def __init__(self, bench, goal):
        self.feedback = []
        remote = bench.remote
        sent = remote.docks.send_goal_async(goal, feedback_callback=lambda one: self.feedback.append(one.feedback))
        bench.peer.spin_until(sent.done)
        self.handle = sent.result()
        assert self.handle.accepted
        self._result = self.handle.get_result_async()
        self._bench = bench

    @property
    def is_done(self):
        return self._result.done()

    def result(self):
        """Run until the goal has ended."""
        self._bench.run(lambda _: self.is_done)
        return self._result.result().result
