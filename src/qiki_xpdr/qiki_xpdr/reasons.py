"""Reason codes of verification and of refused orders."""

from enum import IntEnum


class Reason(IntEnum):
    """0 to 9: success; 100s: receptions that are not verified; 200s: refused orders."""

    NONE = 0
    MANIFEST = 1
    GROUP_ANSWER = 2
    SIGNED_ANSWER = 3
    ANSWERING = 4

    MALFORMED = 100
    KEY_UNKNOWN = 101
    ID_NOT_BOUND = 102
    SIGNATURE = 103
    STALE = 104
    FUTURE = 105
    UNMATCHED = 106
    CHAIN_BROKEN = 107
    REPLAY = 108
    KEY_REVOKED = 109
    KEY_OUT_OF_TIME = 110
    UNLISTED = 111
    UNSIGNED = 112
    NOT_ASKED = 113
    SHED = 114
    LIFE = 115
    OWN_ID = 116

    NOT_ARMED = 200
    ARM_EXPIRED = 201
    WRONG_CODE = 202
    NO_FALSE_IDENTITY = 203
    NO_POWER = 204
    WRONG_ORDER = 205
    NOT_TRANSMITTING = 206
    NOT_ADDRESSED = 207
    TOO_MANY = 208
    NO_KEY = 209
    NO_ANSWER = 210

    @property
    def verified(self) -> bool:
        """The reception comes from a holder of the id's key, or of the group's."""
        return self in (Reason.MANIFEST, Reason.GROUP_ANSWER, Reason.SIGNED_ANSWER)

    @property
    def forged(self) -> bool:
        """The reception cannot come from an honest holder of the id with a working radio and clock."""
        return self in _FORGED

    @property
    def meaning(self) -> str:
        """One line of plain English."""
        return _MEANINGS[self]


_FORGED = frozenset(
    (
        Reason.KEY_UNKNOWN,
        Reason.ID_NOT_BOUND,
        Reason.SIGNATURE,
        Reason.CHAIN_BROKEN,
        Reason.REPLAY,
        Reason.KEY_REVOKED,
        Reason.KEY_OUT_OF_TIME,
        Reason.UNLISTED,
        Reason.OWN_ID,
    )
)

_MEANINGS = {
    Reason.NONE: "no reason: nothing has happened yet, or the order is carried out",
    Reason.MANIFEST: "listed in a manifest with a good signature of the id's key",
    Reason.GROUP_ANSWER: "the interrogation was answered with the group's key: a member, by its own word this one",
    Reason.SIGNED_ANSWER: "the interrogation was answered with a good signature of the id's key",
    Reason.ANSWERING: "the interrogation is answered",
    Reason.MALFORMED: "no radio frame: wrong kind, length, id or number",
    Reason.KEY_UNKNOWN: "the key is not in the key ring",
    Reason.ID_NOT_BOUND: "the key belongs to another id",
    Reason.SIGNATURE: "signature, code or hash does not fit the content",
    Reason.STALE: "older than allowed",
    Reason.FUTURE: "later than the own clock allows",
    Reason.UNMATCHED: "the manifest lists no message that was received",
    Reason.CHAIN_BROKEN: "the manifest does not follow on the one before",
    Reason.REPLAY: "received before",
    Reason.KEY_REVOKED: "the key is revoked",
    Reason.KEY_OUT_OF_TIME: "the key is not valid yet, or not any more",
    Reason.UNLISTED: "a verified manifest of the id covers the time of the message and does not list it",
    Reason.UNSIGNED: "no manifest came for the message",
    Reason.NOT_ASKED: "no interrogation with this nonce is open",
    Reason.SHED: "more signatures than can be checked",
    Reason.LIFE: "the manifest's times contradict each other, or it claims too long a life",
    Reason.OWN_ID: "another transmitter claims the own id",
    Reason.NOT_ARMED: "SPOOF has to be armed first",
    Reason.ARM_EXPIRED: "the arming of SPOOF has expired",
    Reason.WRONG_CODE: "the code is not the one that arming returned",
    Reason.NO_FALSE_IDENTITY: "no false identity is configured",
    Reason.NO_POWER: "the transponder's power is shed; the mode is kept and applies once power is back",
    Reason.WRONG_ORDER: "a field of the order is not allowed",
    Reason.NOT_TRANSMITTING: "the mode transmits nothing",
    Reason.NOT_ADDRESSED: "the interrogation is for another id",
    Reason.TOO_MANY: "more interrogations than are answered",
    Reason.NO_KEY: "no key for the method asked for",
    Reason.NO_ANSWER: "no answer came in time",
}
