"""A private ROS domain for this test process, the shipped vehicle, and paths to the helpers beside the tests."""

import sys
from pathlib import Path

import pytest

from qiki_node.testing import use_private_domain

use_private_domain(shared_memory=False)

sys.path.append(str(Path(__file__).parent))

from air import VEHICLE  # noqa: E402


@pytest.fixture(scope="session")
def vehicle():
    return VEHICLE
