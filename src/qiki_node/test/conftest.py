"""A private ROS domain for this test process."""

import sys
from pathlib import Path

from qiki_node.testing import use_private_domain

sys.path.append(str(Path(__file__).parent))  # for the helpers beside the tests

use_private_domain(shared_memory=False)
