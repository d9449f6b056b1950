"""Scenarios made from the shipped vehicle file with some values replaced, and flying them."""

import copy
from pathlib import Path

import numpy as np
import yaml

from qiki_sim import ValveCommand, World

CONFIG = Path(__file__).resolve().parents[3] / "launch" / "config"
VEHICLE = CONFIG / "vehicles" / "dodecahedron.yaml"
FORWARD = (4, 5, 6, 7)  # pure +x force when the centre of mass is at the geometric centre
YAW = (0, 2, 5, 7)  # pure yaw torque


def merged(base, changes):
    """A deep copy of `base` with the nested `changes` put in."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def write_vehicle(folder: Path, changes=None) -> Path:
    """The shipped vehicle with changes; its thruster file by absolute path."""
    data = merged(yaml.safe_load(VEHICLE.read_text()), changes or {})
    data["thrusters"] = str(VEHICLE.parent / data["thrusters"])
    path = folder / "vehicle.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def write_scenario(folder: Path, vehicle=None, bots=None, **sections) -> Path:
    """A scenario of bots given as name: changes of the entry; by default alpha at the origin."""
    vehicle_path = write_vehicle(folder, vehicle)
    entries = [
        {"name": name, "vehicle": str(vehicle_path), "position": [0.0, 0.0, 0.0], **entry}
        for name, entry in (bots or {"alpha": {}}).items()
    ]
    path = folder / "scenario.yaml"
    path.write_text(yaml.safe_dump({"name": "test", "bots": entries, **sections}))
    return path


def make_world(folder: Path, vehicle=None, bots=None, **sections) -> World:
    return World.from_file(write_scenario(folder, vehicle, bots, **sections))


def command(stamp, opening=(), closing=(), *, at=0.0, until=0.0, window=0.1, count=16) -> ValveCommand:
    """Open some valves `at` s and close some `until` s after the stamp."""
    opens, closes = np.full(count, np.nan), np.full(count, np.nan)
    opens[list(opening)] = at
    closes[list(closing)] = until
    return ValveCommand(stamp, window, opens, closes)


def burn(world: World, thrusters, seconds: float, bot="alpha", period=0.1) -> None:
    """Hold the thrusters open for that long, commanding every `period` s, then close them."""
    for _ in range(round(seconds / period)):
        world.command(bot, command(world.time, opening=thrusters))
        world.step(period)
    world.command(bot, command(world.time, closing=range(16)))


NO_MASS_FLOW = {"body": {"isp": 1e12, "com": [0.0, 0.0, 0.0]}}
"""Centre of mass at the geometric centre and a mass that stays."""

COLD = {"propulsion": {"watts_per_newton": 1e-6}}
"""Thrust without power or heat to speak of."""
