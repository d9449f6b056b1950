"""A private ROS domain for this test process, and a small graph to talk to."""

import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from qiki_console.cli.main import cli
from qiki_node.testing import PATIENCE, NodeProcess, use_private_domain

use_private_domain(shared_memory=False)

# Imported by the first message that is sent; a library of it warns, which would fail the test it happens in.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import_module("rosidl_generator_py")

Run = Callable[..., Result]


@pytest.fixture
def qiki() -> Run:
    """Runs the command line in this process."""

    def run(*arguments: str) -> Result:
        return CliRunner(capture="fd").invoke(cli, list(arguments), catch_exceptions=False)

    return run


def _playing(file: str) -> Iterator[NodeProcess]:
    """A process of this folder that plays nodes, from when it is ready on."""
    with NodeProcess([sys.executable, str(Path(__file__).parent / file)]) as process:
        assert process.process.stdout is not None
        assert "ready\n" in iter(process.process.stdout.readline, "")
        yield process
        process.stop()


@pytest.fixture(scope="module")
def graph() -> Iterator[NodeProcess]:
    """A simulator's and an allocator's interface."""
    yield from _playing("fake_graph.py")


@pytest.fixture(scope="module")
def bodies() -> Iterator[NodeProcess]:
    """Docking nodes of alpha, bravo and station, and an event store."""
    yield from _playing("fake_docking.py")


@pytest.fixture(scope="module")
def sky() -> Iterator[NodeProcess]:
    """A node of transponder and tracks of alpha, and bravo without one."""
    yield from _playing("fake_surveillance.py")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Discovery as long as a busy machine may need."""
    monkeypatch.setattr("qiki_node.session.DISCOVERY", PATIENCE)


@pytest.fixture
def no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no event store: it is not waited for."""
    monkeypatch.setattr("qiki_console.graph.operator_log._FIRST", 0.1)
