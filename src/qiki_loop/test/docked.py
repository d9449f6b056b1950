"""Scenarios of docking for tests: bots and a station that stand off, or begin docked."""

import yaml
from shipped import VEHICLE

from qiki_docking import Phase
from qiki_loop.docking_loop import DockingLoop

STATION = {
    "name": "station",
    "type": "STATION",
    "vehicle": str(VEHICLE),
    "source_power": 250.0,
    "shape": {"kind": "cylinder", "radius": 3.0, "length": 12.0},
    "mass": 80000.0,
    "ports": [
        {"name": "A", "position": [0.0, 0.0, 6.15], "axis": [0.0, 0.0, 1.0], "radius": 0.3, "length": 0.15},
        {"name": "B", "position": [0.0, 0.0, -6.15], "axis": [0.0, 0.0, -1.0], "radius": 0.3, "length": 0.15},
    ],
}


def bot(name, position=(0.0, 0.0, 0.0), **entry):
    """An entry of a bot."""
    return {"name": name, "vehicle": str(VEHICLE), "position": list(position), **entry}


def scenario(folder, bots, *, station=True, docked=(), faults=()):
    """Path of a scenario file. docked: body, port, to, to_port, and further fields as a dictionary."""
    names = ("body", "port", "to", "to_port")
    entries = [{**dict(zip(names, one, strict=False)), **dict(*one[4:])} for one in docked]
    content = {"name": "docking", "seed": 1, "bots": bots, "docked": entries, "faults": list(faults)}
    content["bodies"] = [STATION] if station else []
    path = folder / "docking.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def loop(path, seed=1, **options):
    """A docking loop with a slow flight core, after the first readings."""
    docking = DockingLoop.from_file(path, seed, control_rate=20.0, telemetry_rate=0, fault_detection=False, **options)
    docking.loop.run(2.0)
    return docking


def until(docking, body, *phases, longest=400.0):
    """Run until the core of a body is in one of the phases."""
    wanted = [Phase(phase) for phase in phases]
    docking.loop.run_until(lambda: docking.cores[body].phase in wanted, longest)
    return docking
