"""A private ROS domain for this test process, and the vehicle."""

import sys
from pathlib import Path

import pytest

from qiki_allocator import ThrusterArray
from qiki_allocator.assembly import thrusters
from qiki_node.testing import use_private_domain
from qiki_vehicle import Vehicle

use_private_domain(shared_memory=False)
sys.path.append(str(Path(__file__).parent))  # for the helpers beside the tests

VEHICLE_FILE = Path(__file__).resolve().parents[3] / "launch" / "config" / "vehicles" / "dodecahedron.yaml"


@pytest.fixture(scope="session")
def vehicle_file() -> Path:
    return VEHICLE_FILE


@pytest.fixture(scope="session")
def vehicle() -> Vehicle:
    return Vehicle.from_file(VEHICLE_FILE)


@pytest.fixture(scope="session")
def array(vehicle: Vehicle) -> ThrusterArray:
    return thrusters(vehicle)
