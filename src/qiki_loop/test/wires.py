"""The nodes' ROS adapters connected by messages in one process: what the closed loop must be equal to."""

from types import SimpleNamespace

from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message, serialize_message

from qiki_allocator.ros import conversions
from qiki_allocator.ros.inputs import Inputs
from qiki_msgs.msg import ThrusterCommand
from qiki_sim.ros.channels import BotChannel

TICK_US = 10_000


class Wires:
    """Topics by full name. A message arrives at once, as it is after its way through the wire."""

    def __init__(self, namespace=""):
        self.namespace = namespace
        self.callbacks = {}

    def at(self, namespace):
        """The same topics for a node in a namespace."""
        node = Wires(namespace)
        node.callbacks = self.callbacks
        return node

    def _topic(self, name):
        return name if name.startswith("/") else f"/{self.namespace}/{name}"

    def create_subscription(self, _kind, name, callback, _qos):
        self.callbacks.setdefault(self._topic(name), []).append(callback)

    def create_publisher(self, kind, name, _qos):
        listeners = self.callbacks.setdefault(self._topic(name), [])

        def publish(message):
            for callback in listeners:
                callback(deserialize_message(serialize_message(message), kind))

        return SimpleNamespace(publish=publish, get_subscription_count=lambda: len(listeners))


class Ground:
    """A simulator on wires, stepped by hand."""

    def __init__(self, world, wires):
        self.world = world
        self.commands = []
        self._channels = [BotChannel(wires, bot, self._command) for bot in world.bots]
        for channel in self._channels:
            channel.bind(world)

    def _command(self, bot, command):
        self.commands.append((bot, self.world.time_us, command))
        self.world.command(bot, command)

    def publish(self):
        for channel in self._channels:
            channel.publish(self.world, max(self.world.time_us, 1) * 1000)

    def step(self):
        self.world.step(TICK_US * 1e-6)
        self.publish()


class Allocator:
    """An allocator on wires: its inputs and its commands, and timers as those of its node."""

    def __init__(self, controller, bot, wires, *, world, period_us, telemetry_us=50_000):
        self.controller, self.world = controller, world
        self.own, self.act_own = controller, self.act
        self._base_link = f"{bot}/base_link"
        self.log = SimpleNamespace(info=lambda *_, **__: None)
        self.occurrences = []
        self._period_us, self._telemetry_us = period_us, telemetry_us
        self._due_us, self._telemetry_due_us = None, world.time_us + telemetry_us
        node = wires.at(bot)
        self.create_subscription = node.create_subscription
        self._commands = node.create_publisher(ThrusterCommand, "thruster_command", None)
        self._message = ThrusterCommand()
        self.clock_runs, self.time = True, SimpleNamespace(ahead=0.0)
        self._inputs = Inputs(self, world.bot(bot).vehicle.identity, lambda _: None)

    clock_runs = True

    def check_frame(self, frame):
        assert frame == self._base_link

    def seconds(self):
        seconds, rest = divmod(self.world.time_us, 1_000_000)
        now = Time(sec=seconds, nanosec=rest * 1000)
        return (now.sec * 1_000_000_000 + now.nanosec) * 1e-9

    def report(self):
        self.occurrences += self.controller.journal.take()

    def act(self, command):
        self._send(command)
        self.wake()
        self.report()

    def wake(self):
        if self._due_us is None and self.controller.is_active:
            self._due_us = self.world.time_us + self._period_us

    def _send(self, command):
        if command is not None:
            conversions.fill_command(self._message, command)
            self._commands.publish(self._message)

    def run_timers(self):
        now_us = self.world.time_us
        if self._due_us is not None and now_us >= self._due_us:
            self._due_us += self._period_us
            self._send(self.controller.tick(self.seconds()))
            if not self.controller.is_active:
                self._due_us = None
            self.report()
        if now_us >= self._telemetry_due_us:
            self._telemetry_due_us += self._telemetry_us
            self.controller.telemetry(self.seconds())
            self.report()
