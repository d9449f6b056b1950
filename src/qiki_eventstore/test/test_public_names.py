"""The public names of the package."""

import subprocess
import sys

import pytest

import qiki_eventstore


def test_every_public_name_is_there() -> None:
    for name in qiki_eventstore.__all__:
        assert hasattr(qiki_eventstore, name), name
    with pytest.raises(AttributeError, match="no_such_name"):
        qiki_eventstore.no_such_name  # noqa: B018


def test_the_package_imports_ros_only_for_the_graphs_store() -> None:
    check = (
        "import sys, qiki_eventstore; assert 'rclpy' not in sys.modules; "
        "qiki_eventstore.GraphStore; assert 'rclpy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
