"""The shipped vehicle."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # for the helpers beside the tests

from plant import VEHICLE


@pytest.fixture(scope="session")
def vehicle():
    return VEHICLE
