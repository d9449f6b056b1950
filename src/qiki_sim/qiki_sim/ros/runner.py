"""A world running on the graph: paced by wall time, with the topics of its bots."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rosgraph_msgs.msg import Clock
from visualization_msgs.msg import MarkerArray

from qiki_node.qos import CLOCK, TELEMETRY
from qiki_node.shared_files import shared_file
from qiki_node.stamps import set_nanoseconds
from qiki_sim.occurrences import Watch
from qiki_sim.pacer import Pacer
from qiki_sim.ros.air import AirChannel
from qiki_sim.ros.channels import BotChannel
from qiki_sim.ros.dock import DockChannel
from qiki_sim.ros.markers import MarkerSet
from qiki_sim.ros.transforms import Transforms
from qiki_sim.scenario import TICK_US
from qiki_sim.world import World
from qiki_vehicle import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rclpy.node import Node

    from qiki_sim.air.radio import Transmission
    from qiki_sim.occurrences import Occurrence
    from qiki_sim.valves import ValveCommand
    from qiki_vehicle.port_hardware import DockCommand

TICK = TICK_US * 1e-6
IDLE_PERIOD = 0.1  # s of wall time between two /clock messages while paused: who comes then needs the time too
REPEAT = 5  # of these after which the last telemetry is repeated, for the same reason


def load_world(name: str, seed: int) -> World:
    """The world of a scenario given by path, or by name in qiki_bringup's config/scenarios; seed -1 is the file's.

    Raises:
        ConfigurationError: it is refused.
    """
    try:
        path = shared_file("scenario", name, "scenarios")
    except LookupError as error:
        raise ConfigurationError(str(error)) from error
    return World.from_file(path, None if seed < 0 else seed)


class Runner:
    """Advances a world in ticks of 10 ms and publishes after each; `wall` is monotonic wall time in s throughout."""

    def __init__(
        self,
        node: Node,
        world: World,
        *,
        speed: float,
        marker_rate: float,
        tf_rate: float,
        wall: float,
        on_command: Callable[[str, ValveCommand], None],
        on_dock: Callable[[str, Callable[[], DockCommand]], None],
        on_transmission: Callable[[str, Transmission], None],
        on_occurrence: Callable[[Occurrence], None],
    ) -> None:
        """`on_command` is called with each valve command and the name of its bot, `on_dock` with the name of a body
        and a function that gives the command for its docking hardware, or raises a CommandError;
        `on_transmission` with a transmission and the name of its bot."""
        self._node = node
        self._on_command, self._on_dock = on_command, on_dock
        self._on_transmission, self._on_occurrence = on_transmission, on_occurrence
        self._marker_period_us = round(1e6 / marker_rate)
        self._channels: dict[str, BotChannel] = {}
        self._docks: dict[str, DockChannel] = {}
        self._airs: dict[str, AirChannel] = {}
        self._clock = Clock()
        self._clock_publisher = node.create_publisher(Clock, "/clock", CLOCK)
        self._marker_publisher = node.create_publisher(MarkerArray, "/qiki/markers", TELEMETRY)
        self._transforms = Transforms(node, tf_rate)
        self.pacer = Pacer(TICK, speed, wall)
        self.paused = True
        self._idle_due = wall
        self._idle_looks = 0
        self.begin(world, wall)

    def begin(self, world: World, wall: float) -> None:
        """Go on with this world: a new one, or the same after a reset."""
        self.world = world
        for name in set(self._channels) - set(world.bots):
            self._channels.pop(name).close()
        for name in world.bots:
            if name not in self._channels:
                self._channels[name] = BotChannel(self._node, name, self._on_command)
            self._channels[name].bind(world)
        for name in set(self._docks) - set(world.docks):
            self._docks.pop(name).close()
        for name in world.docks:
            if name not in self._docks:
                self._docks[name] = DockChannel(self._node, name, self._on_dock)
            self._docks[name].bind(world)
        for name in set(self._airs) - set(world.bots):
            self._airs.pop(name).close()
        for name in world.bots:
            if name not in self._airs:
                self._airs[name] = AirChannel(self._node, name, self._on_transmission)
            self._airs[name].bind(world)
        self._watch = Watch(world)
        self._markers = MarkerSet(world)
        self._transforms.bind(world)
        self._markers_due_us = world.time_us
        self.pacer.restart(wall)

    def resume(self, wall: float) -> None:
        self.paused = False
        self.pacer.restart(wall)

    def look(self, wall: float) -> None:
        """Do what is due."""
        if not self.paused:
            due, begin = self.pacer.due(wall), time.monotonic()
            while due:
                self.world.step(TICK)
                self.publish()
                due -= 1
                if time.monotonic() - begin > self.pacer.longest_look:
                    self.pacer.postpone(due)
                    break
        elif wall >= self._idle_due:
            self._idle_due = wall + IDLE_PERIOD
            self._publish_clock()
            self._idle_looks += 1
            if self._idle_looks % REPEAT == 0:
                for channel in self._channels.values():
                    channel.repeat()
                for dock in self._docks.values():
                    dock.repeat()
                self._transforms.repeat(self.world, self.stamp)
                self._publish_markers()

    def step(self, duration: float, goes_on: Callable[[], bool]) -> None:
        """Advance by `duration` s at once, publishing as it goes; it ends early once `goes_on`, asked at each tick, is
        False.

        Raises:
            ValueError: it is not a whole number of physics steps; nothing has changed.
        """
        ticks = int(duration / TICK + 1e-6)
        rest = duration - ticks * TICK
        if rest > 1e-9:
            self.world.step(rest)
            self.publish()
        for _ in range(ticks):
            if not goes_on():
                return
            self.world.step(TICK)
            self.publish()

    @property
    def stamp(self) -> int:
        """ns, of all that is published now. The beginning of a scenario is 1 us: a clock that shows 0 does not run."""
        return max(self.world.time_us, 1) * 1000

    def publish(self) -> None:
        """Publish the clock and what is due at the world's time."""
        self._publish_clock()
        world = self.world
        self._transforms.publish(world, self.stamp)
        for channel in self._channels.values():
            channel.publish(world, self.stamp)
        for dock in self._docks.values():
            dock.publish(world)
        for air in self._airs.values():
            air.publish(world, self.stamp)
        self.report()
        if world.time_us >= self._markers_due_us:
            self._markers_due_us = world.time_us + self._marker_period_us
            self._publish_markers()

    def _publish_markers(self) -> None:
        if self._marker_publisher.get_subscription_count():
            self._marker_publisher.publish(self._markers.update(self.world, self.stamp))

    def report(self) -> None:
        """Report the occurrences since the last call."""
        for occurrence in self._watch.look(self.world):
            self._on_occurrence(occurrence)

    def _publish_clock(self) -> None:
        set_nanoseconds(self._clock.clock, self.stamp)
        self._clock_publisher.publish(self._clock)
