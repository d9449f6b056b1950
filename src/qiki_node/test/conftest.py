"""A private ROS domain for this test process."""

from qiki_node.testing import use_private_domain

use_private_domain(shared_memory=False)
