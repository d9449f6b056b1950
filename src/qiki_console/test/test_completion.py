"""Completion in a shell: from the folder of the run alone."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import Result

from qiki_console.cli.install_completion import VARIABLE
from qiki_console.cli.main import cli
from qiki_node.run_file import keep_ports, keep_topics, keep_tracks

Run = Callable[..., Result]


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = (("sim", "/qiki"), ("allocator", "/alpha"), ("allocator", "/bravo"))
    state = {
        "format": 1,
        "phase": "running",
        "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "supervisor": {"pid": 1, "start_ticks": -1},
        "processes": [{"command": [f"__node:={name}", f"__ns:={space}"]} for name, space in nodes],
    }
    (tmp_path / "state.json").write_text(json.dumps(state))
    monkeypatch.setenv("QIKI_RUN_DIR", str(tmp_path))
    monkeypatch.setenv("QIKI_SCRIPT_VERBS", "up down")
    keep_topics(["/alpha/odom", "/clock", "/station/docking"])
    keep_ports("station", ["dorsal", "ventral"])
    keep_ports("alpha", ["A", "B"])
    keep_tracks("alpha", ["alpha-1", "alpha-12", "alpha-3"])


def completions(*words: str) -> list[str]:
    *before, incomplete = words
    return [item.value for item in ShellComplete(cli, {}, "qiki", VARIABLE).get_completions(before, incomplete)]


@pytest.mark.usefixtures("run_folder")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("st",), ["state", "status"]),
        (("u",), ["undock", "up"]),
        (("thrust", ""), ["alpha", "bravo"]),
        (("groups", "b"), ["bravo"]),
        (("allocator", "hold", "a"), ["alpha"]),
        (("sim", "fault", ""), ["alpha", "bravo"]),
        (("state", ""), ["alpha", "bravo"]),
        (("replay", "b"), ["bravo", "b"]),  # the last stands for paths, which the shell completes
        (("topics", "echo", "/c"), ["/clock"]),
        (("topics", "hz", "/"), ["/alpha/odom", "/clock", "/station/docking"]),
        (("dock", "r"), ["release", "report", "reset"]),
        (("dock", "a"), ["alpha"]),
        (("dock", "alpha", "--to", ""), ["bravo", "station"]),
        (("dock", "alpha", "--to", "station:v"), ["station:ventral"]),
        (("dock", "alpha", "--to", "station", "--port", ""), ["A", "B"]),
        (("undock", "st"), ["station"]),
        (("bridge", "set", "station", "--port", "d"), ["dorsal"]),
        (("xpdr", "alpha", "s"), ["silent", "spoof"]),
        (("tracks", "a"), ["alpha"]),
        (("tracks", "alpha", "1"), ["1", "12"]),
        (("tracks", "bravo", ""), []),
        (("iff", "alpha", "--method", "h"), ["hmac"]),
        (("iff", "alpha", "--interrogate", "alpha-1"), ["alpha-1", "alpha-12"]),
        (("guard", "mode", "b"), ["bravo"]),
        (("run", "push"), ["push_and_stop", "push"]),  # the last stands for paths
        (("state", "alpha", "--projection", "e"), ["energy"]),
        (("events", "query", "--type", "allocator.profile_s"), ["allocator.profile_started"]),
    ],
)
def test_names_are_completed_without_a_graph(words: tuple[str, ...], found: list[str]) -> None:
    assert completions(*words) == found


def test_without_a_run_nothing_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QIKI_RUN_DIR", str(tmp_path))
    keep_topics(["/x"])
    assert completions("thrust", "") == completions("topics", "echo", "/") == []


@pytest.mark.parametrize(
    ("shell", "file", "start"),
    [
        ("bash", ".bash_completions/qiki.sh", ".bashrc"),
        ("zsh", ".zfunc/_qiki", ".zshrc"),
        ("fish", ".config/fish/completions/qiki.fish", None),
    ],
)
def test_a_shell_is_set_up_once(qiki: Run, tmp_path: Path, shell: str, file: str, start: str | None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path))
        patch.setenv("SHELL", f"/usr/bin/{shell}")
        for arguments in ((), (shell,)):
            assert qiki("--install-completion", *arguments).exit_code == 0
    assert VARIABLE in (tmp_path / file).read_text()
    if start:
        [line] = (tmp_path / start).read_text().splitlines()
        assert str((tmp_path / file).parent) in line


def test_an_unknown_shell_is_refused(qiki: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/dash")
    result = qiki("--install-completion")
    assert result.exit_code == 2
    assert "SHELL: 'dash' is not known; allowed: bash, zsh, fish" in result.output
