"""`qiki run` against a process with the interface of simulator and allocator."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from qiki_console.cli.procedure_display import ProcedureDisplay
from qiki_node import session
from qiki_node.testing import PATIENCE

Run = Callable[..., Result]

pytestmark = [pytest.mark.realtime, pytest.mark.usefixtures("graph", "patient", "no_store")]


@pytest.fixture
def run(qiki: Run, tmp_path: Path) -> Run:
    """Runs a procedure of the given steps."""

    def run_steps(steps: str, *arguments: str) -> Result:
        file = tmp_path / "example.yaml"
        file.write_text(f"name: example\nsteps:\n{steps}")
        return qiki("run", str(file), *arguments)

    return run_steps


def test_steps_are_executed_in_their_order(run: Run) -> None:
    result = run("""
  - {name: faster, command: sim speed 4}
  - {command: thrust alpha --force 200 0 0 --for 0.5, wait: alpha/odom.twist.twist.linear.x > 0.02}
  - {wait: alpha/allocation.state == STATE_IDLE and alpha/thruster_state.working_mass > 50}
  - {command: sim speed 1}
""")
    assert result.exit_code == 0, result.output
    ends = [line.split("  ")[:2] for line in result.stdout.splitlines() if line.startswith("EXECUTED")]
    assert ends == [["EXECUTED", f"steps[{index}]"] for index in range(4)]
    assert "  speed factor 4" in result.stdout, "the output of a verb"
    assert "example: EXECUTED, 4 of 4 steps" in result.stdout
    assert "no event store is there: this leaves no events of the operator" in result.stdout


def test_a_failure_is_handled_as_the_step_asks_for(run: Run) -> None:
    result = run("""
  - {command: sim step 1, on_failure: continue}
  - {command: sim load nowhere, on_failure: [{command: sim speed 0.5}, {command: sim step 1}, {command: sim speed 1}]}
  - {command: sim pause}
""")
    assert result.exit_code == 1
    lines = [line for line in result.stdout.splitlines() if line[0].isupper()]
    assert [line.split("  ")[:2] for line in lines] == [
        ["REJECTED", "steps[0]"],
        ["REJECTED", "steps[1]"],
        ["EXECUTED", "steps[1].on_failure[0]"],
        ["REJECTED", "steps[1].on_failure[1]"],
        ["EXECUTED", "steps[1].on_failure[2]"],
    ]
    assert "simulation is running; pause it first" in lines[0]
    assert "example: REJECTED, 0 of 3 steps" in result.output
    assert "steps[1]: path: 'nowhere' is not there" in result.output


def test_a_time_limit_ends_waits_and_verbs_and_silence_passes_nothing(run: Run, qiki: Run) -> None:
    assert qiki("sim", "fault", "alpha", "sensor_dropout", "odom").exit_code == 0
    result = run("""
  - {wait: alpha/odom.pose.pose.position.x > -1e9, timeout: 0.3, on_failure: continue}
  - {wait: bravo/thruster_state.working_mass > -1, timeout: 0.3, on_failure: continue}
  - {wait: alpha/energy.battery_soc != 0.5, timeout: 0.5, on_failure: continue}
  - {wait: alpha/energy.supercap_soc < 0.5, timeout: 0.5, on_failure: continue}
  - {command: thrust alpha --force 20 0 0 --for 60, timeout: 0.5, on_failure: [{command: sim clear alpha}]}
""")
    assert result.exit_code == 1
    lines = [line for line in result.stdout.splitlines() if line[0].isupper()]
    assert [line.split("  ")[0] for line in lines] == ["TIMEOUT"] * 5 + ["EXECUTED"]
    assert "not done within 0.3 s: no message of /alpha/odom yet" in lines[0]
    assert "no message of /bravo/thruster_state yet" in lines[1]
    assert "a value is not known" in lines[2]
    assert "it does not hold" in lines[3]
    assert "not done within 0.5 s" in lines[4]


@pytest.mark.parametrize(
    "step", ["wait: alpha/odom.pose.pose.position.x > 1e9", "command: thrust alpha --force 20 0 0 --for 60"]
)
def test_ctrl_c_ends_the_step_carries_out_its_failure_and_stops(
    run: Run, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()
    begin = ProcedureDisplay.begin
    monkeypatch.setattr(ProcedureDisplay, "begin", lambda *arguments: (begin(*arguments), begun.set()))

    def interrupt() -> None:
        assert begun.wait(PATIENCE)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=interrupt)
    presser.start()
    result = run(f"""
  - {{{step}, timeout: 300, on_failure: [{{command: sim load nowhere}}, {{command: sim speed 1}}]}}
  - {{command: sim pause}}
""")
    presser.join()
    assert result.exit_code == 1
    lines = [line for line in result.stdout.splitlines() if line[0].isupper()]
    assert [line.split("  ")[:2] for line in lines] == [
        ["CANCELED", "steps[0]"],
        ["REJECTED", "steps[0].on_failure[0]"],
        ["EXECUTED", "steps[0].on_failure[1]"],
    ]
    assert "interrupted" in lines[0]


def test_a_dry_run_checks_names_topics_and_fields_against_the_graph(run: Run) -> None:
    steps = """
  - {command: allocator mode alhpa AUTO}
  - {wait: alpha/odom.twist.linear.x > 1}
  - {wait: alpha/odum.twist.twist.linear.x > 1}
  - {command: sim pause, wait: alpha/allocation.state == STATE_IDLE}
"""
    session.DISCOVERY = 1.0  # of what is not there; set back by the fixture
    result = run(steps, "--dry-run")
    assert result.exit_code == 2
    for complaint in (
        "steps[0].command = 'allocator mode alhpa AUTO': body: 'alhpa' is not there; allowed: alpha, bravo",
        "steps[1].wait = 'alpha/odom.twist.linear.x > 1': wait: ",
        "field 'linear' is not there; allowed: twist, covariance",
        "steps[2].wait = 'alpha/odum.twist.twist.linear.x > 1': topic: '/alpha/odum' is not there; allowed: /alpha",
    ):
        assert complaint in result.output
    assert "steps[3]." not in result.output
    assert "paused" not in result.output
