"""Rebuild of a package, exactly when its inputs changed."""

from pathlib import Path

import pytest

from workspace import build, checks, virtual_environment
from workspace.distribution import Distribution
from workspace.errors import WorkspaceError
from workspace.layout import Layout
from workspace.packages import Package, find

MANIFEST = '<package format="3"><name>{}</name><export><build_type>{}</build_type></export></package>'


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A checkout of one Python package with a data file and one package of messages."""
    layout = Layout(tmp_path)
    files = {
        "src/bot/package.xml": MANIFEST.format("bot", "ament_python"),
        "src/bot/setup.py": "setup()",
        "src/bot/setup.cfg": "[install]",
        "src/bot/bot/__init__.py": "",
        "src/bot/bot/bot.proto": "message Bot {}",
        "src/bot/config/bot.yaml": "mass: 1",
        "src/bot/test/test_bot.py": "",
        "msg/package.xml": MANIFEST.format("bot_msgs", "ament_cmake"),
        "msg/msg/Bot.msg": "float64 mass",
        "requirements/ros.txt": "a==1",
        "requirements/runtime.txt": "b==1",
        "requirements/constraints.txt": "c==1",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return layout


def mark_built(layout: Layout) -> None:
    """Write the results of a successful build."""
    common = build.common_key(Distribution(layout))
    for package in find(layout):
        for folder in (layout.build, layout.install):
            (folder / package.name).mkdir(parents=True, exist_ok=True)
        build.stamp(layout, package.name).write(build.package_key(package, common))


def outdated(layout: Layout) -> list[str]:
    return [package.name for package in build.outdated(Distribution(layout))]


def test_packages_are_found_with_their_build_type(layout: Layout) -> None:
    bot, messages = find(layout)
    assert bot == Package("bot", layout.root / "src" / "bot", "ament_python")
    assert bot.tests
    assert messages == Package("bot_msgs", layout.root / "msg", "ament_cmake")
    assert not messages.tests


def test_a_name_that_stands_twice_or_is_missing_is_refused(layout: Layout) -> None:
    second = layout.root / "src" / "other" / "package.xml"
    second.parent.mkdir()
    second.write_text(MANIFEST.format("bot", "ament_python"))
    with pytest.raises(WorkspaceError, match=r"other/package.xml.*bot is also in"):
        find(layout)
    second.write_text("<package/>")
    with pytest.raises(WorkspaceError, match=r"other/package.xml: no <name>"):
        find(layout)
    second.write_text("<package>")
    with pytest.raises(WorkspaceError, match=r"other/package.xml"):
        find(layout)


def test_a_fresh_checkout_needs_everything_and_a_built_one_nothing(layout: Layout) -> None:
    assert outdated(layout) == ["bot", "bot_msgs"]
    mark_built(layout)
    assert outdated(layout) == []


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("src/bot/bot/core.py", []),  # linked
        ("src/bot/bot/__init__.py", []),
        ("src/bot/bot/bot.proto", ["bot"]),
        ("src/bot/bot/bot_pb2.pyi", []),  # made by the build
        ("src/bot/config/bot.yaml", []),
        ("src/bot/test/test_more.py", []),
        ("src/bot/config/new.yaml", ["bot"]),
        ("src/bot/setup.py", ["bot"]),
        ("src/bot/setup.cfg", ["bot"]),
        ("src/bot/package.xml", ["bot"]),
        ("msg/msg/Bot.msg", ["bot_msgs"]),
        ("msg/msg/New.msg", ["bot_msgs"]),
        ("requirements/ros.txt", ["bot", "bot_msgs"]),
        ("requirements/constraints.txt", ["bot", "bot_msgs"]),
    ],
)
def test_a_change_rebuilds_what_it_concerns(layout: Layout, name: str, needs: list[str]) -> None:
    mark_built(layout)
    path = layout.root / name
    path.write_text((path.read_text() if path.exists() else "") + "\n")
    assert outdated(layout) == needs


def test_cpp_interfaces_are_left_out_on_the_wheels_alone(layout: Layout) -> None:
    wheels = Distribution(layout)
    installed = Distribution(layout, Path("/opt/ros/jazzy"))
    assert set(build.cmake_arguments(wheels)) - set(build.cmake_arguments(installed)) == {"-DQIKI_PYTHON_ONLY=ON"}


def test_a_removed_data_file_rebuilds(layout: Layout) -> None:
    mark_built(layout)
    (layout.root / "src/bot/config/bot.yaml").unlink()
    assert outdated(layout) == ["bot"]


def test_a_removed_result_rebuilds(layout: Layout) -> None:
    mark_built(layout)
    (layout.build / "bot").rmdir()
    assert outdated(layout) == ["bot"]


def test_a_moved_checkout_rebuilds_all(layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> None:
    mark_built(layout)
    elsewhere = tmp_path_factory.mktemp("moved") / "here"
    layout.root.rename(elsewhere)
    assert outdated(Layout(elsewhere)) == ["bot", "bot_msgs"]


@pytest.mark.parametrize("state", ["running", "failed", "0" * 64])
def test_an_interrupted_or_failed_build_is_repeated(layout: Layout, state: str) -> None:
    mark_built(layout)
    build.stamp(layout, "bot").write(state)
    assert outdated(layout) == ["bot"]


def test_the_environments_key_follows_pins_and_place(layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = virtual_environment.key(Distribution(layout))
    assert virtual_environment.key(Distribution(layout)) == before
    (layout.root / "requirements/runtime.txt").write_text("b==2")
    pins = virtual_environment.key(Distribution(layout))
    elsewhere = tmp_path_factory.mktemp("moved") / "here"
    layout.root.rename(elsewhere)
    moved = virtual_environment.key(Distribution(Layout(elsewhere)))
    assert len({before, pins, moved}) == 3


def test_an_environment_without_its_interpreter_is_none(layout: Layout) -> None:
    assert virtual_environment.interpreter(layout) is None
    (layout.venv / "bin").mkdir(parents=True)
    (layout.venv / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.2\n")
    layout.venv_python.symlink_to("/nowhere/python3.11")
    assert virtual_environment.interpreter(layout) is None
    assert not virtual_environment.ready(Distribution(layout))


@pytest.mark.parametrize(
    ("line", "item"),
    [
        ("Collecting numpy==2.4.6 (from -r x)", "numpy==2.4.6"),
        ("  Downloading https://host/a/numpy-2.4.6.whl (1 MB)", "numpy-2.4.6.whl"),
        ("Installing collected packages: a, b", "installing"),
        ("Requirement already satisfied: a", None),
    ],
)
def test_what_pip_is_busy_with(line: str, item: str | None) -> None:
    assert virtual_environment.pip_item(line) == item


def test_generated_modules_without_their_proto_file_are_removed(layout: Layout) -> None:
    folder = layout.root / "src" / "bot" / "bot"
    for name in ("bot_pb2.py", "bot_pb2.pyi", "gone_pb2.py", "gone_pb2.pyi"):
        (folder / name).touch()
    checks.remove_leftovers(layout)
    assert sorted(path.name for path in folder.iterdir()) == ["__init__.py", "bot.proto", "bot_pb2.py", "bot_pb2.pyi"]


def test_interfaces_that_the_wheels_lack_are_built_on_the_wheels_alone(root: Path) -> None:
    layout = Layout(root)
    wheels, installed = Distribution(layout), Distribution(layout, Path("/opt/ros/jazzy"))
    lacking = {package.name for package in find(layout, build.base_paths(wheels))} - {
        package.name for package in find(layout, build.base_paths(installed))
    }
    assert lacking == {"tf2_msgs"}
    assert (root / "workspace" / "COLCON_IGNORE").is_file()
