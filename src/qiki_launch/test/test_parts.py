"""Parts of the supervisor, each alone: back-off, output, identities, run state, shared memory."""

import dataclasses
import fcntl
import io
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_launch.errors import RunError
from qiki_launch.plan.launch_plan import LaunchPlan
from qiki_launch.run.backoff import Backoff, BackoffPolicy
from qiki_launch.run.child import describe_exit
from qiki_launch.run.event_files import EventFiles
from qiki_launch.run.identity import Identity, boot_id, session_members
from qiki_launch.run.output import LineSplitter, LogFile, Screen
from qiki_launch.run.run_state import RUNNING, ProcessRecord, RunFolder, RunState
from qiki_launch.run.supervisor import Supervisor
from qiki_node.shared_memory import remove_stale

POLICY = BackoffPolicy(stable=10.0, cap=30.0, least=0.5)


# Back-off


@pytest.mark.requirement("L-4")
@given(st.floats(0.0, 60.0), st.lists(st.floats(0.0, 100.0), max_size=40))
def test_waits_stay_between_the_delay_and_the_cap(delay: float, lives: list[float]) -> None:
    backoff = Backoff(POLICY, delay)
    for life in lives:
        backoff, wait = backoff.after_exit(life)
        assert delay <= wait <= max(POLICY.cap, delay)
        if life >= POLICY.stable:
            assert wait == delay


@pytest.mark.requirement("L-4")
@given(st.floats(0.0, 5.0), st.integers(1, 100))
def test_early_deaths_double_the_wait_up_to_the_cap(delay: float, deaths: int) -> None:
    backoff, waits = Backoff(POLICY, delay), []
    for _ in range(deaths):
        backoff, wait = backoff.after_exit(0.1)
        waits.append(wait)
    assert waits[0] == delay
    assert waits == sorted(waits)
    for before, after in itertools.pairwise(waits[1:]):
        assert after == min(2.0 * before, POLICY.cap)


def test_a_stable_life_forgets_the_early_deaths() -> None:
    backoff = Backoff(POLICY, 1.0)
    for _ in range(5):
        backoff, wait = backoff.after_exit(0.0)
    assert wait == 16.0
    backoff, wait = backoff.after_exit(10.0)
    assert wait == 1.0
    assert backoff.after_exit(0.0)[1] == 2.0


# Output


@pytest.mark.requirement("L-6")
@given(st.lists(st.binary()))
def test_lines_are_whole_however_the_bytes_come(chunks: list[bytes]) -> None:
    splitter = LineSplitter()
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    whole = b"".join(chunks)
    assert lines + splitter.flush() == [
        *whole.split(b"\n")[:-1],
        *([whole.split(b"\n")[-1]] if whole.split(b"\n")[-1] else []),
    ]


def test_a_line_without_an_end_is_passed_on_in_parts() -> None:
    splitter = LineSplitter()
    parts = splitter.feed(b"x" * 200_000) + splitter.flush()
    assert b"".join(parts) == b"x" * 200_000
    assert max(map(len, parts)) <= 65536


@pytest.mark.requirement("L-6")
def test_log_files_begin_anew_at_their_limit_and_keep_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    path.write_text("earlier run\n")
    log = LogFile(path, limit=20)
    assert path.with_name("node.log.1").read_text() == "earlier run\n"
    for number in range(4):
        log.write(f"line {number}".encode())
    log.close()
    assert path.with_name("node.log.1").read_text() == "line 0\nline 1\n"
    assert path.read_text() == "line 2\nline 3\n"


def test_the_screen_names_the_writer_and_survives_its_reader() -> None:
    stream = io.StringIO()
    screen = Screen(stream)
    screen.line("a/b", "text")
    assert stream.getvalue() == "[a/b] text\n"
    stream.close()
    screen.line("a/b", "lost")
    assert not screen.is_open


def test_colours_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured, plain = Terminal(), Terminal()
    Screen(coloured).line("a", "text")
    monkeypatch.setenv("NO_COLOR", "1")
    Screen(plain).line("a", "text")
    assert coloured.getvalue().startswith("\x1b[")
    assert plain.getvalue() == "[a] text\n"


@pytest.mark.parametrize(
    ("status", "text"),
    [(0, "exit code 0"), (3, "exit code 3"), (-9, "killed by SIGKILL"), (-99, "killed by signal 99")],
)
def test_exits_are_described(status: int, text: str) -> None:
    assert describe_exit(status) == text


# Identities


@pytest.mark.requirement("L-9")
def test_an_identity_is_one_process_and_not_its_pid() -> None:
    this = Identity.of(os.getpid())
    assert this is not None
    assert this.is_alive()
    assert this.age() > 0.0
    assert not Identity(this.pid, this.start_ticks + 1).is_alive()
    assert session_members(Identity(this.pid, this.start_ticks - 1)) == []


def test_a_process_that_ended_is_not_alive_even_unreaped() -> None:
    child = subprocess.Popen([sys.executable, "-SE", "-c", ""])
    identity = Identity.of(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert identity is None or not identity.is_alive()
    child.wait()
    assert Identity.of(child.pid) is None


def test_members_of_a_session_are_found_when_its_leader_is_gone() -> None:
    code = "import subprocess,sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); sys.stdin.read()"
    leader = subprocess.Popen(
        [sys.executable, "-SE", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert leader.stdout is not None
    member = int(leader.stdout.readline())
    identity = Identity.of(leader.pid)
    assert identity is not None
    assert {one.pid for one in session_members(identity)} == {leader.pid, member}
    assert leader.stdin is not None
    leader.stdin.close()
    leader.wait()
    leader.stdout.close()
    try:
        assert [one.pid for one in session_members(identity)] == [member]
    finally:
        os.kill(member, 9)


# Run state


def a_state() -> RunState:
    this = Identity.of(os.getpid())
    assert this is not None
    living = ProcessRecord("a/b", ("x", "y"), "/log", RUNNING, this, 2, "exit code 1", "2026-01-01")
    return RunState(
        this, boot_id(), "/f", {"a": "b"}, "2026-01-01", RUNNING, (living, ProcessRecord("c", ("z",), "/l"))
    )


def test_the_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert folder.read() is None
    folder.lock()
    folder.write(a_state())
    folder.unlock()
    assert folder.read() == a_state()
    assert [record.name for record in a_state().living()] == ["a/b"]
    assert [path.name for path in folder.path.glob("*.tmp")] == []


def test_a_state_of_another_boot_has_nothing_alive() -> None:
    other = dataclasses.replace(a_state(), boot="another")
    assert not other.supervisor_alive()
    assert other.living() == ()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1}'])
def test_a_broken_state_is_an_error_that_names_the_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(RunError, match=r"state\.json cannot be read"):
        RunFolder(tmp_path).read()


@pytest.mark.requirement("L-9")
def test_a_folder_belongs_to_one_supervisor(tmp_path: Path) -> None:
    first, second = RunFolder(tmp_path), RunFolder(tmp_path)
    first.lock()
    first.write(a_state())
    with pytest.raises(RunError, match=rf"a launch \(pid {os.getpid()}, /f\) is running in {tmp_path}"):
        second.lock()
    first.unlock()
    second.lock()
    second.unlock()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be used"):
        RunFolder(tmp_path / "file/run").lock()


def test_a_log_that_cannot_be_replaced_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (folder.logs / "launch.log.1").mkdir(parents=True)
    (folder.logs / "launch.log").touch()
    with pytest.raises(RunError, match=rf"run directory {tmp_path} cannot be used: .*launch\.log"):
        Supervisor(LaunchPlan(Path("/f"), {}, ()), folder, Screen(io.StringIO())).run()
    folder.lock()
    folder.unlock()


# Shared memory


@pytest.mark.requirement("L-8")
def test_only_what_nobody_holds_is_removed(tmp_path: Path) -> None:
    stale = ["fastrtps_0123456789abcdef", "fastrtps_0123456789abcdef_el", "fastdds_port7400", "fastdds_port7400_sl"]
    held = ["fastrtps_port7411", "fastrtps_port7411_el", "sem.fastrtps_port7411_mutex"]
    fresh = ["fastrtps_port7413", "fastrtps_port7413_el"]
    others = ["fastrtps_port", "fastrtps_x_el", "other_port7400_el", "sem.fastdds_port9_mutex"]
    for name in [*stale, "sem.fastdds_port7400_mutex", *held, *fresh, *others]:
        (tmp_path / name).touch()
        # Fresh ones stay so, however long a busy machine takes to look at them.
        written = time.time() + (60 if name in fresh else -60)
        os.utime(tmp_path / name, (written, written))
    with (tmp_path / "fastrtps_port7411_el").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert remove_stale(tmp_path) == ["fastdds_port7400", "fastrtps_0123456789abcdef"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*held, *fresh, *others])
    assert remove_stale(tmp_path / "missing") == []


def test_an_event_with_a_file_name_that_is_no_utf_8_can_be_stored(tmp_path):
    EventFiles(tmp_path, show=print).emit("launch.started", {"file": "/tmp/\udcff.yaml"})
    (file,) = tmp_path.glob("*.json")
    record = json.loads(file.read_text(encoding="utf-8"))
    assert record["payload"] == {"file": "/tmp/?.yaml"}
    assert record["time"] > 0
