"""The types of events that QIKI knows.

Changing a schema: keep the old message in its `.proto` file, add the new one, move the type into `_EVOLVED` with both
classes and a function from the old mapping to the new one, and add an example to test/golden (see test_schemas.py).
"""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.message import Message

from qiki_eventstore.proto import (
    agent_pb2,
    alarm_pb2,
    allocator_pb2,
    docking_pb2,
    launch_pb2,
    operator_pb2,
    recording_pb2,
    simulator_pb2,
)
from qiki_eventstore.registry import Registry, Schema

VERDICTS: Final = ("command.accepted", "command.executed", "command.rejected", "command.failed", "command.timeout")

_FIRST_VERSIONS: Final[dict[str, type[Message]]] = {
    "agent.lifecycle_changed": agent_pb2.LifecycleChanged,
    "agent.mode_changed": agent_pb2.AgentModeChanged,
    "agent.safe_mode_entered": agent_pb2.SafeModeEntered,
    "agent.safe_mode_left": agent_pb2.SafeModeLeft,
    "alarm.acknowledged": alarm_pb2.AlarmAcknowledged,
    "alarm.cleared": alarm_pb2.AlarmCleared,
    "alarm.raised": alarm_pb2.AlarmRaised,
    "allocator.armed": allocator_pb2.Arming,
    "allocator.attitude_mode_changed": allocator_pb2.AttitudeModeChanged,
    "allocator.configured": allocator_pb2.Configured,
    "allocator.disarmed": allocator_pb2.Arming,
    "allocator.fault_detected": allocator_pb2.FaultDetected,
    "allocator.gate_changed": allocator_pb2.GateChanged,
    "allocator.mode_changed": allocator_pb2.ModeChanged,
    "allocator.profile_ended": allocator_pb2.ProfileEnded,
    "allocator.profile_started": allocator_pb2.ProfileStarted,
    "allocator.request_refused": allocator_pb2.RequestRefused,
    "allocator.thruster_health_changed": allocator_pb2.ThrusterHealthChanged,
    "allocator.watchdog_stopped": allocator_pb2.WatchdogStopped,
    "allocator.wrench_refused": allocator_pb2.WrenchRefused,
    **dict.fromkeys(VERDICTS, operator_pb2.CommandVerdict),
    "docking.attempt_failed": docking_pb2.DockingAttemptFailed,
    "docking.bridge_changed": docking_pb2.BridgeChanged,
    "docking.state_changed": docking_pb2.DockingStateChanged,
    "energy.sampled": recording_pb2.EnergySampled,
    "launch.node_died": launch_pb2.NodeDied,
    "launch.node_started": launch_pb2.NodeStarted,
    "launch.node_stopped": launch_pb2.NodeStopped,
    "launch.started": launch_pb2.LaunchStarted,
    "launch.stopped": launch_pb2.LaunchStopped,
    "operator.command_issued": operator_pb2.CommandIssued,
    "recording.sample": recording_pb2.RecordedSample,
    "simulator.cluster_restored": simulator_pb2.ClusterRestored,
    "simulator.cluster_tripped": simulator_pb2.ClusterTripped,
    "simulator.fault_cleared": simulator_pb2.FaultCleared,
    "simulator.fault_injected": simulator_pb2.FaultInjected,
    "simulator.load_restored": simulator_pb2.LoadRestored,
    "simulator.load_shed": simulator_pb2.LoadShed,
    "simulator.node_cooled": simulator_pb2.NodeCooled,
    "simulator.node_overheated": simulator_pb2.NodeOverheated,
    "simulator.paused": simulator_pb2.SimulationPaused,
    "simulator.pdu_restored": simulator_pb2.PduRestored,
    "simulator.pdu_tripped": simulator_pb2.PduTripped,
    "simulator.reset": simulator_pb2.SimulationReset,
    "simulator.resumed": simulator_pb2.SimulationResumed,
    "simulator.scenario_loaded": simulator_pb2.ScenarioLoaded,
    "simulator.speed_changed": simulator_pb2.SpeedChanged,
    "simulator.working_mass_exhausted": simulator_pb2.WorkingMassExhausted,
}
"""Types that have one version so far. One that gets a second moves into `_EVOLVED`, with its upcaster."""

_EVOLVED: Final[tuple[Schema, ...]] = ()

SCHEMAS: Final = Registry([*(Schema(type, (cls,)) for type, cls in _FIRST_VERSIONS.items()), *_EVOLVED])
"""All of them."""


def typed(type: str, mapping: Mapping[str, Any], version: int | None = None) -> Message | Mapping[str, Any]:
    """The protobuf message of a known type that a mapping describes; see `Registry.typed`.

    Raises:
        PayloadError: a field that is unknown, missing or does not fit; names type, field and value.
    """
    return SCHEMAS.typed(type, mapping, version)
