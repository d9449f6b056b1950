"""Events of a bot's allocator: streams `<bot>/allocator`."""

from typing import Final

from qiki_events.proto import allocator_pb2 as proto
from qiki_events.registry import Schema

SCHEMAS: Final = (
    Schema("allocator.armed", (proto.Arming,)),
    Schema("allocator.attitude_mode_changed", (proto.AttitudeModeChanged,)),
    Schema("allocator.configured", (proto.Configured,)),
    Schema("allocator.disarmed", (proto.Arming,)),
    Schema("allocator.fault_detected", (proto.FaultDetected,)),
    Schema("allocator.gate_changed", (proto.GateChanged,)),
    Schema("allocator.mode_changed", (proto.ModeChanged,)),
    Schema("allocator.profile_ended", (proto.ProfileEnded,)),
    Schema("allocator.profile_started", (proto.ProfileStarted,)),
    Schema("allocator.request_refused", (proto.RequestRefused,)),
    Schema("allocator.thruster_health_changed", (proto.ThrusterHealthChanged,)),
    Schema("allocator.watchdog_stopped", (proto.WatchdogStopped,)),
    Schema("allocator.wrench_refused", (proto.WrenchRefused,)),
)
