"""Steps of each phase of docking as data: request, conditions, timeouts; and the interlocks.

Numbers are names of settings of the vehicle file (`qiki_vehicle.docking`).
"""

from qiki_docking.checks import ALIVE, CLOSE, CONTACTS_OPEN, LOCKED, STANDING, check_steps, still
from qiki_docking.conditions import HOLD, Condition, most, no, valid, yes
from qiki_docking.phases import Drive, Guidance, Interlock, Phase, Request, Step
from qiki_docking.reasons import Reason

_APPROACH, _ALIGN, _SOFT = "docking.approach.", "docking.align.", "docking.soft."
_CHECKS, _UNDOCK = "docking.checks.", "docking.undock."

LINK = (yes("link_alive", Reason.PARTNER_SILENT), yes("port_reserved", Reason.RESERVATION_LOST))
NO_CURRENT = most("bridge_current", _UNDOCK + "current_max", Reason.CURRENT_REMAINS)
UNLOCKED = (no("latch_1", Reason.UNLOCK_JAMMED), no("latch_2", Reason.UNLOCK_JAMMED))
PATH = (yes("in_corridor", Reason.CORRIDOR), yes("clear", Reason.KEEP_OUT))
TOUCHING = (yes("contact", Reason.CONTACT_LOST), yes("capture", Reason.CAPTURE_TIMEOUT))


def _at_hold(reason: Reason) -> tuple[Condition, ...]:
    return (
        Condition("range", reason, high=_APPROACH + "position_tolerance", less=HOLD, size=True),
        most("closing", _APPROACH + "speed_tolerance", reason),
        most("lateral_offset", _APPROACH + "position_tolerance", reason),
        most("lateral_rate", _APPROACH + "speed_tolerance", reason),
    )


_BACK = (
    Condition("range", Reason.RETREAT_TIMEOUT, low="-" + _APPROACH + "position_tolerance", less=HOLD),
    most("closing", _APPROACH + "speed_tolerance", Reason.RETREAT_TIMEOUT),
    most("lateral_rate", _APPROACH + "speed_tolerance", Reason.RETREAT_TIMEOUT),
)
_APART = (
    no("contact", Reason.NOT_SEPARATED),
    no("capture", Reason.NOT_SEPARATED),
    Condition("range", Reason.NOT_SEPARATED, low=_UNDOCK + "separation"),
)
_SETTLED = (
    *_at_hold(Reason.SETTLE_TIMEOUT),
    *(most(name, _ALIGN + name, Reason.SETTLE_TIMEOUT) for name in ("tilt", "roll", "tilt_rate", "roll_rate")),
)


_HELD = (yes("latch_1", Reason.LOCK_LOST), yes("latch_2", Reason.LOCK_LOST), ALIVE)
_LIMITS = (
    valid("bridge_volts", Reason.POWER_BLIND, "power"),
    valid("bridge_current", Reason.POWER_BLIND, "power"),
    Condition("bridge_volts", Reason.VOLTS, high="bridge.volts_max", part="power"),
    most("bridge_current", "bridge.current_max", Reason.OVERCURRENT, "power"),
    Condition("temperature", Reason.OVERTEMPERATURE, high="thermal.nodes.DOCK_BRIDGE.trip"),
)
_BRIDGE = (
    Step(
        "bridged",
        still(power=Drive.ON, contacts=Drive.ON, data=Drive.ON),
        keep=_HELD,
        trip=(*_LIMITS, Condition("bridge_volts", Reason.VOLTS, "avionics.voltage_min", part="fed")),
        blind=_CHECKS + "blind",
    ),
    # Power is added to a bridge of data.
    Step(
        "clear",
        still("clearance", data=Drive.ON),
        STANDING,
        _HELD,
        blind=_CHECKS + "blind",
        timeout=_CHECKS + "clearance_timeout",
    ),
    Step("energize", CLOSE.request, CLOSE.done, _HELD, _LIMITS, _CHECKS + "blind", CLOSE.timeout, ends=True),
)

_RETREAT = Step("retreat", Request(Guidance.RETREAT), _BACK, timeout=_UNDOCK + "retreat_timeout", ends=True)
_PUSH_OFF = Step(
    "push_off",
    Request(Guidance.PUSH_OFF, capture=Drive.OFF, latch=Drive.OFF),
    _APART,
    timeout=_UNDOCK + "separation_timeout",
    attempts=_UNDOCK + "attempts",
)

STEPS: dict[Phase, tuple[Step, ...]] = {
    Phase.FREE: (Step("free", Request()),),
    Phase.APPROACH: (
        Step(
            "hold",
            Request(Guidance.HOLD),
            (*_at_hold(Reason.APPROACH_TIMEOUT), *LINK),
            (valid("range", Reason.NAVIGATION_LOST), *PATH, ALIVE),
            blind=_APPROACH + "blind",
            timeout=_APPROACH + "timeout",
            ends=True,
        ),
    ),
    Phase.ALIGN: (
        Step(
            "settle",
            Request(Guidance.HOLD),
            _SETTLED,
            (valid("range", Reason.NAVIGATION_LOST), *PATH, *LINK),
            blind=_ALIGN + "blind",
            timeout=_ALIGN + "settle_timeout",
        ),
        Step(
            "close",
            Request(Guidance.CLOSE, capture=Drive.ON),
            (yes("contact", Reason.CLOSE_TIMEOUT),),
            (valid("range", Reason.NAVIGATION_LOST), *PATH, yes("prediction_inside", Reason.PREDICTION), *LINK),
            blind=_ALIGN + "blind",
            timeout=_ALIGN + "close_timeout",
        ),
        Step(
            "capture",
            Request(Guidance.STILL, capture=Drive.ON),
            TOUCHING,
            (TOUCHING[0],),
            blind=_ALIGN + "blind",
            timeout=_ALIGN + "capture_timeout",
            ends=True,
            goes_on=True,
        ),
        Step(
            "seat",
            Request(Guidance.SEAT, capture=Drive.ON),
            TOUCHING,
            (TOUCHING[0],),
            blind=_ALIGN + "blind",
            timeout=_ALIGN + "seat_duration",
            ends=True,
        ),
    ),
    Phase.SOFT_DOCK: (
        Step(
            "damp",
            still(capture=Drive.ON),
            (
                *TOUCHING,
                most("lateral_rate", _SOFT + "lateral_rate", Reason.DAMPING_TIMEOUT),
                most("tilt_rate", _SOFT + "tilt_rate", Reason.DAMPING_TIMEOUT),
            ),
            (yes("capture", Reason.CAPTURE_LOST),),
            blind=_SOFT + "blind",
            timeout=_SOFT + "timeout",
            ends=True,
        ),
    ),
    Phase.HARD_DOCK: (*check_steps(), CLOSE),
    Phase.BRIDGE: _BRIDGE,
    Phase.UNDOCKING: (
        Step(
            "power_down",
            still(power=Drive.OFF, data=Drive.OFF),
            (NO_CURRENT,),
            timeout=_UNDOCK + "power_timeout",
            attempts=_UNDOCK + "attempts",
        ),
        Step(
            "open",
            still(power=Drive.OFF, contacts=Drive.OFF),
            (NO_CURRENT, CONTACTS_OPEN, most("bridge_volts", _UNDOCK + "volts_max", Reason.CONTACTS_WELDED, "dark")),
            timeout=_UNDOCK + "contacts_timeout",
            attempts=_UNDOCK + "attempts",
        ),
        Step(
            "unlock",
            still(power=Drive.OFF, contacts=Drive.OFF, latch=Drive.OFF, capture=Drive.OFF),
            (*UNLOCKED, CONTACTS_OPEN, NO_CURRENT),
            (CONTACTS_OPEN, NO_CURRENT),
            blind=_CHECKS + "blind",
            timeout=_UNDOCK + "unlock_timeout",
            attempts=_UNDOCK + "attempts",
        ),
        _PUSH_OFF,
        _RETREAT,
    ),
    Phase.ABORT: (
        Step(
            "back_off",
            Request(Guidance.RETREAT, capture=Drive.OFF),
            _BACK,
            timeout=_UNDOCK + "retreat_timeout",
            ends=True,
        ),
    ),
    Phase.FAULT: (
        Step("power_down", still(power=Drive.OFF), (NO_CURRENT,)),
        Step("open", still(power=Drive.OFF, contacts=Drive.OFF), (NO_CURRENT, CONTACTS_OPEN)),
        Step("hold", still()),
    ),
    Phase.EMERGENCY_RELEASE: (
        Step(
            "release",
            still(power=Drive.OFF, contacts=Drive.OFF, data=Drive.OFF, latch=Drive.OFF, capture=Drive.OFF),
            UNLOCKED,
            timeout=_UNDOCK + "unlock_timeout",
            attempts=_UNDOCK + "attempts",
        ),
        _PUSH_OFF,
        _RETREAT,
    ),
}
"""The steps of each phase, in their order."""


_HOT = frozenset({Phase.EMERGENCY_RELEASE})
"""The only phase that may break contacts under current."""

INTERLOCKS: tuple[Interlock, ...] = (
    Interlock("latch", Drive.OFF, (CONTACTS_OPEN, NO_CURRENT), waived=_HOT),
    Interlock("contacts", Drive.OFF, (NO_CURRENT,), waived=_HOT),
    Interlock("contacts", Drive.ON, LOCKED, checked=True),
    Interlock("power", Drive.ON, LOCKED, checked=True),
    Interlock("guidance", Guidance.PUSH_OFF, UNLOCKED),
)
"""A second line of defence behind the order of the steps."""
