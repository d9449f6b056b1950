"""Wheels or an ordinary ROS 2: the decision, the environment, the command lines."""

import os
from pathlib import Path

import pytest

from workspace import graph, virtual_environment
from workspace.distribution import WHEELS_MARK, Distribution, detect, prepend, require_tools
from workspace.errors import WorkspaceError
from workspace.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "checkout").mkdir()
    return Layout(tmp_path / "checkout")


@pytest.fixture
def ros(tmp_path: Path) -> Path:
    """A folder that looks like an ordinary ROS 2 installation."""
    prefix = tmp_path / "opt" / "ros" / "jazzy"
    (prefix / "share" / "rclpy").mkdir(parents=True)
    return prefix


def test_without_ros_distro_the_wheels_are_used(layout: Layout, ros: Path) -> None:
    assert detect(layout, {"AMENT_PREFIX_PATH": str(ros)}).wheels


def test_a_sourced_installation_is_used(layout: Layout, ros: Path) -> None:
    found = detect(layout, {"ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": f"{layout.install}/qiki_msgs:{ros}"})
    assert (found.prefix, found.name, found.wheels) == (ros, "jazzy", False)


def test_our_own_prefixes_are_no_installation(layout: Layout) -> None:
    (layout.venv / "share" / "rclpy").mkdir(parents=True)
    assert detect(layout, {"ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": str(layout.venv)}).wheels


def test_ros_distro_alone_or_with_a_wrong_path_is_no_installation(layout: Layout, tmp_path: Path) -> None:
    assert detect(layout, {"ROS_DISTRO": "jazzy"}).wheels
    assert detect(layout, {"ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": str(tmp_path / "gone")}).wheels


def test_wheels_environment_replaces_what_another_environment_left(layout: Layout) -> None:
    libraries = layout.venv / "lib" / "python3.11" / "site-packages" / "ros_rcl.libs"
    libraries.mkdir(parents=True)
    base = {
        "PATH": "/other/venv/bin:/usr/bin", "VIRTUAL_ENV": "/other/venv", "AMENT_PREFIX_PATH": "/other/venv",
        "LD_LIBRARY_PATH": "/other/venv/lib", WHEELS_MARK: "1", "PYTHONHOME": "/other", "ROS_DISTRO": "jazzy",
    }  # fmt: skip
    env = Distribution(layout).environment(base)
    assert env["PATH"] == f"{layout.venv}/bin:/other/venv/bin:/usr/bin"
    assert env["VIRTUAL_ENV"] == env["AMENT_PREFIX_PATH"] == env["CMAKE_PREFIX_PATH"] == str(layout.venv)
    assert env["LD_LIBRARY_PATH"] == f"{layout.venv}/lib:{libraries}:/other/venv/lib"
    assert env[WHEELS_MARK] == "1"
    assert "PYTHONHOME" not in env
    assert "ROS_DISTRO" not in env


def test_installations_environment_keeps_ros_and_drops_the_wheels_mark(layout: Layout, ros: Path) -> None:
    base = {"PATH": "/usr/bin", "AMENT_PREFIX_PATH": str(ros), "ROS_DISTRO": "jazzy", WHEELS_MARK: "1"}
    env = detect(layout, base).environment(base)
    assert env["AMENT_PREFIX_PATH"] == str(ros)
    assert env["ROS_DISTRO"] == "jazzy"
    assert WHEELS_MARK not in env
    assert "LD_LIBRARY_PATH" not in env
    assert env["PATH"] == f"{layout.venv}/bin:/usr/bin"


def test_prepend_moves_entries_to_the_front_and_drops_empty_ones() -> None:
    assert prepend(["/a", "/b"], "/c::/a:/d:") == "/a:/b:/c:/d"
    assert prepend([], "") == ""


def test_requirements_of_an_installation_leave_ros_and_numpy_to_it(layout: Layout, ros: Path, root: Path) -> None:
    system = Distribution(Layout(root), ros)
    assert [path.name for path in virtual_environment.requirement_files(system)] == ["runtime.txt"]
    assert [path.name for path in virtual_environment.requirement_files(Distribution(Layout(root)))] == [
        "ros.txt",
        "runtime.txt",
    ]
    kept = virtual_environment.without(root / "requirements" / "runtime.txt", ("numpy",), layout.state / "runtime.txt")
    assert "mujoco==" in kept.read_text()
    assert "numpy==" not in kept.read_text()


def test_launch_runs_by_ros_where_it_is_installed_else_by_ours(layout: Layout, ros: Path) -> None:
    words = ["scenario:=x", "bots:=2"]
    command = graph.launch_command(Distribution(layout, ros), words)
    assert command == ["ros2", "launch", "qiki_bringup", "fleet.launch.yaml", *words]
    ours = graph.launch_command(Distribution(layout), words)
    assert ours[0] == str(layout.venv_python)
    assert ours[-4:] == ["launch", str(layout.root / "launch" / "fleet.launch.yaml"), *words]


def test_missing_tools_of_an_installation_are_named(layout: Layout, ros: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    system = Distribution(layout, ros)
    with pytest.raises(WorkspaceError, match=r"lacks ros2, colcon[^$]*ros-jazzy-ros2cli.*python3-colcon"):
        require_tools(system, {"PATH": str(tools)})
    for name in ("ros2", "colcon"):
        (tools / name).write_text("#!/bin/sh\n")
        (tools / name).chmod(0o755)
    require_tools(system, {"PATH": str(tools)})
    require_tools(Distribution(layout), {"PATH": os.devnull})
