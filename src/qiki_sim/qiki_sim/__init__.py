"""Digital twin: rigid bodies and contact, power, heat, faults."""

from qiki_sim.loading import ScenarioError
from qiki_sim.readings import EnergyReading, Health, MassProperties, Motion, ThermalReading, ValveReading
from qiki_sim.scenario import Scenario, load_scenario
from qiki_sim.valves import CommandError, ValveCommand
from qiki_sim.world import World

__all__ = [
    "CommandError",
    "EnergyReading",
    "Health",
    "MassProperties",
    "Motion",
    "Scenario",
    "ScenarioError",
    "ThermalReading",
    "ValveCommand",
    "ValveReading",
    "World",
    "load_scenario",
]
