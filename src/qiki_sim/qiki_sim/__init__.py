"""Digital twin: rigid bodies and contact, power, heat, faults."""

from qiki_sim.readings import EnergyReading, Health, Motion, ThermalReading, ValveReading
from qiki_sim.scenario import Scenario, load_scenario
from qiki_sim.valves import CommandError, ValveCommand
from qiki_sim.world import World
from qiki_vehicle import ConfigurationError

__all__ = [
    "CommandError",
    "ConfigurationError",
    "EnergyReading",
    "Health",
    "Motion",
    "Scenario",
    "ThermalReading",
    "ValveCommand",
    "ValveReading",
    "World",
    "load_scenario",
]
