"""The shipped vehicle."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # for the helpers beside the tests

from qiki_vehicle import Vehicle

VEHICLE_FILE = Path(__file__).resolve().parents[3] / "launch" / "config" / "vehicles" / "dodecahedron.yaml"


@pytest.fixture(scope="session")
def vehicle():
    return Vehicle.from_file(VEHICLE_FILE)
