"""Events of a bot's allocator: streams `<bot>/allocator`."""

from collections.abc import Mapping
from typing import Any, Final

from qiki_events.proto import allocator_pb2 as proto
from qiki_events.registry import Schema


def _with_modulator(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**data, "modulator": None}


SCHEMAS: Final = (
    Schema("allocator.armed", (proto.Arming,), stream="<bot>/allocator", when="MANUAL_OVERRIDE was set"),
    Schema(
        "allocator.assembly_changed",
        (proto.AssemblyChanged,),
        stream="<bot>/allocator",
        when="this body follows a flight lead, leads an assembly, or flies itself again",
    ),
    Schema(
        "allocator.attitude_mode_changed",
        (proto.AttitudeModeChanged,),
        stream="<bot>/allocator",
        when="by request, brake, stop or mode",
    ),
    Schema(
        "allocator.configured",
        (proto.Configured, proto.ConfiguredV2),
        (_with_modulator,),
        stream="<bot>/allocator",
        when="first call; first after the clock was set back: the state before is void",
    ),
    Schema("allocator.disarmed", (proto.Arming,), stream="<bot>/allocator", when="MANUAL_OVERRIDE was left"),
    Schema(
        "allocator.fault_detected",
        (proto.FaultDetected,),
        stream="<bot>/allocator",
        when="each; a finding without reaction once in 10 s",
    ),
    Schema(
        "allocator.gate_changed",
        (proto.GateChanged,),
        stream="<bot>/allocator",
        when="in the cycle in which the new gate counts",
    ),
    Schema("allocator.mode_changed", (proto.ModeChanged,), stream="<bot>/allocator", when="the mode is another"),
    Schema(
        "allocator.modulator_changed",
        (proto.ModulatorChanged,),
        stream="<bot>/allocator",
        when="another modulator is in use: by request, or a thrust profile with its own begins or ends",
    ),
    Schema(
        "allocator.profile_ended",
        (proto.ProfileEnded,),
        stream="<bot>/allocator",
        when="its last pulses are done, or the valves were closed",
    ),
    Schema(
        "allocator.profile_started", (proto.ProfileStarted,), stream="<bot>/allocator", when="a thrust profile begins"
    ),
    Schema("allocator.request_refused", (proto.RequestRefused,), stream="<bot>/allocator", when="each refusal"),
    Schema(
        "allocator.thruster_health_changed",
        (proto.ThrusterHealthChanged,),
        stream="<bot>/allocator",
        when="one per thruster, from any source",
    ),
    Schema(
        "allocator.watchdog_stopped",
        (proto.WatchdogStopped,),
        stream="<bot>/allocator",
        when="valves were closed because commands stopped coming",
    ),
    Schema(
        "allocator.wrench_refused",
        (proto.WrenchRefused,),
        stream="<bot>/allocator",
        when="the first, and each change of reason; one reason at most once per second; `held_back`: "
        "refusals since the last event",
    ),
)
