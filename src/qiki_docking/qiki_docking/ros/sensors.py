"""Messages of the own hardware to values, and commands to messages."""

from typing import Any, Final

import numpy as np
from geometry_msgs.msg import InertiaStamped
from geometry_msgs.msg import Pose as PoseMessage
from nav_msgs.msg import Odometry

from qiki_docking.contact import Floats
from qiki_msgs.msg import Allocation, DockCommand, DockSensor, PortCommand, PortSight, PortState, ThrusterState
from qiki_node import stamps
from qiki_vehicle import MassProperties, Pose, port_hardware

_LEVELS: Final = {None: PortCommand.KEEP, True: PortCommand.ON, False: PortCommand.OFF}
_SEEN: Final = {PortState.YES: True, PortState.NO: False}
_STATES: Final = ("contact", "capture", "latch_1", "latch_2", "umbilical", "ground", "contacts_closed", "data_carrier")
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
_AS_IS: Final = -1.0


def fill_dock_command(message: DockCommand, command: port_hardware.DockCommand, ahead: float = 0.0) -> None:
    """Put a command into a message; `ahead`: s that ROS time is ahead of the command's, here and below."""
    stamps.set_nanoseconds(message.header.stamp, round((command.stamp + ahead) * stamps.SECOND))
    message.ports = [_port_command(port) for port in command.ports]
    message.source = command.source
    message.draw = _AS_IS if command.draw is None else _at_most(command.draw)


def _at_most(value: float) -> float:
    """The largest number of 32 bits that is no more: what the budget grants must not be exceeded by rounding."""
    rounded = np.float32(value)
    return float(rounded if float(rounded) <= value else np.nextafter(rounded, np.float32(0.0)))


def _port_command(command: port_hardware.PortCommand) -> PortCommand:
    message = PortCommand(port=command.port, pull=float(command.pull), release=command.release)
    for name in ("capture", "latch", "ground", "precharge", "main", "data"):
        setattr(message, name, _LEVELS[getattr(command, name)])
    message.current_limit = _AS_IS if command.current_limit is None else float(command.current_limit)
    return message


def dock_reading(message: DockSensor, ahead: float = 0.0) -> port_hardware.DockReading:
    """Sensors of the ports. A state that is neither YES nor NO is not known."""
    return port_hardware.DockReading(
        stamps.seconds(message.header.stamp) - ahead,
        tuple(_port_reading(port) for port in message.ports),
        tuple(_sight(sight) for sight in message.sights),
    )


def _port_reading(message: PortState) -> port_hardware.PortReading:
    values: dict[str, Any] = {name: float(getattr(message, name)) for name in _NUMBERS}
    values |= {name: _SEEN.get(getattr(message, name)) for name in _STATES}
    return port_hardware.PortReading(message.port, **values)


def _sight(message: PortSight) -> port_hardware.Sight:
    pose = pose_of(message.pose)
    return port_hardware.Sight(
        message.port, message.target, message.target_port, message.quality, pose.position, pose.orientation
    )


def pose_of(message: PoseMessage) -> Pose:
    """A pose as a value."""
    p, q = message.position, message.orientation
    return Pose(np.array([p.x, p.y, p.z]), np.array([q.x, q.y, q.z, q.w]))


def twist_of(message: Odometry) -> Floats:
    """(6,) m/s and rad/s, in base_link."""
    v, w = message.twist.twist.linear, message.twist.twist.angular
    return np.array([v.x, v.y, v.z, w.x, w.y, w.z])


def mass_of(message: InertiaStamped) -> MassProperties:
    """Mass properties.

    Raises:
        ConfigurationError: naming field, value and allowed range.
    """
    i, com = message.inertia, message.inertia.com
    tensor = [[i.ixx, i.ixy, i.ixz], [i.ixy, i.iyy, i.iyz], [i.ixz, i.iyz, i.izz]]
    return MassProperties(i.m, np.array(tensor), np.array([com.x, com.y, com.z]))


def authority_of(message: Allocation, clusters: list[str]) -> Floats | None:
    """(n,) 0..1, thrust that each thruster can give now by health and heat; None: of another number of thrusters.

    clusters: of the thrusters, by index.
    """
    n = len(clusters)
    if len(message.health) != n or len(message.level) != n:
        return None
    heat = dict(zip(message.clusters, message.heat_factor, strict=False))
    usable = (ThrusterState.HEALTH_OK, ThrusterState.HEALTH_WEAK)
    bounds = [
        float(level) * float(heat.get(cluster, 1.0)) if health in usable else 0.0
        for health, level, cluster in zip(message.health, message.level, clusters, strict=True)
    ]
    shares: Floats = np.clip(np.nan_to_num(np.array(bounds), nan=0.0), 0.0, 1.0)
    return shares
