"""The nodes that a run should have, from the runner's state file."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from qiki_node.errors import up_hint
from qiki_node.run_file import RunFile, domain_id, read_run_file

BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def identity(pid: int) -> dict[str, int]:
    return {"pid": pid, "start_ticks": int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])}


def process(*words: str, of: dict[str, int] | None = None) -> dict[str, Any]:
    return {"name": "x", "command": ["/bin/node", "--ros-args", *words], "state": "running", "identity": of}


def write(folder: Path, **changes: Any) -> dict[str, str]:
    state = {
        "format": 1,
        "phase": "running",
        "boot": BOOT,
        "supervisor": identity(os.getpid()),
        "processes": [
            process("-r", "__node:=sim", "-r", "__ns:=/qiki"),
            process("-r", "__node:=allocator", "-r", "__ns:=/alpha", "--params-file", "/x"),
            process("-r", "__node:=rviz"),
            process("-r", "__node:=_hidden", "-r", "__ns:=/alpha"),
            process(),
        ],
    }
    (folder / "state.json").write_text(json.dumps(state | changes))
    return {"QIKI_RUN_DIR": str(folder)}


def test_the_nodes_of_a_run_are_those_that_were_started(tmp_path: Path) -> None:
    run = read_run_file(write(tmp_path))
    assert run is not None
    assert run.nodes == ("/alpha/allocator", "/qiki/sim", "/rviz")
    assert run.namespaces == ("alpha",)


@pytest.mark.parametrize("changes", [{"phase": "stopped"}, {"boot": "another"}, {"format": 2}, {"processes": 5}])
def test_a_run_that_ended_or_cannot_be_read_names_no_nodes(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert read_run_file(write(tmp_path, **changes)) is None


def test_without_a_file_there_is_no_run(tmp_path: Path) -> None:
    assert read_run_file({"QIKI_RUN_DIR": str(tmp_path)}) is None
    (tmp_path / "state.json").write_bytes(b"\xff{")
    assert read_run_file({"QIKI_RUN_DIR": str(tmp_path)}) is None


def test_a_reused_process_id_is_not_the_supervisor(tmp_path: Path) -> None:
    run = read_run_file(write(tmp_path, supervisor={"pid": os.getpid(), "start_ticks": 1}))
    assert run is not None
    assert (run.nodes, run.domain) == (("/alpha/allocator", "/qiki/sim", "/rviz"), None)


def test_processes_that_are_gone_or_stopped_are_known(tmp_path: Path) -> None:
    nodes = [
        ("-r", f"__node:={name}", "-r", "__ns:=/qiki") for name in ("lives", "stopped", "ended", "reused", "waits")
    ]
    with subprocess.Popen(["sleep", "60"]) as child, subprocess.Popen(["true"]) as ended:
        of = [identity(os.getpid()), identity(child.pid), identity(ended.pid), {"pid": 1, "start_ticks": -1}, None]
        child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED)
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        run = read_run_file(write(tmp_path, processes=[process(*n, of=i) for n, i in zip(nodes, of, strict=True)]))
        child.kill()
    assert run is not None
    assert run.frozen == {"/qiki/stopped"}
    assert run.gone == {"/qiki/ended", "/qiki/reused", "/qiki/waits"}


def test_the_hint_names_the_domain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QIKI_RUN_DIR", str(tmp_path))
    monkeypatch.setenv("ROS_DOMAIN_ID", "17")
    assert up_hint().endswith("this is ROS_DOMAIN_ID 17")
    monkeypatch.setattr("qiki_node.errors.read_run_file", lambda: RunFile((), 5))
    assert up_hint() == "this is ROS_DOMAIN_ID 17, the graph of this run directory is in 5"


@pytest.mark.parametrize(("text", "number"), [("", 0), ("0", 0), ("232", 232), ("007", 7)])
def test_a_domain_is_a_number(text: str, number: int) -> None:
    assert domain_id({"ROS_DOMAIN_ID": text}) == number
    assert domain_id({}) == 0


@pytest.mark.parametrize("text", ["abc", "-1", "233", " 5", "5.0", "٣", "1_0", "+3", "99999999999999999999"])
def test_any_other_domain_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"ROS_DOMAIN_ID: .* is not allowed; allowed: 0 to 232"):
        domain_id({"ROS_DOMAIN_ID": text})
