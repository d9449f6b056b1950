"""mypy knows fields, constants and types of messages from the stubs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workspace.message_stubs import write

pytest.importorskip("qiki_msgs.msg", reason="the messages are not built")

PROGRAM = """
from array import array
from qiki_msgs.action import ExecuteThrustProfile
from qiki_msgs.msg import Energy, ThrusterState
from qiki_msgs.srv import Step

good: int = Energy(pdu=Energy.PDU_ON).header.stamp.sec
duty: array[float] = ThrusterState(duty=[0.5]).duty
health: list[bool] = ThrusterState().open
goal = ExecuteThrustProfile.Goal()
duration: float = Step.Request(duration=1.0).duration
Energy().nothing  # attr-defined
Energy.PDU_NOTHING  # attr-defined
Energy().pdu = "on"  # assignment
Step.Request(time=1.0)  # call-arg
Step.Response(time="now")  # arg-type
"""


def test_a_wrong_field_constant_or_type_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "stubs")
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", "program.py"]
    environment = {**os.environ, "MYPYPATH": str(tmp_path / "stubs")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    errors = [line for line in done.stdout.splitlines() if " error: " in line]
    found = {int(line.split(":")[1]): line.rsplit("[", 1)[1].rstrip("]") for line in errors}
    lines = enumerate(PROGRAM.splitlines(), start=1)
    assert found == {number: line.split("# ")[1] for number, line in lines if "# " in line}, done.stdout
