"""Long steps and the lock around them, with real processes."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from workspace.errors import WorkspaceError
from workspace.progress import Step, group_lives, run_step, run_steps

STEP = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # as the script does, also in a background job
from pathlib import Path
from workspace.progress import group_lives, run_step
run_step("step", ["sh", "-c", "echo $$ > {pid}; sleep 60 & echo started; wait"],
         log=Path("{log}"), env={{"PATH": "{path}"}}, cwd=Path("/"))
"""
HOLD = """
import sys, time
from pathlib import Path
from workspace.lock import exclusive
with exclusive(Path(sys.argv[1]), "the set-up"):
    print("in", flush=True)
    sys.stdin.readline()
    print("out", flush=True)
"""


def step(script: str, log: Path, *, check: bool = True) -> int:
    return run_step("step", ["sh", "-c", script], log=log, env=dict(os.environ), cwd=log.parent, check=check)


def test_the_whole_output_is_in_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "new" / "step.log"
    log.parent.mkdir()
    assert step("for i in 1 2 3; do echo line $i; done; echo oops >&2", log) == 0
    assert "line 1\nline 2\nline 3\noops\n" in log.read_text()
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "qiki: step: done" in captured.err


def test_a_failure_shows_the_end_of_the_output_and_where_the_rest_is(tmp_path: Path) -> None:
    log = tmp_path / "step.log"
    with pytest.raises(WorkspaceError) as error:
        step("for i in $(seq 100); do echo line $i; done; exit 3", log)
    text = str(error.value)
    assert "exit code 3" in text
    assert str(log) in text
    assert "line 100" in text
    assert "line 1\n" not in text
    assert step("exit 3", log, check=False) == 3


def test_some_steps_run_at_once_and_each_keeps_its_exit_code(tmp_path: Path) -> None:
    # The first two wait for each other; the third begins when one of them has ended.
    meet = "touch {0}; while ! [ -e {1} ]; do sleep 0.02; done; touch ended; exit {0}"
    scripts = [meet.format(3, 4), meet.format(4, 3), "[ -e ended ] && exit 5"]

    def start(number: int) -> Step:
        command = ["sh", "-c", scripts[number]]
        return Step(str(number), command, log=tmp_path / f"{number}.log", env=dict(os.environ), cwd=tmp_path)

    assert run_steps([partial(start, number) for number in range(3)], at_once=2) == [3, 4, 5]


def test_nothing_outlives_a_step(tmp_path: Path) -> None:
    assert step("echo $$ > pid; sleep 60 & exit 0", tmp_path / "step.log") == 0
    assert not group_lives(int((tmp_path / "pid").read_text()))


def test_an_interrupt_ends_the_step_with_its_children(root: Path, tmp_path: Path) -> None:
    pid, log = tmp_path / "pid", tmp_path / "log"
    code = STEP.format(pid=pid, log=log, path=os.environ["PATH"])
    process = subprocess.Popen([sys.executable, "-c", code], cwd=root, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while "started\n" not in (log.read_text() if log.exists() else ""):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0
        assert not group_lives(int(pid.read_text()))
    finally:
        process.kill()


def test_the_second_process_waits_and_says_for_whom(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-c", HOLD, str(tmp_path / "lock")]

    def start() -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    first = start()
    with first:
        assert first.stdout is not None
        assert first.stdout.readline() == "in\n"
        with start() as second:
            assert second.stderr is not None
            assert f"waiting for another ./qiki (process {first.pid}) to finish the set-up" in second.stderr.readline()
            first.kill()  # the lock goes with its holder
            assert second.communicate("\n", timeout=30)[0] == "in\nout\n"
            assert second.returncode == 0
