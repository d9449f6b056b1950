"""Events of a body's docking and of its bridges: streams `<body>/docking`."""

from typing import Final

from qiki_events.proto import docking_pb2 as proto
from qiki_events.registry import Schema

_STREAM: Final = "<body>/docking"

SCHEMAS: Final = (
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
        "docking.edge_changed",
        (proto.DockingEdgeChanged,),
        stream=_STREAM,
        when="the switchgear of an own bridge changed",
    ),
    Schema("docking.ended", (proto.DockingEnded,), stream=_STREAM, when="docked, or back in FREE, or in FAULT"),
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
        when="an order is refused; the same refusal in the same state once",
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
    Schema(
        "docking.role_changed",
        (proto.DockingRoleChanged,),
        stream=_STREAM,
        when="by `set_bridge`; a restart takes the newest role",
    ),
    Schema("docking.shed", (proto.DockingShed,), stream=_STREAM, when="the loads that are cut are others than before"),
)
