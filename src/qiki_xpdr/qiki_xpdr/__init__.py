"""Transponder, identification, tracks, spoofing by evidence, guard rules."""

from qiki_xpdr.iff import Iff
from qiki_xpdr.keys import GroupKeys, KeyRing, OwnKeys
from qiki_xpdr.modes import Allegiance, Band, Mode, Occurrence, SpoofState, Status
from qiki_xpdr.reasons import Reason
from qiki_xpdr.standing import Outcome, Standing
from qiki_xpdr.tracker import Picture, Tracker
from qiki_xpdr.transponder import FalseIdentity, Motion, Response, Transponder

__all__ = [
    "Allegiance",
    "Band",
    "FalseIdentity",
    "GroupKeys",
    "Iff",
    "KeyRing",
    "Mode",
    "Motion",
    "Occurrence",
    "Outcome",
    "OwnKeys",
    "Picture",
    "Reason",
    "Response",
    "SpoofState",
    "Standing",
    "Status",
    "Tracker",
    "Transponder",
]
