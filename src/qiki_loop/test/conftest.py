"""Scenarios of the shipped vehicle, for flights in one process."""

import sys
from pathlib import Path

import pytest
import yaml

sys.path.append(str(Path(__file__).parent))  # for the helpers beside the tests

from shipped import VEHICLE


@pytest.fixture(scope="session")
def scenario(tmp_path_factory):
    """Two bots, far apart."""
    path = tmp_path_factory.mktemp("scenario") / "far_apart.yaml"
    bots = [
        {"name": "alpha", "vehicle": str(VEHICLE), "position": [0.0, 0.0, 0.0]},
        {"name": "bravo", "vehicle": str(VEHICLE), "position": [200.0, 0.0, 0.0]},
    ]
    path.write_text(yaml.safe_dump({"name": "far_apart", "seed": 1, "bots": bots}))
    return path
