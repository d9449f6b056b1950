"""Docking: contact box, state machine, power bridges and cascades."""

from qiki_docking.bridge import BridgeGraph
from qiki_docking.contact import ContactBox, Judgement, PortMotion, RelativeMotion
from qiki_docking.evidence import Sample
from qiki_docking.machine import DockingMachine
from qiki_docking.phases import Drive, Guidance, Phase, Request
from qiki_docking.reasons import Reason
from qiki_docking.reservations import PortReservations
from qiki_docking.values import Answer, Occurrence, Order, Profile, State, rebuilt

__all__ = [
    "Answer",
    "BridgeGraph",
    "ContactBox",
    "DockingMachine",
    "Drive",
    "Guidance",
    "Judgement",
    "Occurrence",
    "Order",
    "Phase",
    "PortMotion",
    "PortReservations",
    "Profile",
    "Reason",
    "RelativeMotion",
    "Request",
    "Sample",
    "State",
    "rebuilt",
]
