"""Topics of one bot. Messages are built only for topics with subscribers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from geometry_msgs.msg import InertiaStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import BatteryState

from qiki_msgs.msg import Energy, Thermal, ThrusterCommand, ThrusterState
from qiki_node.qos import COMMAND, STATE, TELEMETRY
from qiki_node.stamps import seconds, set_nanoseconds
from qiki_sim.frames import WORLD, base_link
from qiki_sim.ros import conversions
from qiki_sim.valves import ValveCommand

if TYPE_CHECKING:
    from collections.abc import Callable

    from rclpy.node import Node

    from qiki_sim.world import World

ODOM, THRUSTERS, ENERGY, THERMAL, BATTERY, SUPERCAP, MASS = range(7)


class BotChannel:
    """Publishers and the command subscription of one bot, under `/<bot>/`."""

    def __init__(self, node: Node, bot: str, on_command: Callable[[str, ValveCommand], None]) -> None:
        self._node = node
        self._bot = bot
        self._on_command = on_command
        self._odom = Odometry(child_frame_id=base_link(bot))
        self._odom.header.frame_id = WORLD
        self._topics: list[tuple[Any, Any, Callable[[World], bool]]] = [
            self._topic("odom", self._odom, self._fill_odom),
            self._topic("thruster_state", ThrusterState(), self._fill_thrusters),
            self._topic("energy", Energy(), self._fill_energy),
            self._topic("thermal", Thermal(), self._fill_thermal),
            self._topic("battery", BatteryState(), self._fill_battery),
            self._topic("supercap", BatteryState(), self._fill_supercap),
            self._topic("body/mass_properties", InertiaStamped(), self._fill_mass, STATE),
        ]
        self._commands = node.create_subscription(ThrusterCommand, f"/{bot}/thruster_command", self._take, COMMAND)

    def _topic(
        self, name: str, message: Any, fill: Callable[[World], bool], qos: Any = TELEMETRY
    ) -> tuple[Any, Any, Callable[[World], bool]]:
        publisher = self._node.create_publisher(type(message), f"/{self._bot}/{name}", qos)
        if not message.header.frame_id:
            message.header.frame_id = base_link(self._bot)
        return publisher, message, fill

    def bind(self, world: World) -> None:
        """Begin with a world, or with the same one after a reset."""
        vehicle = world.bot(self._bot).vehicle
        self._topics[THRUSTERS][1].vehicle = vehicle.identity
        sensors = vehicle.sensors
        rates = sensors.rates
        per_topic = (
            rates.odom,
            rates.thruster_state,
            rates.energy,
            rates.thermal,
            rates.battery,
            rates.supercap,
            rates.mass_properties,
        )
        self._period_us = [round(1e6 / rate) for rate in per_topic]
        self._due_us = [world.time_us] * len(per_topic)
        self._published: set[int] = set()
        conversions.set_covariance(self._odom, sensors.noise)
        self._thrust_before = (world.time, world.bot(self._bot).energy.thrust_energy)
        self._valves_before = (world.time, world.bot(self._bot).valves.on_time)

    def publish(self, world: World, stamp: int) -> None:
        """Publish what is due at the world's time. `stamp`: ns."""
        now_us = world.time_us
        for index, due_us in enumerate(self._due_us):
            if now_us < due_us:
                continue
            self._due_us[index] = max(due_us + self._period_us[index], now_us + 1)
            publisher, message, fill = self._topics[index]
            # The last mass properties are latched for later subscribers.
            if (index == MASS or publisher.get_subscription_count()) and fill(world):
                set_nanoseconds(message.header.stamp, stamp)
                publisher.publish(message)
                self._published.add(index)

    def repeat(self) -> None:
        """Publish the last messages again, with their stamps, for subscribers that came since."""
        for index in self._published - {MASS}:
            publisher, message, _ = self._topics[index]
            publisher.publish(message)

    def close(self) -> None:
        for publisher, _, _ in self._topics:
            self._node.destroy_publisher(publisher)
        self._node.destroy_subscription(self._commands)

    def _take(self, message: ThrusterCommand) -> None:
        command = ValveCommand(
            stamp=seconds(message.header.stamp),
            window=message.window,
            open_time=np.asarray(message.open_time, dtype=np.float32),
            close_time=np.asarray(message.close_time, dtype=np.float32),
        )
        self._on_command(self._bot, command)

    # Each fills its message and returns False while the sensor gives nothing.

    def _fill_odom(self, world: World) -> bool:
        reading = world.odom(self._bot)
        if reading is not None:
            conversions.fill_odometry(self._odom, reading)
        return reading is not None

    def _fill_thrusters(self, world: World) -> bool:
        reading = world.valves(self._bot)
        if reading is None:
            return False
        then, before = self._valves_before
        passed = world.time - then
        duty = (reading.on_time - before) / passed if passed > 0.0 else np.zeros(len(before))
        self._valves_before = (world.time, reading.on_time)
        conversions.fill_thruster_state(self._topics[THRUSTERS][1], reading, duty.tolist())
        return True

    def _fill_energy(self, world: World) -> bool:
        reading = world.energy(self._bot)
        if reading is None:
            return False
        then, before = self._thrust_before
        passed = world.time - then
        mean = (reading.thrust_energy - before) / passed if passed > 0.0 else reading.thrust_power
        self._thrust_before = (world.time, reading.thrust_energy)
        conversions.fill_energy(self._topics[ENERGY][1], reading, mean)
        return True

    def _fill_thermal(self, world: World) -> bool:
        reading = world.thermal(self._bot)
        if reading is not None:
            conversions.fill_thermal(self._topics[THERMAL][1], reading)
        return reading is not None

    def _fill_battery(self, world: World) -> bool:
        reading = world.battery(self._bot)
        if reading is not None:
            conversions.fill_battery(self._topics[BATTERY][1], reading, "battery")
        return reading is not None

    def _fill_supercap(self, world: World) -> bool:
        reading = world.supercap(self._bot)
        if reading is not None:
            conversions.fill_battery(self._topics[SUPERCAP][1], reading, "supercap")
        return reading is not None

    def _fill_mass(self, world: World) -> bool:
        conversions.fill_inertia(self._topics[MASS][1], world.mass_properties(self._bot))
        return True
