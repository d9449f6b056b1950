"""QIKI's messages as plain values of `qiki_console.model`."""

from collections.abc import Iterable
from math import inf, isnan
from typing import Any

import numpy as np
from geometry_msgs.msg import InertiaStamped, Point, Vector3, Wrench
from nav_msgs.msg import Odometry

from qiki_console.model.bridge import ROLES, SWITCHGEAR, BridgeEdgeStatus, BridgeStatus
from qiki_console.model.docking import DockingStatus, Feedback, phase_name, profile_name
from qiki_console.model.group_picture import Geometry, Group
from qiki_console.model.snapshot import AllocationStatus, HottestNode, Motion, Power, Quaternion, Thrusters, Vector
from qiki_msgs.msg import (
    Allocation,
    BridgeEdge,
    BridgeState,
    DockingState,
    Energy,
    Thermal,
    ThrusterState,
    ThrustGroup,
)
from qiki_msgs.srv import ListGroups
from qiki_vehicle import MassProperties


def vector(message: Vector3 | Point) -> Vector:
    """x, y, z."""
    return (message.x, message.y, message.z)


def wrench(message: Wrench) -> tuple[Vector, Vector]:
    """Force (N) and torque (N m)."""
    return vector(message.force), vector(message.torque)


def constant_name(kind: Any, prefix: str, value: int) -> str:
    """The name of an enumeration's value without its prefix, `UNKNOWN (7)` for a value it does not have."""
    for name in _constants(kind):
        if name.startswith(prefix) and getattr(kind, name) == value:
            return name.removeprefix(prefix)
    return f"UNKNOWN ({value})"


def _constants(kind: Any) -> Iterable[str]:
    # Generated classes keep their constants in the metaclass.
    return (name for name in dir(type(kind)) if name.isupper())


def motion(message: Odometry) -> Motion:
    """Motion of base_link."""
    pose, twist = message.pose.pose, message.twist.twist
    q = pose.orientation
    orientation: Quaternion = (q.x, q.y, q.z, q.w)
    return Motion(vector(pose.position), orientation, vector(twist.linear), vector(twist.angular))


def power(message: Energy) -> Power:
    """Energy and power of a bot."""
    return Power(
        supercap_soc=message.supercap_soc,
        battery_soc=message.battery_soc,
        thrust_power=message.thrust_power_mean,
        thrust_energy=message.thrust_energy,
        pdu=constant_name(Energy, "PDU_", message.pdu),
        pdu_trips=message.pdu_trips,
    )


def hottest(message: Thermal) -> HottestNode | None:
    """The hottest thermal node, None if no temperature is known."""
    nodes = [
        HottestNode(name, temperature, trip, constant_name(Thermal, "STATUS_", status))
        for name, temperature, trip, status in zip(
            message.name, message.temperature, message.trip, message.status, strict=False
        )
    ]
    found = max(nodes, key=lambda node: -inf if isnan(node.temperature) else node.temperature, default=None)
    return None if found is None or isnan(found.temperature) else found


def thrusters(message: ThrusterState) -> Thrusters:
    """Valves and propellant."""
    return Thrusters(message.working_mass, sum(message.open), _unhealthy(message.health), message.watchdog)


def _unhealthy(health: Iterable[int]) -> dict[int, str]:
    fine = (ThrusterState.HEALTH_OK, ThrusterState.HEALTH_UNKNOWN)
    return {
        index: constant_name(ThrusterState, "HEALTH_", value) for index, value in enumerate(health) if value not in fine
    }


def allocation(message: Allocation) -> AllocationStatus:
    """Last report of the allocator."""
    return AllocationStatus(
        state=constant_name(Allocation, "STATE_", message.state),
        mode=constant_name(Allocation, "MODE_", message.mode),
        refusal=message.refusal,
        commanded=wrench(message.commanded),
        achieved=wrench(message.achieved),
        unhealthy=_unhealthy(message.health),
        modulator=message.modulator,
    )


def group(message: ThrustGroup) -> Group:
    """A thrust group."""
    total = np.concatenate(wrench(message.wrench))
    return Group(message.name, np.asarray(message.levels, dtype=float), total, message.power, message.note)


def geometry(message: ListGroups.Response) -> Geometry:
    """Thrusters and hull of a bot."""
    return Geometry(
        positions=np.array([vector(position) for position in message.positions]),
        directions=np.array([vector(direction) for direction in message.directions]),
        max_forces=np.asarray(message.max_forces),
        clusters=tuple(message.clusters),
        com=np.array(vector(message.com)),
        hull_radius=message.hull_radius,
    )


def body(message: InertiaStamped) -> MassProperties:
    """Mass properties.

    Raises:
        ConfigurationError: they are impossible.
    """
    i = message.inertia
    inertia = np.array([[i.ixx, i.ixy, i.ixz], [i.ixy, i.iyy, i.iyz], [i.ixz, i.iyz, i.izz]])
    return MassProperties(i.m, inertia, np.array(vector(i.com)))


def docking(message: DockingState) -> DockingStatus:
    """State of a body's docking."""
    return DockingStatus(
        phase=phase_name(message.phase),
        step=message.step,
        partner=message.partner,
        partner_port=message.partner_port,
        own_port=message.own_port,
        profile=profile_name(message.profile),
        active=message.active,
        tries=message.tries,
        range=message.range,
        closing=message.closing,
        reason=message.reason,
        text=message.text,
        partner_identity=message.partner_identity,
    )


def feedback(message: Any) -> Feedback:
    """Progress of a docking, from the feedback of its action."""
    return Feedback(
        docking_id=message.docking_id,
        phase=phase_name(message.phase),
        step=message.step,
        range=message.range,
        closing=message.closing,
        margins=tuple(map(float, message.margins)),
        checks=tuple(message.checks),
        tries=message.tries,
    )


def bridge(message: BridgeState) -> BridgeStatus:
    """A body's part of the network of bridges."""
    return BridgeStatus(
        role=named(ROLES, message.role),
        source=message.source,
        depth=message.depth,
        source_volts=message.source_volts,
        source_power=message.source_power,
        loads=tuple(zip(message.loads, map(float, message.wanted), map(float, message.served), strict=False)),
        edges=tuple(map(_edge, message.edges)),
        shed=tuple(message.shed),
        data_peers=tuple(message.data_peers),
        commanders=tuple(message.commanders),
    )


def _edge(message: BridgeEdge) -> BridgeEdgeStatus:
    return BridgeEdgeStatus(
        name=message.name,
        port=message.port,
        partner=message.partner,
        partner_port=message.partner_port,
        profile=profile_name(message.profile),
        state=named(SWITCHGEAR, message.state),
        fault=message.fault,
        volts=message.volts,
        current=message.current,
        expected=message.expected,
        temperature=message.temperature,
    )


def named(names: tuple[str, ...], value: int) -> str:
    """Name of a number; one without a name is `UNKNOWN (9)`."""
    return names[value] if 0 <= value < len(names) else f"UNKNOWN ({value})"
