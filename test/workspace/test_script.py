"""The root script: any Python reads it, a fitting one is found."""

import ast
import importlib.machinery
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def script(root: Path) -> ModuleType:
    """The script as a module."""
    loader = importlib.machinery.SourceFileLoader("qiki_script", str(root / "qiki"))
    spec = importlib.util.spec_from_loader("qiki_script", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_an_old_python_can_read_it(root: Path) -> None:
    source = (root / "qiki").read_text()
    ast.parse(source, feature_version=(3, 4))
    assert source.isascii()  # Python 2 refuses anything else without a declaration


@pytest.mark.parametrize(
    ("version", "fits"), [((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False), ((2, 7), False)]
)
def test_range_of_versions(script: ModuleType, version: tuple[int, int], fits: bool) -> None:
    assert script.fits(version) is fits


def test_the_newest_working_python_on_path_is_found(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "a" / "python3.13", "#!/bin/sh\nexit 127\n")  # a shim without a version behind it
    program(tmp_path / "a" / "python3.11", "#!/bin/sh\necho 3 11\n")
    good = program(tmp_path / "b" / "python3.12", "#!/bin/sh\necho 3 12\n")
    monkeypatch.setenv("PATH", f"{tmp_path}/a:{tmp_path}/b")
    monkeypatch.delenv("QIKI_PYTHON", raising=False)
    assert script.fitting_python() == str(good)


def test_without_a_fitting_python_the_command_that_installs_one_is_named(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("QIKI_PYTHON", raising=False)
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit) as error:
        script.main()
    assert "this is 3.9" in str(error.value)
    assert "apt-get install -y python3 python3-venv" in str(error.value)


def test_a_chosen_python_that_does_not_fit_is_refused(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = program(tmp_path / "python", "#!/bin/sh\necho 3 9\n")
    monkeypatch.setenv("QIKI_PYTHON", str(old))
    with pytest.raises(SystemExit, match="QIKI_PYTHON"):
        script.main()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["env"], "which command"),
        (["test", "--package"], "needs a name"),
        (["test", "--package", "nothing"], "choose one of"),
        (["test", "--fast"], "unknown argument '--fast'"),
        (["up", "--fast"], "unknown option --fast"),
        (["up", "nowhere"], "no scenario 'nowhere'"),
        (["up", "a" * 300], "no scenario 'aaa"),
        (["up", "a:=1", "b.yaml"], "no scenario"),
        (["clean", "everything"], "unknown argument 'everything'"),
        (["build", "it"], "takes no arguments"),
    ],
)
def test_wrong_use_is_refused_before_any_work(root: Path, arguments: list[str], message: str) -> None:
    result = subprocess.run(
        [sys.executable, root / "qiki", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 1
    assert message in result.stderr
    assert result.stdout == ""


def test_help_names_every_verb(root: Path) -> None:
    result = subprocess.run([sys.executable, root / "qiki", "--help"], capture_output=True, text=True, check=True)
    for verb in (
        "up",
        "down",
        "ps",
        "logs",
        "status",
        "topics",
        "thrust",
        "sim",
        "test",
        "check",
        "build",
        "env",
        "clean",
    ):
        assert f"./qiki {verb}" in result.stdout


@pytest.mark.parametrize(
    ("words", "found"), [("./qiki u", "plain,undock\nplain,up\n"), ("./qiki logs --foll", "plain,--follow\n")]
)
def test_a_shell_completes_verbs_of_the_script_and_of_a_run(root: Path, words: str, found: str) -> None:
    question = {"_QIKI_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    result = subprocess.run([root / "qiki"], env=os.environ | question, capture_output=True, text=True, check=False)
    assert result.stdout == found, result.stderr


def test_a_command_runs_in_the_workspaces_environment(root: Path) -> None:
    question = "import sys, rclpy, qiki_msgs.msg; print(sys.prefix)"
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1"}
    result = subprocess.run(
        [root / "qiki", "env", "python", "-c", question], env=env, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout.strip()) == (0, str(root / ".venv")), result.stderr
    assert subprocess.run([root / "qiki", "env", "false"], env=env, check=False).returncode == 1
