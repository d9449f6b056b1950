"""A private ROS domain for this test process, and scenarios made from the shipped files."""

import sys
from pathlib import Path

from qiki_node.testing import use_private_domain

use_private_domain(shared_memory=False)
sys.path.insert(0, str(Path(__file__).parent))
