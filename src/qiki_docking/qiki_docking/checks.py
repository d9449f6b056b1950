"""Checks of hard docking as data, in their order, and the closing of the bridge.

Numbers are names of settings of the vehicle file (`qiki_vehicle.docking`).
"""

from typing import Final

from qiki_docking.conditions import Condition, most, no, yes
from qiki_docking.phases import Check, Drive, Guidance, Request, Step
from qiki_docking.reasons import Reason

_CHECKS = "docking.checks."

LOCKED = (yes("latch_1", Reason.LOCK), yes("latch_2", Reason.LOCK))
CONTACTS_OPEN = no("contacts_closed", Reason.CONTACTS_WELDED)
ALIVE = yes("link_alive", Reason.PARTNER_SILENT)


def still(test: str = "", **drives: Drive) -> Request:
    """A request without thrust."""
    return Request(Guidance.STILL, test=test, **drives)  # type: ignore[arg-type]


PASSPORT: Final = {
    "passport_signed": Reason.PASSPORT_UNSIGNED,
    "passport_key": Reason.PASSPORT_KEY,
    "passport_key_in_time": Reason.PASSPORT_KEY_OUT_OF_TIME,
    "passport_key_in_force": Reason.PASSPORT_KEY_REVOKED,
    "passport_fresh": Reason.PASSPORT_REPLAYED,
    "passport_terms": Reason.PASSPORT_TERMS,
    "passport_genuine": Reason.PASSPORT_SIGNATURE,
}
"""Quantity that is 0 where a partner's passport is refused for a reason."""

CHECKS: tuple[Check, ...] = (
    Check("lock", (), LOCKED, _CHECKS + "lock_timeout", still(capture=Drive.ON, latch=Drive.ON)),
    Check(
        "pull",
        (
            Condition(
                "pull_force", Reason.PULL_TEST, high=_CHECKS + "pull_tolerance", less=_CHECKS + "pull_force", size=True
            ),
            Condition(
                "slip_1", Reason.SENSOR_DISAGREEMENT, high=_CHECKS + "slip_disagreement", less="slip_2", size=True
            ),
            most("slip_1", _CHECKS + "slip_max", Reason.PULL_TEST),
            most("slip_2", _CHECKS + "slip_max", Reason.PULL_TEST),
        ),
        (),
        _CHECKS + "pull_timeout",
        still("pull"),
    ),
    Check(
        "electrical",
        (),
        (
            CONTACTS_OPEN,
            Condition("isolation", Reason.ISOLATION, low=_CHECKS + "isolation_min"),
            Condition("probe_volts", Reason.POLARITY, low="-" + _CHECKS + "reverse_max", high="bridge.volts_max"),
        ),
        _CHECKS + "electrical_timeout",
        still("electrical"),
    ),
    Check(
        "umbilical",
        (),
        (yes("umbilical", Reason.UMBILICAL),),
        _CHECKS + "umbilical_timeout",
        still("umbilical"),
    ),
    Check(
        "handshake",
        (),
        (ALIVE, yes("nonce_echoed", Reason.HANDSHAKE), yes("states_agree", Reason.STATES_DIFFER)),
        _CHECKS + "handshake_timeout",
        still("handshake"),
    ),
    Check(
        "passport",
        (),
        (
            yes("identity_valid", Reason.IDENTITY),
            *(yes(quantity, reason) for quantity, reason in PASSPORT.items()),
            yes("passport_accepted", Reason.PASSPORT_REFUSED),
            yes("profile_agreed", Reason.PROFILE),
            yes("limits_agreed", Reason.LIMITS),
        ),
        _CHECKS + "passport_timeout",
        still("passport"),
    ),
    Check(
        "clearance",
        (),
        (
            yes("power_cleared", Reason.POWER_CLEARANCE),
            Condition("temperature", Reason.THERMAL_CLEARANCE, high=_CHECKS + "temperature_max"),
        ),
        _CHECKS + "clearance_timeout",
        still("clearance"),
    ),
)
"""The ordered checks of hard docking. The last one passes only while all that stand hold together."""

CHECK_NAMES = tuple(check.name for check in CHECKS)
STANDING = tuple(condition for check in CHECKS for condition in check.standing)
"""Conditions of the checks that hold until the contacts close."""
_OPEN_ONLY = frozenset({"contacts_closed", "isolation", "probe_volts"})
"""Quantities that mean nothing once the contacts close."""


def check_steps() -> tuple[Step, ...]:
    steps = []
    before: tuple[Condition, ...] = ()
    for check in CHECKS:
        done = check.once + check.standing
        if check is CHECKS[-1]:
            done = STANDING
        attempts = _CHECKS + "attempts"
        steps.append(Step(check.name, check.request, done, before, (), _CHECKS + "blind", check.timeout, attempts))
        before += check.standing
    return tuple(steps)


CLOSE = Step(
    "close",
    still(power=Drive.ON, contacts=Drive.ON, data=Drive.ON),
    (
        yes("contacts_closed", Reason.CONTACTS_OPEN, "power"),
        Condition("bridge_volts", Reason.NO_VOLTS, "avionics.voltage_min", "bridge.volts_max", part="power"),
        yes("data_carrier", Reason.NO_DATA, "data"),
    ),
    tuple(condition for condition in STANDING if condition.quantity not in _OPEN_ONLY),
    blind=_CHECKS + "blind",
    timeout=_CHECKS + "close_timeout",
    ends=True,
)
