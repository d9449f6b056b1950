"""Reason codes of refusals, failures and ends, ordered by the phase in which they arise."""

from enum import IntEnum


class Reason(IntEnum):
    """Cause of an answer or a change of phase. 0 to 9: success; 100s: refused orders; then one hundred per phase."""

    NONE = 0
    DOCKED = 1
    ALREADY_DOCKED = 2
    RELEASED = 3
    RESUMED = 4
    ORDERED = 5
    TAKES_OVER = 6
    FOUND = 7

    BUSY = 100
    NOT_DOCKED = 101
    PORT_RESERVED = 102
    NAVIGATION_INVALID = 103
    FLIGHT_WHILE_DOCKING = 104
    CANCELLING = 105
    NOT_ARMED = 106
    ARM_EXPIRED = 107
    WRONG_ARM_CODE = 108
    UNCONFIRMED = 109
    NOT_SEPARATE = 110
    NOTHING_TO_RELEASE = 111
    NOTHING_TO_CANCEL = 112
    WRONG_ORDER = 113
    NOT_IN_FAULT = 114
    PORT_UNFIT = 115
    ROLE_REFUSED = 116
    PASSIVE_ONLY = 117
    PARTNER_MOVES = 118

    NAVIGATION_LOST = 200
    APPROACH_TIMEOUT = 201
    RESERVATION_LOST = 202
    PARTNER_SILENT = 203
    CANCELLED = 204
    CORRIDOR = 205
    KEEP_OUT = 206

    SETTLE_TIMEOUT = 300
    CLOSE_TIMEOUT = 301
    CONTACT_BOX = 302
    CONTACT_LOST = 303
    CAPTURE_TIMEOUT = 304
    PREDICTION = 305

    CAPTURE_LOST = 400
    DAMPING_TIMEOUT = 401

    LOCK = 500
    PULL_TEST = 501
    SENSOR_DISAGREEMENT = 502
    ISOLATION = 503
    POLARITY = 504
    UMBILICAL = 505
    HANDSHAKE = 506
    STATES_DIFFER = 507
    IDENTITY = 508
    PROFILE = 509
    LIMITS = 510
    POWER_CLEARANCE = 511
    THERMAL_CLEARANCE = 512
    CONTACTS_OPEN = 513
    NO_VOLTS = 514
    NO_DATA = 515
    PASSPORT_UNSIGNED = 516
    PASSPORT_KEY = 517
    PASSPORT_KEY_OUT_OF_TIME = 518
    PASSPORT_KEY_REVOKED = 519
    PASSPORT_REPLAYED = 520
    PASSPORT_TERMS = 521
    PASSPORT_SIGNATURE = 522
    PASSPORT_REFUSED = 523

    LOCK_LOST = 600
    VOLTS = 601
    OVERCURRENT = 602
    OVERTEMPERATURE = 603
    POWER_BLIND = 604

    CURRENT_REMAINS = 700
    CONTACTS_WELDED = 701
    UNLOCK_JAMMED = 702
    NOT_SEPARATED = 703
    RETREAT_TIMEOUT = 704

    RETRIES_EXHAUSTED = 800
    EMERGENCY = 801
    CLOCK_SET_BACK = 802
    RESTART_MISMATCH = 803

    @property
    def meaning(self) -> str:
        """One line of plain English."""
        return _MEANINGS[self]


_MEANINGS = {
    Reason.NONE: "no reason: nothing has happened yet, or the order is being carried out",
    Reason.DOCKED: "docked: volts (POWER, FULL) or data (DATA) are measured across the bridge",
    Reason.ALREADY_DOCKED: "docked to this port already; nothing moves",
    Reason.RELEASED: "undocked and back at the hold point",
    Reason.RESUMED: "the sensors confirm the state rebuilt after a restart",
    Reason.ORDERED: "an operator's order",
    Reason.FOUND: "found docked at the start",
    Reason.TAKES_OVER: "feeds a part of the network from which another bridge is being taken out",
    Reason.BUSY: "another order is being carried out",
    Reason.NOT_DOCKED: "undocking needs a docked bot",
    Reason.PORT_RESERVED: "the port is reserved for another bot",
    Reason.NAVIGATION_INVALID: "no three consecutive valid measurements of the range",
    Reason.FLIGHT_WHILE_DOCKING: "flight commands are refused while docking or docked",
    Reason.CANCELLING: "the flight command cancels docking; it is accepted once the bot is free",
    Reason.NOT_ARMED: "the emergency release has to be armed first",
    Reason.ARM_EXPIRED: "the arming of the emergency release has expired",
    Reason.WRONG_ARM_CODE: "the code is not the one that arming returned",
    Reason.UNCONFIRMED: "the state rebuilt after a restart is not confirmed by the sensors yet",
    Reason.NOT_SEPARATE: "the sensors do not show the ports apart",
    Reason.NOTHING_TO_RELEASE: "no port is captured or locked",
    Reason.NOTHING_TO_CANCEL: "no docking is under way",
    Reason.NOT_IN_FAULT: "only a fault is reset",
    Reason.PORT_UNFIT: "a fault on board stands against the use of the port",
    Reason.ROLE_REFUSED: "the network of bridges does not allow the role",
    Reason.PASSIVE_ONLY: "this body is docked to, and does not dock itself",
    Reason.PARTNER_MOVES: "the partner is flying to a port itself, or away from one",
    Reason.WRONG_ORDER: "a field of the order is not allowed",
    Reason.NAVIGATION_LOST: "no valid relative navigation for too long",
    Reason.APPROACH_TIMEOUT: "a hold point was not reached in time",
    Reason.RESERVATION_LOST: "the partner's port is not reserved for this bot",
    Reason.PARTNER_SILENT: "the partner's docking node does not answer",
    Reason.CANCELLED: "cancelled by order or by a flight command",
    Reason.CORRIDOR: "the bot left the corridor",
    Reason.KEEP_OUT: "the bot came too near to the partner outside of the corridor",
    Reason.SETTLE_TIMEOUT: "angles and rates did not settle at the last hold point",
    Reason.CLOSE_TIMEOUT: "no contact in time",
    Reason.CONTACT_BOX: "the motion at contact, or predicted for it, lies outside of the contact box",
    Reason.CONTACT_LOST: "contact was lost before capture",
    Reason.CAPTURE_TIMEOUT: "contact without capture, after the seat push too",
    Reason.PREDICTION: "the contact, as predicted, would not be certain to lie in the contact box",
    Reason.CAPTURE_LOST: "the capture sensor shows the partner lost",
    Reason.DAMPING_TIMEOUT: "the motion between the ports was not damped in time",
    Reason.LOCK: "the latches are not locked by both sensors",
    Reason.PULL_TEST: "the joint moved under the pull test, or the force was not reached",
    Reason.SENSOR_DISAGREEMENT: "both sensors of the pull test disagree",
    Reason.ISOLATION: "electrical isolation is too low",
    Reason.POLARITY: "the partner's polarity is reversed, or its volts are too high",
    Reason.UMBILICAL: "the umbilical is not mated",
    Reason.HANDSHAKE: "the exchange of nonces failed",
    Reason.STATES_DIFFER: "both ends report different states",
    Reason.IDENTITY: "the partner is not the ordered one",
    Reason.PROFILE: "the ends do not agree on the profile",
    Reason.LIMITS: "the ends' electrical limits do not fit",
    Reason.POWER_CLEARANCE: "the power budget does not allow the bridge",
    Reason.THERMAL_CLEARANCE: "the port is too warm to close the bridge",
    Reason.CONTACTS_OPEN: "the power contacts did not close",
    Reason.NO_VOLTS: "the volts across the closed bridge are not within limits",
    Reason.NO_DATA: "no data arrive over the bridge",
    Reason.PASSPORT_UNSIGNED: "the partner signs no passport, or it is not whole, and this body has keys",
    Reason.PASSPORT_KEY: "the key of the partner's passport is not trusted, or is that of another id or body",
    Reason.PASSPORT_KEY_OUT_OF_TIME: "the key of the partner's passport is not valid now",
    Reason.PASSPORT_KEY_REVOKED: "the key of the partner's passport is revoked",
    Reason.PASSPORT_REPLAYED: "the partner's passport is that of another docking",
    Reason.PASSPORT_TERMS: "the partner's passport states other ports, bodies, profile or limits than its messages",
    Reason.PASSPORT_SIGNATURE: "the signature of the partner's passport is wrong",
    Reason.PASSPORT_REFUSED: "the partner refuses the own passport",
    Reason.LOCK_LOST: "the latches are not locked by both sensors any more",
    Reason.VOLTS: "the volts of the bridge are outside of their limits",
    Reason.OVERCURRENT: "the current of the bridge is above its limit",
    Reason.OVERTEMPERATURE: "the port is above its trip temperature",
    Reason.POWER_BLIND: "no valid measurement of the bridge's power for too long",
    Reason.CURRENT_REMAINS: "current flows, or is not measured, after power down",
    Reason.CONTACTS_WELDED: "the contacts do not open, or carry volts though open",
    Reason.UNLOCK_JAMMED: "the latches do not open",
    Reason.NOT_SEPARATED: "the ports do not come apart",
    Reason.RETREAT_TIMEOUT: "the hold point was not reached on the way back",
    Reason.RETRIES_EXHAUSTED: "all tries failed; the bot is at the hold point",
    Reason.EMERGENCY: "emergency release",
    Reason.CLOCK_SET_BACK: "the clock was set back; measurements so far are void",
    Reason.RESTART_MISMATCH: "the sensors contradict the state rebuilt after a restart",
}
