"""Relative navigation to a partner's port and the flight to it."""

from qiki_docking.pilot.pilot import Pilot
from qiki_docking.pilot.steering import Steering

__all__ = ["Pilot", "Steering"]
