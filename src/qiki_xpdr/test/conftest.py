"""The shipped vehicle, and paths to the helpers beside the tests."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from air import VEHICLE


@pytest.fixture(scope="session")
def vehicle():
    return VEHICLE
