"""A private ROS domain for this test process, and a small graph to talk to."""

import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from qiki_console.cli.main import cli
from qiki_node.testing import NodeProcess, use_private_domain

use_private_domain(shared_memory=False)

# Imported by the first message that is sent; a library of it warns, which would fail the test it happens in.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import_module("rosidl_generator_py")

FAKE_GRAPH = [sys.executable, str(Path(__file__).parent / "fake_graph.py")]

Run = Callable[..., Result]


@pytest.fixture
def qiki() -> Run:
    """Runs the command line in this process."""

    def run(*arguments: str) -> Result:
        return CliRunner(capture="fd").invoke(cli, list(arguments), catch_exceptions=False)

    return run


@pytest.fixture(scope="module")
def graph() -> Iterator[NodeProcess]:
    """A process with a simulator's and an allocator's interface: see fake_graph.py."""
    with NodeProcess(FAKE_GRAPH) as process:
        assert process.process.stdout is not None
        assert "ready\n" in iter(process.process.stdout.readline, "")
        yield process
        process.stop()
