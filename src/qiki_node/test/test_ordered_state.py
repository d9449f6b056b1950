"""The lifecycle state that a client ordered outlives the process, for the next one of the same launch."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState
from spun_node import SpunNode

from qiki_node.ordered_state import OrderedState
from qiki_node.testing import NodeProcess, Peer

EXAMPLE = [sys.executable, str(Path(__file__).with_name("example_node.py"))]


def test_only_a_process_of_the_same_parent_takes_the_state(tmp_path: Path) -> None:
    path = tmp_path / "lifecycle" / "a.json"
    assert OrderedState(path).read() == ""
    OrderedState(path).keep("inactive")
    assert OrderedState(path).read() == "inactive"
    # A process in between, as a second launch would be.
    code = "import sys; from qiki_node.ordered_state import *; print(repr(OrderedState(Path(sys.argv[1])).read()))"
    shell = ["/bin/sh", "-c", '"$@"; exit', "sh", sys.executable, "-c", code, str(path)]
    assert subprocess.run(shell, capture_output=True, text=True, check=True).stdout == "''\n"
    for damaged in ("", "{", "[]", json.dumps({"state": "active"})):
        path.write_text(damaged)
        with pytest.raises(ValueError, match=r"a\.json cannot be read"):
            OrderedState(path).read()


@pytest.mark.realtime
@pytest.mark.parametrize("autostart", [True, False])
@pytest.mark.parametrize("state", ["", "active", "inactive", "unconfigured", "finalized"])
def test_a_node_begins_as_ordered_or_else_by_autostart(tmp_path: Path, state: str, autostart: bool) -> None:
    if state:
        OrderedState(tmp_path / "begun.json").keep(state)
    arguments = ("-p", f"state_folder:={tmp_path}", "-p", f"autostart:={autostart}", "-p", "events_enabled:=true")
    node = SpunNode("begun", *arguments)
    node.begin()
    by_itself = "active" if autostart else "unconfigured"
    assert node.state == (state or by_itself)
    is_restored = bool(state) and (state == "active") is not autostart
    assert node.events.values()["emitted"] == int(is_restored)
    node.__exit__()


@pytest.mark.realtime
def test_a_killed_node_comes_back_in_the_state_that_a_client_ordered(tmp_path: Path) -> None:
    arguments = ["-p", f"state_folder:={tmp_path}"]
    with NodeProcess(EXAMPLE, arguments) as process, Peer() as peer:
        peer.wait_until_active("/example")
        request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
        assert peer.call(ChangeState, "/example/change_state", request, repeatable=False).success
        process.process.send_signal(signal.SIGKILL)
        process.wait()
    with NodeProcess(EXAMPLE, arguments) as process, Peer() as peer:
        peer.spin_until(lambda: peer.lifecycle_state("/example") == State.PRIMARY_STATE_INACTIVE)
        assert "the lifecycle state that a client ordered before is restored" in process.stop()
