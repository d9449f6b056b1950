"""Messages to values and values to messages."""

from array import array
from typing import Any

import numpy as np
from geometry_msgs.msg import InertiaStamped, Point, Vector3, Wrench
from nav_msgs.msg import Odometry

from qiki_allocator.allocation.thrusters import Floats, ThrusterArray
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_allocator.flight.profile import Outcome, ProfileResult
from qiki_allocator.flight.telemetry import Activity, Mode, State, Telemetry
from qiki_allocator.groups.thrust_groups import ThrustGroup
from qiki_allocator.health.readings import MotionReading, ValveReading
from qiki_allocator.health.table import Condition
from qiki_allocator.limits.energy_gate import EnergyReading
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_msgs.action import ExecuteThrustProfile
from qiki_msgs.msg import Allocation, Energy, Thermal, ThrusterCommand, ThrusterState
from qiki_msgs.msg import ThrustGroup as ThrustGroupMessage
from qiki_msgs.srv import SetAttitudeMode
from qiki_node import stamps
from qiki_vehicle import MassProperties

STATES = {
    State.IDLE: Allocation.STATE_IDLE,
    State.ACTIVE: Allocation.STATE_ACTIVE,
    State.WATCHDOG: Allocation.STATE_WATCHDOG,
    State.STOPPED: Allocation.STATE_STOPPED,
    State.REFUSED: Allocation.STATE_REFUSED,
    State.FOLLOWING: Allocation.STATE_FOLLOWING,
}

MODES = {
    Mode.AUTO: Allocation.MODE_AUTO,
    Mode.ADAPTIVE: Allocation.MODE_ADAPTIVE,
    Mode.MANUAL_OVERRIDE: Allocation.MODE_MANUAL_OVERRIDE,
}

ACTIVITIES = {
    Activity.NONE: Allocation.ACTIVITY_NONE,
    Activity.COMMAND: Allocation.ACTIVITY_COMMAND,
    Activity.PROFILE: Allocation.ACTIVITY_PROFILE,
    Activity.BRAKE: Allocation.ACTIVITY_BRAKE,
    Activity.LEVELS: Allocation.ACTIVITY_LEVELS,
}

ATTITUDE_MODES = {
    AttitudeMode.OFF: SetAttitudeMode.Request.OFF,
    AttitudeMode.DAMP: SetAttitudeMode.Request.DAMP,
    AttitudeMode.HOLD: SetAttitudeMode.Request.HOLD,
}

OUTCOMES = {
    Outcome.EXECUTED: ExecuteThrustProfile.Result.EXECUTED,
    Outcome.FAILED: ExecuteThrustProfile.Result.FAILED,
    Outcome.CANCELED: ExecuteThrustProfile.Result.CANCELED,
    Outcome.TIMEOUT: ExecuteThrustProfile.Result.TIMEOUT,
}

CONDITIONS = {
    ThrusterState.HEALTH_OK: Condition.OK,
    ThrusterState.HEALTH_STUCK_CLOSED: Condition.DEAD,
    ThrusterState.HEALTH_STUCK_OPEN: Condition.STUCK_OPEN,
    ThrusterState.HEALTH_WEAK: Condition.WEAK,
}

HEALTH = {condition: value for value, condition in CONDITIONS.items()}


def from_wrench(message: Wrench) -> Floats:
    """(6,) N and N m."""
    f, t = message.force, message.torque
    return np.array([f.x, f.y, f.z, t.x, t.y, t.z])


def fill_wrench(message: Wrench, wrench: Floats) -> None:
    """Put (6,) N and N m into a message."""
    f, t = message.force, message.torque
    f.x, f.y, f.z, t.x, t.y, t.z = wrench.tolist()


def fill_command(message: ThrusterCommand, command: ValveCommand, ahead: float = 0.0) -> None:
    """Put a valve command into a message; `ahead`: s that ROS time is ahead of the command's."""
    stamps.set_nanoseconds(message.header.stamp, round((command.start + ahead) * stamps.SECOND))
    message.window = command.window
    message.open_time = array("f", command.open_time.tolist())
    message.close_time = array("f", command.close_time.tolist())


def fill_allocation(message: Allocation, telemetry: Telemetry) -> None:
    """Put all but the header into a message."""
    answer, limits = telemetry.allocation, telemetry.limits
    message.mode = MODES[telemetry.mode]
    message.state = STATES[telemetry.state]
    message.activity = ACTIVITIES[telemetry.activity]
    message.attitude_mode = ATTITUDE_MODES[telemetry.attitude_mode]
    message.modulator = telemetry.modulator
    message.refusal = telemetry.refusal
    message.refused = telemetry.refused
    way = telemetry.way
    message.commands, message.lead, message.longest_pause = way.commands, way.lead, way.longest_pause
    message.commands_read = -1 if way.commands_read is None else way.commands_read
    message.late_edges = -1 if way.late_edges is None else way.late_edges
    fill_wrench(message.commanded, telemetry.commanded)
    fill_wrench(message.allocated, answer.wrench)
    fill_wrench(message.achieved, telemetry.achieved)
    fill_wrench(message.residual, answer.residual)
    message.forces = array("f", answer.forces.tolist())
    message.scale = answer.scale
    message.margin = answer.margin
    message.binding = list(telemetry.binding)
    message.power = answer.power
    message.power_now = telemetry.power_now
    message.power_mean = telemetry.power_mean
    message.energy = telemetry.energy
    message.duty = array("f", telemetry.duty.tolist())
    message.firings = array("I", telemetry.firings.tolist())
    message.solve_time = telemetry.solve_time
    message.primal_violation = answer.certificate.primal_violation
    message.duality_gap = answer.certificate.gap
    message.gate = limits.energy.gate.value
    message.gate_reason = limits.energy.reason
    message.power_limit = limits.energy.power_limit
    message.clusters = list(limits.heat.by_cluster)
    message.cluster_temperature = array("f", limits.heat.temperature.values())
    message.heat_factor = array("f", limits.heat.by_cluster.values())
    message.health = array("B", [HEALTH[condition] for condition in telemetry.conditions])
    message.inhibit = array("f", limits.inhibition.factor.tolist())
    message.inhibit_reason = limits.inhibition.reason
    message.level = array("f", telemetry.levels.tolist())
    message.uncontrollable = list(telemetry.uncontrollable)
    message.authority = array("f", telemetry.authority.values())
    message.warnings = list(telemetry.warnings)


def motion(message: Odometry, ahead: float = 0.0) -> MotionReading:
    """Odometry as a value; `ahead`: s that ROS time is ahead of that of the value, here and below."""
    q, v, w = message.pose.pose.orientation, message.twist.twist.linear, message.twist.twist.angular
    return MotionReading(
        stamps.seconds(message.header.stamp) - ahead,
        np.array([q.x, q.y, q.z, q.w]),
        np.array([v.x, v.y, v.z]),
        np.array([w.x, w.y, w.z]),
    )


def energy(message: Energy, ahead: float = 0.0) -> EnergyReading:
    """Energy telemetry as a value."""
    is_tripped = message.pdu == Energy.PDU_TRIPPED
    time = stamps.seconds(message.header.stamp) - ahead
    return EnergyReading(time, message.supercap_soc, message.continuous_power, tripped=is_tripped)


def temperatures(message: Thermal) -> dict[str, float]:
    """degC by node."""
    return dict(zip(message.name, message.temperature, strict=False))


def valves(message: ThrusterState, n: int, ahead: float = 0.0) -> ValveReading:
    """Report of n valves as a value; without conditions if their number is another."""
    conditions = tuple(CONDITIONS.get(int(value)) for value in message.health)
    return ValveReading(
        stamps.seconds(message.header.stamp) - ahead,
        message.on_time,
        conditions if len(conditions) == n else (None,) * n,
        forced_closed=message.watchdog or message.working_mass <= 0.0,
        is_empty=message.working_mass <= 0.0,
        is_open=tuple(message.open) if len(message.open) == n else None,
        late_edges=message.late_edges,
        commands=message.commands,
    )


def body(message: InertiaStamped) -> MassProperties:
    """Mass properties.

    Raises:
        ConfigurationError: naming field, value and allowed range.
    """
    i, com = message.inertia, message.inertia.com
    tensor = [[i.ixx, i.ixy, i.ixz], [i.ixy, i.iyy, i.iyz], [i.ixz, i.iyz, i.izz]]
    return MassProperties(i.m, np.array(tensor), np.array([com.x, com.y, com.z]))


def group(value: ThrustGroup) -> ThrustGroupMessage:
    """A thrust group as a message."""
    message = ThrustGroupMessage(name=value.name, note=value.note)
    message.thrusters = array("I", value.thrusters)
    message.levels = array("f", value.levels.tolist())
    fill_wrench(message.wrench, value.wrench)
    message.parasitic_torque, message.power = value.parasitic_torque, value.power
    return message


def fill_geometry(message: Any, thrusters: ThrusterArray, hull_radius: float) -> None:
    """Put thrusters and the radius (m) of the sphere around the hull into a response of ListGroups."""
    message.positions = [Point(**_components(position)) for position in thrusters.positions]
    message.directions = [Vector3(**_components(direction)) for direction in thrusters.directions]
    message.max_forces = array("d", thrusters.f_max.tolist())
    message.clusters = list(thrusters.clusters)
    message.com = Point(**_components(thrusters.com))
    message.hull_radius = hull_radius


def _components(vector: Floats) -> dict[str, float]:
    return dict(zip("xyz", vector.tolist(), strict=True))


def fill_progress(message: Any, result: ProfileResult, duration: float) -> None:
    """Put the progress of a profile into a feedback message."""
    message.progress = min(result.elapsed / duration, 1.0)
    message.segment = result.segment
    fill_wrench(message.impulse, result.delivered)
    message.energy = result.energy


def profile_result(result: ProfileResult) -> Any:
    """The result of a profile as a message."""
    message = ExecuteThrustProfile.Result(reason=result.reason, segment=result.segment, elapsed=result.elapsed)
    message.outcome = OUTCOMES[result.outcome] if result.outcome else ExecuteThrustProfile.Result.FAILED
    fill_wrench(message.impulse, result.delivered)
    message.energy = result.energy
    return message
