"""Transitions between the phases of docking, as data. The first row of a source whose guards hold is taken."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from qiki_docking.conditions import Condition, no, yes
from qiki_docking.phases import Phase
from qiki_docking.reasons import Reason

NEXT: Final = "(next)"
SAME: Final = "(same)"


class Trigger(StrEnum):
    """Causes of a transition: the cycle, an order, the network's need, or the confirmation of a rebuilt state."""

    TICK = "tick"
    DOCK = "dock"
    UNDOCK = "undock"
    CANCEL = "cancel"
    FLIGHT = "flight"
    PROFILE = "profile"
    RELIEVE = "relieve"
    RELEASE = "release"
    RESET = "reset"
    RESUME = "resume"


@dataclass(frozen=True)
class Row:
    """A transition.

    Attributes:
        dest: None: the phase is kept, and its step changes.
        guards: names of guards, all of which hold.
        step: of `dest` that is entered, or `NEXT`, `SAME`; empty: the first.
        reason: given, unless a guard has one of its own.
    """

    trigger: Trigger
    source: Phase
    dest: Phase | None
    guards: tuple[str, ...] = ()
    step: str = ""
    reason: Reason = Reason.NONE


GUARDS: Final = {
    "fails": "a condition to keep has failed",
    "trips": "a limit of the bridge is exceeded, or its measurement lost",
    "leaves_box": "between predict_from and predict_to the last samples all lie outside of the contact box",
    "bad_contact": "the motion before contact lay outside of the contact box",
    "completes": "all conditions of the step hold, and it ends the phase",
    "arrives": "the conditions of the hold point hold, and it is not the last",
    "advances": "all conditions of the step hold, or its time is over and the next one is tried",
    "repeats": "the time of the step is over, and it has attempts left",
    "times_out": "the time of the step is over",
    "tries_left": "docking is tried again",
    "seated": "contact and capture are confirmed",
    "ranged": "the range is confirmed",
    "wants_power": "the profile has power, which the bridge does not carry",
    "cancels": "flight commands cancel docking (parameter)",
    "armed": "armed, not expired, and the code is right",
    "all_checked": "every check has passed",
    "data_only": "the profile is DATA",
    "unconfirmed": "the time for confirmation is over",
    "separate": "the sensors confirm: no contact, no capture, not locked",
    "captured": "the sensors confirm: contact, capture, not locked",
    "loose": "the sensors confirm: contact without capture, not locked",
    "locked": "the sensors confirm: locked, contacts open",
    "powered": "the sensors confirm: locked, contacts closed",
}
"""Each guard and its meaning."""

_T, _P = Trigger, Phase
_DOCKING = (_P.APPROACH, _P.ALIGN, _P.SOFT_DOCK)
_HELD = (_P.ALIGN, _P.SOFT_DOCK, _P.HARD_DOCK, _P.BRIDGE, _P.UNDOCKING, _P.ABORT, _P.FAULT)

ROWS: tuple[Row, ...] = (
    Row(_T.DOCK, _P.FREE, _P.HARD_DOCK, ("seated",)),
    Row(_T.DOCK, _P.FREE, _P.APPROACH, ("ranged",)),
    Row(_T.TICK, _P.APPROACH, _P.ABORT, ("fails",)),
    Row(_T.TICK, _P.APPROACH, None, ("arrives",), SAME),
    Row(_T.TICK, _P.APPROACH, _P.ALIGN, ("completes",)),
    Row(_T.TICK, _P.APPROACH, _P.ABORT, ("times_out",)),
    Row(_T.TICK, _P.ALIGN, _P.ABORT, ("fails",)),
    Row(_T.TICK, _P.ALIGN, _P.ABORT, ("leaves_box",)),
    Row(_T.TICK, _P.ALIGN, _P.ABORT, ("bad_contact",)),
    Row(_T.TICK, _P.ALIGN, _P.SOFT_DOCK, ("completes",)),
    Row(_T.TICK, _P.ALIGN, None, ("advances",), NEXT),
    Row(_T.TICK, _P.ALIGN, _P.ABORT, ("times_out",)),
    Row(_T.TICK, _P.SOFT_DOCK, _P.ABORT, ("fails",)),
    Row(_T.TICK, _P.SOFT_DOCK, _P.HARD_DOCK, ("completes",)),
    Row(_T.TICK, _P.SOFT_DOCK, _P.ABORT, ("times_out",)),
    Row(_T.TICK, _P.HARD_DOCK, _P.UNDOCKING, ("fails",)),
    Row(_T.TICK, _P.HARD_DOCK, _P.BRIDGE, ("completes",), reason=Reason.DOCKED),
    Row(_T.TICK, _P.HARD_DOCK, None, ("advances",), NEXT),
    Row(_T.TICK, _P.HARD_DOCK, None, ("repeats",), SAME),
    Row(_T.TICK, _P.HARD_DOCK, _P.UNDOCKING, ("times_out",)),
    Row(_T.TICK, _P.BRIDGE, _P.FAULT, ("trips",)),
    Row(_T.TICK, _P.BRIDGE, _P.UNDOCKING, ("fails",)),
    Row(_T.TICK, _P.BRIDGE, None, ("completes",), "bridged"),
    Row(_T.TICK, _P.BRIDGE, None, ("advances",), NEXT),
    Row(_T.TICK, _P.BRIDGE, None, ("times_out",), "bridged"),
    Row(_T.TICK, _P.UNDOCKING, _P.FAULT, ("fails",), "hold"),
    Row(_T.TICK, _P.UNDOCKING, _P.FREE, ("completes",), reason=Reason.RELEASED),
    Row(_T.TICK, _P.UNDOCKING, None, ("advances",), NEXT),
    Row(_T.TICK, _P.UNDOCKING, None, ("repeats",), SAME),
    Row(_T.TICK, _P.UNDOCKING, _P.FAULT, ("times_out",), "hold"),
    Row(_T.TICK, _P.ABORT, _P.APPROACH, ("completes", "tries_left")),
    Row(_T.TICK, _P.ABORT, _P.FREE, ("completes",), reason=Reason.RETRIES_EXHAUSTED),
    Row(_T.TICK, _P.ABORT, _P.FAULT, ("times_out",), "hold"),
    Row(_T.TICK, _P.FAULT, None, ("advances",), NEXT),
    Row(_T.TICK, _P.EMERGENCY_RELEASE, _P.FREE, ("completes",), reason=Reason.RELEASED),
    Row(_T.TICK, _P.EMERGENCY_RELEASE, None, ("advances",), NEXT),
    Row(_T.TICK, _P.EMERGENCY_RELEASE, None, ("repeats",), SAME),
    Row(_T.TICK, _P.EMERGENCY_RELEASE, _P.FAULT, ("times_out",), "hold"),
    *(Row(_T.CANCEL, phase, _P.ABORT, (), reason=Reason.CANCELLED) for phase in _DOCKING),
    Row(_T.CANCEL, _P.ABORT, _P.ABORT, ("tries_left",), reason=Reason.CANCELLED),
    Row(_T.CANCEL, _P.HARD_DOCK, _P.UNDOCKING, (), reason=Reason.CANCELLED),
    *(Row(_T.FLIGHT, phase, _P.ABORT, ("cancels",), reason=Reason.CANCELLED) for phase in _DOCKING),
    Row(_T.FLIGHT, _P.ABORT, _P.ABORT, ("cancels", "tries_left"), reason=Reason.CANCELLED),
    Row(_T.UNDOCK, _P.HARD_DOCK, _P.UNDOCKING, (), reason=Reason.ORDERED),
    Row(_T.UNDOCK, _P.BRIDGE, _P.UNDOCKING, (), reason=Reason.ORDERED),
    Row(_T.UNDOCK, _P.FAULT, _P.UNDOCKING, (), reason=Reason.ORDERED),
    Row(_T.PROFILE, _P.BRIDGE, None, ("wants_power",), "clear", Reason.ORDERED),
    Row(_T.PROFILE, _P.BRIDGE, None, (), "bridged", Reason.ORDERED),
    Row(_T.RELIEVE, _P.BRIDGE, None, ("wants_power",), "clear", Reason.TAKES_OVER),
    *(Row(_T.RELEASE, phase, _P.EMERGENCY_RELEASE, ("armed",), reason=Reason.EMERGENCY) for phase in _HELD),
    Row(_T.RESET, _P.FAULT, _P.FREE, ("separate",), reason=Reason.ORDERED),
)
"""The table. Order counts: what fails comes before what completes."""


_SHOWN = ("separate", "captured", "loose", "locked", "powered")


def _resume(source: Phase, dest: Phase, *guards: str, step: str = "") -> Row:
    return Row(_T.RESUME, source, dest, guards, step, Reason.RESUMED)


RESUME_ROWS: tuple[Row, ...] = (
    _resume(_P.FREE, _P.FREE, "separate"),
    _resume(_P.APPROACH, _P.APPROACH, "separate"),
    _resume(_P.ALIGN, _P.ABORT, "separate"),
    _resume(_P.ALIGN, _P.ABORT, "loose"),
    _resume(_P.ALIGN, _P.SOFT_DOCK, "captured"),
    _resume(_P.SOFT_DOCK, _P.ABORT, "separate"),
    _resume(_P.SOFT_DOCK, _P.ABORT, "loose"),
    _resume(_P.SOFT_DOCK, _P.SOFT_DOCK, "captured"),
    _resume(_P.HARD_DOCK, _P.HARD_DOCK, "captured"),
    _resume(_P.HARD_DOCK, _P.HARD_DOCK, "locked"),
    _resume(_P.HARD_DOCK, _P.HARD_DOCK, "powered", "all_checked", step="close"),
    _resume(_P.BRIDGE, _P.BRIDGE, "powered"),
    _resume(_P.BRIDGE, _P.BRIDGE, "locked", "data_only"),
    _resume(_P.BRIDGE, _P.HARD_DOCK, "locked"),
    _resume(_P.UNDOCKING, _P.UNDOCKING, "powered"),
    _resume(_P.UNDOCKING, _P.UNDOCKING, "locked"),
    _resume(_P.UNDOCKING, _P.UNDOCKING, "captured"),
    _resume(_P.UNDOCKING, _P.UNDOCKING, "separate", step="push_off"),
    _resume(_P.UNDOCKING, _P.UNDOCKING, "loose", step="push_off"),
    _resume(_P.ABORT, _P.ABORT, "separate"),
    _resume(_P.ABORT, _P.ABORT, "captured"),
    _resume(_P.ABORT, _P.ABORT, "loose"),
    _resume(_P.EMERGENCY_RELEASE, _P.EMERGENCY_RELEASE, "separate", step="push_off"),
    _resume(_P.EMERGENCY_RELEASE, _P.EMERGENCY_RELEASE, "loose", step="push_off"),
    *(
        _resume(_P.FAULT, _P.FAULT, guard, step=SAME)
        for guard in ("separate", "captured", "loose", "locked", "powered")
    ),
    *(Row(_T.RESUME, phase, _P.FAULT, ("unconfirmed",), "hold", Reason.RESTART_MISMATCH) for phase in Phase),
)
"""Rows after a restart: rebuilt phase and the sensors' view. Before one is taken, nothing moves and power stays."""

_HERE = Reason.NONE
SENSED: Final[dict[str, tuple[Condition, ...]]] = {
    "separate": (no("contact", _HERE), no("capture", _HERE), no("latch_1", _HERE), no("latch_2", _HERE)),
    "captured": (yes("contact", _HERE), yes("capture", _HERE), no("latch_1", _HERE), no("latch_2", _HERE)),
    "loose": (yes("contact", _HERE), no("capture", _HERE), no("latch_1", _HERE), no("latch_2", _HERE)),
    "locked": (yes("latch_1", _HERE), yes("latch_2", _HERE), no("contacts_closed", _HERE)),
    "powered": (yes("latch_1", _HERE), yes("latch_2", _HERE), yes("contacts_closed", _HERE)),
    "seated": (yes("contact", _HERE), yes("capture", _HERE)),
    "ranged": (Condition("range", Reason.NAVIGATION_INVALID),),
}
"""Guards that are conditions on the sensors alone."""
