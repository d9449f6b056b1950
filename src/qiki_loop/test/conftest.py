"""Scenarios of the shipped vehicle, for flights in one process."""

import sys
from pathlib import Path

import pytest
import yaml

sys.path.append(str(Path(__file__).parent))  # for the helpers beside the tests

from shipped import VEHICLE

from qiki_allocator.assembly import assemble
from qiki_loop import ClosedLoop
from qiki_sim import World


@pytest.fixture(scope="session")
def scenario_of(tmp_path_factory):
    """Two bots, far apart: scenario_of(soc_of_bravo) is the path of the file."""

    def write(soc_of_bravo):
        path = tmp_path_factory.mktemp("scenario") / "far_apart.yaml"
        bots = [
            {"name": "alpha", "vehicle": str(VEHICLE), "position": [0.0, 0.0, 0.0]},
            {"name": "bravo", "vehicle": str(VEHICLE), "position": [200.0, 0.0, 0.0], "supercap_soc": soc_of_bravo},
        ]
        path.write_text(yaml.safe_dump({"name": "far_apart", "seed": 1, "bots": bots}))
        return path

    return write


@pytest.fixture(scope="session")
def scenario(scenario_of):
    """Two bots, far apart, as the vehicle file has them."""
    return scenario_of(soc_of_bravo=0.8)


@pytest.fixture
def loop(scenario):
    """A loop of alpha alone, which judges no thruster by its motion."""
    world = World.from_file(scenario)
    core = assemble(world.bot("alpha").vehicle, fault_detection=False, stopwatch=lambda: 0.0)
    loop = ClosedLoop(world, {"alpha": core})
    loop.run(0.2)
    return loop
