"""The real graph: the fleet launch file run by the launch runner, in a private ROS domain and run directory."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from qiki_msgs.msg import Allocation
from qiki_node.qos import TELEMETRY
from qiki_node.testing import PATIENCE, Peer, use_private_domain

use_private_domain()

sys.path.append(str(Path(__file__).parent))  # for the pilot beside the tests

BOTS = ("alpha", "bravo")
NODES = (
    "/qiki/eventstore",
    "/qiki/sim",
    "/alpha/allocator",
    "/alpha/docking",
    "/alpha/xpdr",
    "/bravo/allocator",
    "/bravo/docking",
    "/bravo/xpdr",
)
WHOLE = 4.0 * PATIENCE
"""s for all processes of a graph, which start at once or end one after the other."""


class Graph:
    """The running graph and its processes."""

    def __init__(self, run_dir: Path, *arguments: str) -> None:
        self.run_dir = run_dir
        self.environment = {**os.environ, "QIKI_RUN_DIR": str(run_dir)}
        command = [sys.executable, "-m", "qiki_launch", "launch", "qiki_bringup", "fleet.launch.yaml", *arguments]
        self.log = (run_dir / "launch.out").open("w")
        self.launch = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, env=self.environment)

    def process(self, name: str) -> dict[str, Any]:
        """Entry of a process, such as `qiki/sim`, in the runner's state file."""
        state = json.loads((self.run_dir / "state.json").read_text())
        return next(process for process in state["processes"] if process["name"] == name)

    def pid(self, name: str) -> int | None:
        """Process id, None while the process is not running."""
        identity = self.process(name)["identity"]
        return identity["pid"] if identity else None

    def run(self, *arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a Python module of the workspace in the graph's environment."""
        return subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=timeout,
            check=False,
        )

    def qiki(self, *arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run an operator command."""
        return self.run("-m", "qiki_console", *arguments, timeout=timeout)

    def start_qiki(self, *arguments: str) -> subprocess.Popen[str]:
        """Start an operator command and return while it runs."""
        return subprocess.Popen(
            [sys.executable, "-m", "qiki_console", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def output(self) -> str:
        return (self.run_dir / "launch.out").read_text()

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        if self.launch.poll() is None:
            self.launch.send_signal(signal.SIGINT)
        try:
            return self.launch.wait(timeout=WHOLE)
        finally:
            self.log.close()
            if self.launch.poll() is None:
                for child in psutil.Process(self.launch.pid).children(recursive=True):
                    child.kill()
                self.launch.kill()


@pytest.fixture(scope="module")
def launch_arguments() -> tuple[str, ...]:
    """Arguments of the launch; a module may override them."""
    return ()


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory, launch_arguments: tuple[str, ...]) -> Iterator[Graph]:
    graph = Graph(tmp_path_factory.mktemp("run"), *launch_arguments)
    try:
        yield graph
    finally:
        code = graph.stop()
    assert code == 0, graph.output()


class Gates:
    """Gates of the allocators: one that has just become active refuses force until energy and temperatures have come.

    Made once, as the discovery of a subscription takes its time.
    """

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._gates: dict[str, str] = {}
        for bot in BOTS:
            peer.node.create_subscription(Allocation, f"/{bot}/allocation", partial(self._take, bot), TELEMETRY)

    def _take(self, bot: str, message: Allocation) -> None:
        self._gates[bot] = message.gate

    def wait_for_force(self) -> None:
        self._gates.clear()
        self._peer.spin_until(
            lambda: len(self._gates) == len(BOTS) and not {"", "STABILISE"} & set(self._gates.values())
        )


@pytest.fixture(scope="module")
def peer_of_module(graph: Graph) -> Iterator[tuple[Peer, Gates]]:
    assert graph.launch.poll() is None, graph.output()
    with Peer() as peer:
        yield peer, Gates(peer)


@pytest.fixture
def peer(graph: Graph, peer_of_module: tuple[Peer, Gates]) -> Peer:
    """A node beside the running graph, whose nodes are all active; one for all tests of a module."""
    peer, gates = peer_of_module
    try:
        for node in NODES:
            assert graph.launch.poll() is None
            peer.wait_until_active(node, WHOLE)
        gates.wait_for_force()
    except AssertionError as error:
        raise AssertionError(f"{error}:\n{graph.output()}") from error
    return peer
