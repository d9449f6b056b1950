"""Messages of a docked assembly, to values and from values."""

from array import array
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Vector3
from geometry_msgs.msg import Pose as PoseMessage

from qiki_allocator.allocation.thrusters import Floats, ThrusterArray
from qiki_allocator.checks import RefusalError, refusing
from qiki_allocator.docked.members import Assembly, Joint, MemberReport, PortFace
from qiki_allocator.health.table import ThrusterHealth
from qiki_allocator.limits.energy_gate import Gate
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_allocator.modulation.valves import ValveTiming
from qiki_allocator.ros import conversions
from qiki_msgs.msg import AssemblyJoint, AssemblyMember, ThrusterCommand
from qiki_node import stamps
from qiki_vehicle import MassProperties, Pose

_UNIT = 1e-3
"""By which the length of a port's axis may miss 1."""

_TIMES = ("min_on", "min_off", "max_burn", "cooldown")


def fill_member(message: AssemblyMember, report: MemberReport, com: Floats) -> None:
    """Put a report into a message, all but the header."""
    message.body, message.lead = report.body, report.lead
    message.positions = [_point(position) for position in report.array.positions]
    message.directions = [_vector(direction) for direction in report.array.directions]
    message.max_forces = array("d", report.array.f_max.tolist())
    message.clusters = list(report.array.clusters)
    message.watts_per_newton = array("d", report.watts.tolist())
    for name in _TIMES:
        setattr(message, name, getattr(report.timing, name))
    message.mass, message.com = report.mass.mass, _vector(com)
    message.inertia = report.mass.inertia.ravel()
    message.hull_radius = report.hull_radius
    message.ports = [port.name for port in report.ports]
    message.port_positions = [_point(port.position) for port in report.ports]
    message.port_axes = [_vector(port.axis) for port in report.ports]
    message.health = array("B", [conversions.HEALTH[one.condition] for one in report.health])
    message.level = array("d", [one.level for one in report.health])
    message.bounds = array("d", report.bounds.tolist())
    message.limits = list(report.names)
    message.power = report.power
    message.gate, message.gate_reason = report.gate.value, report.reason


def member(message: AssemblyMember, ahead: float) -> MemberReport:
    """A report as a value; `ahead`: s that ROS time is ahead of that of the value.

    Raises:
        RefusalError: naming the field that cannot be.
    """
    n = len(message.positions)
    for name in ("directions", "max_forces", "clusters", "watts_per_newton", "health", "level", "bounds", "limits"):
        if len(getattr(message, name)) != n:
            raise RefusalError(f"{name}: {len(getattr(message, name))} values; allowed: {n}, one for each thruster")
    if not len(message.ports) == len(message.port_positions) == len(message.port_axes):
        raise RefusalError(f"port_positions, port_axes: allowed: {len(message.ports)} values, one for each port")
    watts, bounds, level = (np.array(getattr(message, name)) for name in ("watts_per_newton", "bounds", "level"))
    for name, values, most in (("bounds", bounds, 1.0), ("level", level, 1.0), ("watts_per_newton", watts, 1e6)):
        if not ((values >= 0.0) & (values <= most)).all():
            raise RefusalError(f"{name}: {values.tolist()}; allowed: 0 to {most:g}")
    for name in ("power", "hull_radius"):
        if not 0.0 <= getattr(message, name) < np.inf:
            raise RefusalError(f"{name}: {getattr(message, name)}; allowed: finite, at least 0")
    if message.gate not in list(Gate):
        raise RefusalError(f"gate: {message.gate!r}; allowed: {', '.join(Gate)}")
    health = []
    for value, share in zip(message.health, level.tolist(), strict=True):
        if int(value) not in conversions.CONDITIONS:
            raise RefusalError(f"health: {value}; allowed: {', '.join(map(str, conversions.CONDITIONS))}")
        health.append(ThrusterHealth(conversions.CONDITIONS[int(value)], share))
    with refusing():
        com = _numbers(message.com)
        return MemberReport(
            body=message.body,
            time=stamps.seconds(message.header.stamp) - ahead,
            lead=message.lead,
            array=ThrusterArray(
                [_numbers(position) for position in message.positions],
                [_numbers(direction) for direction in message.directions],
                np.array(message.max_forces),
                list(message.clusters),
                com,
            ),
            watts=watts,
            timing=ValveTiming(*(getattr(message, name) for name in _TIMES)),
            mass=MassProperties(message.mass, np.array(message.inertia).reshape(3, 3), np.array(com)),
            hull_radius=message.hull_radius,
            ports=tuple(
                _face(name, _numbers(position), _numbers(axis))
                for name, position, axis in zip(message.ports, message.port_positions, message.port_axes, strict=True)
            ),
            health=tuple(health),
            bounds=bounds,
            names=tuple(message.limits),
            power=message.power,
            gate=Gate(message.gate),
            reason=message.gate_reason,
        )


def fill_assembly(message: Any, assembly: Assembly, body: MassProperties) -> None:
    """Put an assembly and its mass properties into a message, all but header and joints."""
    message.lead, message.members = assembly.lead, list(assembly.names)
    message.poses = [_pose(pose) for pose in assembly.poses.values()]
    message.mass, message.com = body.mass, _vector(body.com)
    message.inertia = body.inertia.ravel()
    message.thrusters = len(assembly)


def joint(message: AssemblyJoint) -> Joint:
    """A joint as a value."""
    return Joint(message.body, message.port, message.partner, message.partner_port, message.roll)


def edges(message: ThrusterCommand, ahead: float) -> tuple[str, ValveCommand]:
    """The body that a valve command comes from, by its frame, and the command."""
    start = stamps.seconds(message.header.stamp) - ahead
    lead = message.header.frame_id.partition("/")[0]
    command = ValveCommand(start, message.window, np.array(message.open_time), np.array(message.close_time))
    return lead, command


def _face(name: str, position: tuple[float, float, float], axis: tuple[float, float, float]) -> PortFace:
    if not np.isfinite(position).all() or not abs(np.linalg.norm(axis) - 1.0) <= _UNIT:
        raise RefusalError(f"port {name!r}: {position} m, {axis}; allowed: finite, axis of length 1")
    return PortFace(name, position, axis)


def _numbers(vector: Any) -> tuple[float, float, float]:
    return vector.x, vector.y, vector.z


def _point(vector: Any) -> Point:
    x, y, z = map(float, vector)
    return Point(x=x, y=y, z=z)


def _vector(vector: Any) -> Vector3:
    x, y, z = map(float, vector)
    return Vector3(x=x, y=y, z=z)


def _pose(pose: Pose) -> PoseMessage:
    message = PoseMessage(position=_point(pose.position))
    q = message.orientation
    q.x, q.y, q.z, q.w = pose.orientation.tolist()
    return message
