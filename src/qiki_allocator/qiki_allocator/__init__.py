"""Thrust allocator: a wrench to valve pulses, optimal under power."""

from qiki_allocator.allocation.allocator import Allocator
from qiki_allocator.allocation.answers import Allocation, Certificate, Limits
from qiki_allocator.allocation.thrusters import ThrusterArray
from qiki_allocator.groups.controllability import controllable_axes, largest_wrench
from qiki_allocator.groups.thrust_groups import ThrustGroup, ThrustGroups, thrust_groups
from qiki_allocator.health.detection import FaultDetector
from qiki_allocator.health.detector_settings import DetectorSettings
from qiki_allocator.modulation.impulse_bit import ImpulseBit, ImpulseBitSettings
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_allocator.modulation.modulator import Modulator
from qiki_allocator.modulation.pulse_width import PulseWidth, PulseWidthSettings
from qiki_allocator.modulation.switched import BangBang, CycleSettings, Pwpf
from qiki_allocator.modulation.switching import BangBangSettings, PwpfSettings
from qiki_allocator.modulation.valves import ValveTiming
from qiki_vehicle import ConfigurationError

__all__ = [
    "Allocation",
    "Allocator",
    "BangBang",
    "BangBangSettings",
    "Certificate",
    "ConfigurationError",
    "CycleSettings",
    "DetectorSettings",
    "FaultDetector",
    "ImpulseBit",
    "ImpulseBitSettings",
    "Limits",
    "Modulator",
    "PulseWidth",
    "PulseWidthSettings",
    "Pwpf",
    "PwpfSettings",
    "ThrustGroup",
    "ThrustGroups",
    "ThrusterArray",
    "ValveCommand",
    "ValveTiming",
    "controllable_axes",
    "largest_wrench",
    "thrust_groups",
]
