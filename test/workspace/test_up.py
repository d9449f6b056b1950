"""`up` with an ordinary ROS 2, which a small stand-in for `ros2` plays; the telemetry is real."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qiki_node.testing import use_private_domain
from workspace import graph
from workspace.distribution import Distribution
from workspace.errors import WorkspaceError
from workspace.layout import Layout

pytestmark = pytest.mark.realtime

use_private_domain(shared_memory=False)

UP = """
import os, signal, sys, time
from pathlib import Path
from workspace import graph
from workspace.distribution import Distribution
from workspace.errors import WorkspaceError
from workspace.layout import Layout
began = time.monotonic()
signal.signal(signal.SIGINT, signal.default_int_handler)  # as the script does, also in a background job
try:
    code = graph.up(Distribution(Layout(Path(sys.argv[1])), Path("/opt/ros/jazzy")), dict(os.environ), ["bots:=2"],
                    detach="--detach" in sys.argv, began=began)
except WorkspaceError as error:
    sys.exit(str(error))
sys.exit(code)
"""
FLEET = """#!{python}
import signal, subprocess, sys, time
import rclpy
from nav_msgs.msg import Odometry
from rclpy.signals import SignalHandlerOptions
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
print("launched", *sys.argv[1:], flush=True)
node_process = subprocess.Popen(["sleep", "3600"])
# Its own handlers would end the context while a message is being published: an error in place of Ctrl-C.
rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
node = rclpy.create_node("sim")
publishers = [node.create_publisher(Odometry, "/%s/odom" % bot, 5) for bot in ("alpha", "bravo")]
try:
    while True:
        for publisher in publishers:
            publisher.publish(Odometry())
        time.sleep(0.05)
except KeyboardInterrupt:
    print("stopped by Ctrl-C", flush=True)
    sys.exit(7)
finally:
    node_process.kill()
"""


@pytest.fixture
def layout(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A checkout that borrows the real environment."""
    (tmp_path / ".venv").symlink_to(root / ".venv")
    (tmp_path / ".qiki").mkdir()
    monkeypatch.setenv("QIKI_RUN_DIR", str(tmp_path / "run"))
    return Layout(tmp_path)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """This process's environment with the stand-in's folder in front."""
    (tmp_path / "bin").mkdir()
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "QIKI_RUN_DIR": str(tmp_path / "run")}


def stand_in(layout: Layout, text: str) -> None:
    file = layout.root / "bin" / "ros2"
    file.write_text(text.format(python=sys.executable))
    file.chmod(0o755)


def heed_hangup() -> None:
    """Undo what nohup has the tests ignore, and everything they start."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def started(layout: Layout, environment: dict[str, str], root: Path) -> Iterator["subprocess.Popen[str]"]:
    """`up` in the foreground."""
    stand_in(layout, FLEET)
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", UP, layout.root], cwd=root, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heed_hangup,  # noqa: PLW1509
    )  # fmt: skip
    with process:
        yield process
        process.kill()


def read_until(process: "subprocess.Popen[str]", text: str) -> str:
    assert process.stdout is not None
    read = ""
    for line in process.stdout:
        read += line
        if text in line:
            return read
    pytest.fail(f"{text!r} never came; output: {read}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_up_says_what_to_do_next_and_passes_signals_on(
    started: "subprocess.Popen[str]", layout: Layout, number: signal.Signals
) -> None:
    read = read_until(started, "./qiki down")
    assert "launched launch qiki_bringup fleet.launch.yaml bots:=2" in read
    assert "Bots    alpha, bravo" in read
    assert "Nodes   /sim;" in read
    assert "./qiki thrust alpha --force 200 0 0 --for 2" in read
    assert graph.running(layout) is not None
    with pytest.raises(WorkspaceError, match="is running"):
        graph.refuse_while_running(layout, "clean")
    started.send_signal(number)
    out, _ = started.communicate(timeout=30)
    assert "stopped by Ctrl-C" in out  # ROS's launch would leave its nodes behind on any other signal
    assert started.returncode == 7  # the launch's own exit code
    assert graph.running(layout) is None


def test_detached_up_returns_once_the_graph_speaks(layout: Layout, environment: dict[str, str], root: Path) -> None:
    stand_in(layout, FLEET)
    command = [sys.executable, "-c", UP, str(layout.root), "--detach"]
    result = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "Bots    alpha, bravo" in result.stdout
    pid = graph.running(layout)
    assert pid is not None
    again = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert f"a graph of this checkout is running (process {pid})" in again.stderr
    assert graph.stop(Distribution(layout, Path("/opt/ros/jazzy"))) == 0
    assert graph.running(layout) is None
    assert "stopped by Ctrl-C" in (layout.run / "up.log").read_text()


def test_a_launch_that_ends_at_once_is_reported(layout: Layout, environment: dict[str, str], root: Path) -> None:
    path = {"PYTHONPATH": f"{root}:{os.environ.get('PYTHONPATH', '')}"}
    stand_in(layout, "#!/bin/sh\nsleep 3600 & echo $! > left\necho no such scenario\nexit 5\n")
    for options, text in (([], ""), (["--detach"], "no such scenario")):
        result = subprocess.run(
            [sys.executable, "-c", UP, str(layout.root), *options],
            cwd=layout.root, env=environment | path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == (1 if options else 5)
        assert text in result.stderr
        assert "no telemetry" not in result.stderr  # it did not wait for any
        left = Path(f"/proc/{(layout.root / 'left').read_text().strip()}/stat")
        assert not left.exists() or left.read_text().rpartition(") ")[2].startswith("Z")  # nothing is left behind


def test_a_scenario_is_a_name_or_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "launch" / "config" / "scenarios"
    folder.mkdir(parents=True)
    (folder / "quiet.yaml").touch()
    (tmp_path / "own.yaml").touch()
    layout = Layout(tmp_path)
    assert graph.launch_arguments(layout, ["quiet", "bots:=3"]) == [f"scenario:={folder}/quiet.yaml", "bots:=3"]
    assert graph.launch_arguments(layout, [str(tmp_path / "own.yaml")]) == [f"scenario:={tmp_path}/own.yaml"]
    with pytest.raises(WorkspaceError, match="no scenario 'loud'; known scenarios: quiet"):
        graph.launch_arguments(layout, ["loud"])
    with pytest.raises(WorkspaceError, match="second scenario"):
        graph.launch_arguments(layout, ["quiet", "quiet"])
