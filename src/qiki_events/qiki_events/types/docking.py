"""Events of a body's docking and of its bridges: streams `<body>/docking`."""

from typing import Final

from qiki_events.proto import docking_pb2 as proto
from qiki_events.registry import Schema

_STREAM: Final = "<body>/docking"

SCHEMAS: Final = (
    Schema(
        "bridge.edge_changed",
        (proto.BridgeEdgeChanged, proto.BridgeEdgeChangedV2),
        (dict,),  # every state of before keeps its name
        stream=_STREAM,
        when="the switchgear of an own bridge changed",
    ),
    Schema("bridge.role_changed", (proto.BridgeRoleChanged,), stream=_STREAM, when="by `set_bridge`"),
    Schema("bridge.shed", (proto.BridgeShed,), stream=_STREAM, when="the loads that are cut are others than before"),
    Schema("docking.check_passed", (proto.DockingCheckPassed,), stream=_STREAM, when="a check of hard docking passed"),
    Schema(
        "docking.clock_set_back",
        (proto.DockingClockSetBack,),
        stream=_STREAM,
        when="the clock was set back: measurements so far are void",
    ),
    Schema(
        "docking.contact_judged",
        (proto.DockingContactJudged,),
        stream=_STREAM,
        when="at contact, by the last motion before it",
    ),
    Schema(
        "docking.ended",
        (proto.DockingEnded,),
        stream=_STREAM,
        when="docked, or back in FREE, or in FAULT: the report of one order",
    ),
    Schema(
        "docking.phase_changed",
        (proto.DockingPhaseChanged,),
        stream=_STREAM,
        when="each change of phase, step or try; a restart rebuilds the state from the newest",
    ),
    Schema(
        "docking.refused",
        (proto.DockingRefused,),
        stream=_STREAM,
        when="an order is refused; one that comes again within 1 s once",
    ),
    Schema(
        "docking.release_armed", (proto.DockingReleaseArmed,), stream=_STREAM, when="the emergency release is armed"
    ),
    Schema(
        "docking.reserved",
        (proto.DockingReserved,),
        stream=_STREAM,
        when="an own port is reserved for a body, or free again",
    ),
    Schema("docking.started", (proto.DockingStarted,), stream=_STREAM, when="an order to dock is accepted"),
)
