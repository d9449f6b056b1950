"""Missing prerequisites of the machine are named, with one command that installs them."""

import sys
from pathlib import Path

import pytest

from workspace.errors import WorkspaceError
from workspace.prerequisites import missing_packages, require, require_wheel_platform

VERSION = f"python3.{sys.version_info.minor}"


def everything(name: str) -> str:
    return f"/usr/bin/{name}"


@pytest.fixture
def include(tmp_path: Path) -> str:
    folder = tmp_path / VERSION
    folder.mkdir()
    (folder / "Python.h").touch()
    return str(folder)


def test_a_complete_machine_lacks_nothing(include: str) -> None:
    assert missing_packages(everything, lambda _: True, include) == []
    require([])


def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    missing = missing_packages(lambda _: None, lambda _: False, str(tmp_path / VERSION))
    with pytest.raises(WorkspaceError) as error:
        require(missing)
    text = str(error.value)
    assert f"sudo apt-get install -y {VERSION}-venv gcc g++ {VERSION}-dev bash" in text
    for name in ("venv", "C compiler", "C++ compiler", "Python.h"):
        assert name in text


def test_a_c_compiler_is_not_a_cpp_compiler(include: str) -> None:
    only_c = missing_packages(
        lambda name: everything(name) if name in ("cc", "bash") else None, lambda _: True, include
    )
    assert [package for _, package in only_c] == ["g++"]


def test_ensurepip_counts_as_part_of_venv(include: str) -> None:
    without = missing_packages(everything, lambda name: name != "ensurepip", include)
    assert [package for _, package in without] == [f"{VERSION}-venv"]


@pytest.mark.parametrize(
    ("machine", "libc", "fits"),
    [
        ("x86_64", ("glibc", "2.36"), True),
        ("x86_64", ("glibc", "2.28"), True),
        ("x86_64", ("glibc", "2.27"), False),
        ("aarch64", ("glibc", "2.39"), False),
        ("x86_64", ("", ""), False),
    ],
)
def test_wheels_exist_for_this_machine_or_it_is_refused(machine: str, libc: tuple[str, str], fits: bool) -> None:
    if fits:
        require_wheel_platform(machine, libc)
    else:
        with pytest.raises(WorkspaceError, match=machine):
            require_wheel_platform(machine, libc)
