"""Docking topics of one body: `dock_command` in, `dock/sensor` out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qiki_msgs.msg import DockCommand, DockSensor, PortCommand, PortSight, PortState
from qiki_node.qos import COMMAND, TELEMETRY
from qiki_node.stamps import seconds, set_nanoseconds
from qiki_sim.frames import base_link
from qiki_sim.ros.conversions import fill_vector
from qiki_sim.valves import CommandError
from qiki_vehicle import port_hardware

if TYPE_CHECKING:
    from collections.abc import Callable

    from rclpy.node import Node

    from qiki_sim.world import World

_LEVELS: Final = {PortCommand.KEEP: None, PortCommand.ON: True, PortCommand.OFF: False}
_SEEN: Final = {None: PortState.UNKNOWN, True: PortState.YES, False: PortState.NO}
_ACTUATORS: Final = ("capture", "latch", "ground", "precharge", "main", "data")
_NUMBERS: Final = (
    "quality",
    "pull_force",
    "slip_1",
    "slip_2",
    "temperature",
    "isolation",
    "outer_volts",
    "inner_volts",
    "current",
)
_STATES: Final = ("contact", "capture", "latch_1", "latch_2", "umbilical", "ground", "contacts_closed", "data_carrier")


def dock_command(message: DockCommand) -> port_hardware.DockCommand:
    """The command of a message.

    Raises:
        CommandError: a level that is none, naming field, value and allowed values.
    """
    return port_hardware.DockCommand(
        seconds(message.header.stamp),
        tuple(_port_command(index, port) for index, port in enumerate(message.ports)),
        bool(message.source),
        _level(message.draw),
    )


def _port_command(index: int, message: PortCommand) -> port_hardware.PortCommand:
    levels = {}
    for name in _ACTUATORS:
        value = getattr(message, name)
        if value not in _LEVELS:
            raise CommandError(f"ports[{index}].{name} = {value}; allowed: 0 (KEEP), 1 (ON), 2 (OFF)")
        levels[name] = _LEVELS[value]
    return port_hardware.PortCommand(
        message.port,
        **levels,
        current_limit=_level(message.current_limit),
        pull=float(message.pull),
        release=bool(message.release),
    )


def _level(value: float) -> float | None:
    """None below 0: as it is. NaN stays, for the hardware to refuse."""
    return None if value < 0.0 else float(value)


def fill_sensor(message: DockSensor, reading: port_hardware.DockReading) -> None:
    """Put a reading into a message. Its stamp, which may lie before the time of publication, is the measurement's."""
    # As the clock, which begins at 1 us.
    set_nanoseconds(message.header.stamp, max(round(reading.stamp * 1e9), 1000))
    message.ports = [_port_state(port) for port in reading.ports]
    message.sights = [_sight(sight) for sight in reading.sights]


def _port_state(reading: port_hardware.PortReading) -> PortState:
    message = PortState(port=reading.port)
    for name in _STATES:
        setattr(message, name, _SEEN[getattr(reading, name)])
    for name in _NUMBERS:
        setattr(message, name, float(getattr(reading, name)))
    return message


def _sight(sight: port_hardware.Sight) -> PortSight:
    message = PortSight(
        port=sight.port, target=sight.target, target_port=sight.target_port, quality=float(sight.quality)
    )
    fill_vector(message.pose.position, sight.position)
    fill_vector(message.pose.orientation, sight.orientation)
    return message


class DockChannel:
    """Publisher and command subscription of the docking ports of a bot or another body, under `/<body>/`.

    Args:
        on_command: called with the body and a function that gives its command, or raises a CommandError.
    """

    def __init__(
        self, node: Node, body: str, on_command: Callable[[str, Callable[[], port_hardware.DockCommand]], None]
    ) -> None:
        self._node, self._body = node, body
        self._on_command = on_command
        self._message = DockSensor()
        self._message.header.frame_id = base_link(body)
        self._publisher = node.create_publisher(DockSensor, f"/{body}/dock/sensor", TELEMETRY)
        self._commands: Any = node.create_subscription(DockCommand, f"/{body}/dock_command", self._take, COMMAND)

    def bind(self, world: World) -> None:
        """Begin with a world, or with the same one after a reset."""
        self._period_us = round(1e6 / world.docking.of(self._body).vehicle.sensors.rates.dock)
        self._due_us = world.time_us
        self._published = False

    def publish(self, world: World) -> None:
        """Publish what is due at the world's time; nothing while the sensor gives nothing."""
        if world.time_us < self._due_us:
            return
        self._due_us = max(self._due_us + self._period_us, world.time_us + 1)
        if not self._publisher.get_subscription_count():
            return
        reading = world.dock(self._body)
        if reading is not None:
            fill_sensor(self._message, reading)
            self._publisher.publish(self._message)
            self._published = True

    def repeat(self) -> None:
        """Publish the last message again, with its stamp, for subscribers that came since."""
        if self._published:
            self._publisher.publish(self._message)

    def close(self) -> None:
        self._node.destroy_publisher(self._publisher)
        self._node.destroy_subscription(self._commands)

    def _take(self, message: DockCommand) -> None:
        self._on_command(self._body, partial(dock_command, message))
