"""A private ROS domain for this test process, and the shipped vehicle."""

import sys
from pathlib import Path

import pytest

from qiki_node.testing import use_private_domain

use_private_domain(shared_memory=False)

sys.path.append(str(Path(__file__).parent))  # for the helpers beside the tests

from plant import VEHICLE  # noqa: E402


@pytest.fixture(scope="session")
def vehicle():
    return VEHICLE
