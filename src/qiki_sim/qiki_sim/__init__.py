"""Digital twin: rigid bodies and contact, power, heat, radar, radio, faults."""

from qiki_sim.air.radar import RadarReading
from qiki_sim.air.radio import Reception, Transmission
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
    "RadarReading",
    "Reception",
    "Scenario",
    "ThermalReading",
    "Transmission",
    "ValveCommand",
    "ValveReading",
    "World",
    "load_scenario",
]
