"""Transponder, identification, tracks, spoofing by evidence, guard rules."""

from qiki_vehicle.keys import GroupKeys, KeyRing, OwnKeys
from qiki_xpdr.contacts import Identified
from qiki_xpdr.guard import Alert, Contact, GuardMode, GuardTable
from qiki_xpdr.iff import Iff
from qiki_xpdr.modes import Allegiance, Band, Mode, Occurrence, SpoofState, Status
from qiki_xpdr.reasons import Reason
from qiki_xpdr.replies import assign_replies
from qiki_xpdr.rules import Rules
from qiki_xpdr.spoof import Evidence, SpoofMonitor
from qiki_xpdr.standing import Outcome, Standing
from qiki_xpdr.tracker import Picture, Tracker
from qiki_xpdr.transponder import FalseIdentity, Motion, Response, Transponder
from qiki_xpdr.watch import Reception, Watch

__all__ = [
    "Alert",
    "Allegiance",
    "Band",
    "Contact",
    "Evidence",
    "FalseIdentity",
    "GroupKeys",
    "GuardMode",
    "GuardTable",
    "Identified",
    "Iff",
    "KeyRing",
    "Mode",
    "Motion",
    "Occurrence",
    "Outcome",
    "OwnKeys",
    "Picture",
    "Reason",
    "Reception",
    "Response",
    "Rules",
    "SpoofMonitor",
    "SpoofState",
    "Standing",
    "Status",
    "Tracker",
    "Transponder",
    "Watch",
    "assign_replies",
]
