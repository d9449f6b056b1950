"""Runs of real pytest processes: broken tests stay failed, unstable ones are named, nothing is passed unseen."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from workspace import results
from workspace.layout import Layout
from workspace.results import Result
from workspace.second_run import MOST_FILES, confirmed
from workspace.testing import Group, Runner

BROKEN = "def test_broken(): assert False"
GOOD = "def test_good(): assert True"
ALONE = """
import pytest
pytestmark = pytest.mark.realtime
def test_alone(): import os; assert "PYTEST_XDIST_WORKER" not in os.environ
"""
SHARED = """def test_shared(): import os; assert "PYTEST_XDIST_WORKER" in os.environ"""
# Passes from its second run on: the first leaves a file behind.
UNSTABLE = """
from pathlib import Path
def test_unstable():
    mark = Path(__file__).with_suffix(".mark")
    seen = mark.exists()
    mark.touch()
    assert seen, "the first time"
"""
DIES_ONCE = ALONE + UNSTABLE.replace("    assert seen", "    import os\n    if not seen: os._exit(11)\n    assert seen")
WORKER_DIES = "def test_crash(): import os; os._exit(11)"
SLOW = ALONE + "def test_slow(): import time; time.sleep(2)"
IN_CLASS = """
import pytest
class TestIt:
    @pytest.mark.parametrize("value", ["a::b", "c"])
    def test_unstable(self, value):
        from pathlib import Path
        mark = Path(__file__).with_suffix("." + value[0])
        seen = mark.exists()
        mark.touch()
        assert seen
"""
SETTINGS = """[tool.pytest.ini_options]
addopts = "--strict-markers --import-mode=importlib -m 'not long'"
markers = ["long: long", "realtime: alone"]
"""


class Suite:
    """A checkout of some groups, each with some test files."""

    def __init__(self, root: Path, **groups: dict[str, str]) -> None:
        (root / "pyproject.toml").write_text(SETTINGS)
        self.layout = Layout(root)
        self.layout.venv_python.parent.mkdir(parents=True)
        self.layout.venv_python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        self.layout.venv_python.chmod(0o755)
        self.groups = []
        for group, tests in groups.items():
            folder = root / "src" / group / "test"
            folder.mkdir(parents=True)
            for name, text in tests.items():
                (folder / f"test_{name}.py").write_text(text)
            self.groups.append(Group(group, tuple(sorted(folder.glob("test_*.py")))))

    def run(self, *, long: bool = False) -> list[Result]:
        # Without the variables that pytest sets for its workers, and with the one plugin that is needed.
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin"}
        return Runner(self.layout, env, long=long).run(self.groups)

    def runs(self) -> set[str]:
        """Names of the pytest processes that ran."""
        return {file.stem for file in (self.layout.state / "results").iterdir()}


def names(failures: Sequence[results.Failure]) -> list[str]:
    return [failure.name.rpartition("::")[2] for failure in failures]


def test_pure_tests_share_the_cores_and_each_file_in_real_time_has_a_process(tmp_path: Path) -> None:
    suite = Suite(tmp_path, one={"a": SHARED, "b": ALONE, "c": ALONE}, two={"a": SHARED})
    one, two = suite.run()
    assert (one.name, one.passed, one.failures) == ("one", 3, ())
    assert (two.name, two.passed, two.failures) == ("two", 1, ())
    assert suite.runs() == {"pure-tests", "one-test_b-in-real-time", "one-test_c-in-real-time"}


def test_helpers_beside_tests_have_names_of_their_own(root: Path) -> None:
    folders = [*root.glob("src/*/test"), root / "launch" / "test", *(root / "test").iterdir()]
    files = [file.name for folder in folders for file in folder.glob("*.py")]
    helpers = [name for name in files if not name.startswith("test_") and name != "conftest.py"]
    assert sorted(set(helpers)) == sorted(helpers), "one run imports them all"


def test_modules_that_start_nodes_are_marked(root: Path) -> None:
    modules = [*root.glob("src/*/test/test_*.py"), *root.glob("test/graph/test_*.py")]
    starting = [
        module
        for module in modules
        if re.search(
            r"^from qiki_node\.testing import .*\b(NodeProcess|Peer)\b|\brclpy\.init\(",
            module.read_text(),
            re.MULTILINE,
        )
    ]
    assert len(starting) > 8
    assert [module.name for module in starting if "mark.realtime" not in module.read_text()] == []


def test_long_tests_run_when_they_are_wanted(tmp_path: Path) -> None:
    long = "import pytest\n@pytest.mark.long\ndef test_long(): pass\n"
    suite = Suite(tmp_path, one={"a": long + GOOD, "b": long + ALONE})
    assert [result.passed for result in suite.run()] == [2]
    assert [result.passed for result in suite.run(long=True)] == [4]


def test_a_group_of_which_nothing_runs_has_failed(tmp_path: Path) -> None:
    (result,) = Suite(tmp_path, one={"a": "x = 1"}).run()
    assert [failure.message for failure in result.failures] == ["no test ran"]


def test_a_module_that_cannot_be_imported_has_failed(tmp_path: Path) -> None:
    suite = Suite(tmp_path, one={"a": "import nothing_of_this_name", "b": GOOD}, two={"a": GOOD})
    one, two = suite.run()
    assert one.failed == 1
    assert two.failed == 0


def test_a_second_run_takes_what_failed_and_keeps_broken_tests_failed(tmp_path: Path) -> None:
    suite = Suite(tmp_path, one={"a": GOOD, "b": UNSTABLE, "c": BROKEN + "\n" + GOOD, "d": ALONE + UNSTABLE})
    (result,) = suite.run()
    assert (result.passed, names(result.failures)) == (5, ["test_broken"])
    assert names(result.unstable) == ["test_unstable", "test_unstable"]
    text = results.table([result])
    assert "UNSTABLE" in text
    assert "the first time" in text
    assert text.endswith("5 passed, 1 failed")


def test_a_second_run_finds_what_failed_beside_other_processes(tmp_path: Path) -> None:
    (result,) = Suite(tmp_path, one={"a": SLOW, "b": ALONE + UNSTABLE, "c": ALONE + IN_CLASS}).run()
    assert (result.passed, result.failed, len(result.unstable)) == (7, 0, 3)


def test_a_process_that_died_is_repeated_as_a_whole(tmp_path: Path) -> None:
    (result,) = Suite(tmp_path, one={"a": GOOD, "b": DIES_ONCE}).run()
    assert (result.passed, result.failed, len(result.unstable)) == (3, 0, 1)


def test_a_test_that_ends_its_process_each_time_has_failed(tmp_path: Path) -> None:
    one, two = Suite(tmp_path, one={"a": WORKER_DIES}, two={"a": GOOD}).run()
    assert one.failed
    assert (two.passed, two.failed) == (1, 0)


def test_many_failures_are_no_accident(tmp_path: Path) -> None:
    suite = Suite(tmp_path, one={"good": GOOD, **{f"u{number}": UNSTABLE for number in range(MOST_FILES + 1)}})
    (result,) = suite.run()
    assert (result.passed, result.failed) == (1, MOST_FILES + 1)
    assert suite.runs() == {"pure-tests"}


@pytest.mark.parametrize("second", [Result("one"), Result("one").with_failure("run", "no test ran")])
def test_a_second_run_that_runs_nothing_excuses_nothing(second: Result) -> None:
    first = Result("one", passed=1).with_failure("test_a::test_broken", "assert False")
    assert confirmed(first, lambda _: second) == first


def test_a_failure_of_the_second_run_alone_has_failed() -> None:
    first = Result("one", passed=3).with_failure("test_a::test_unstable", "late")
    again = Result("one again", passed=1).with_failure("test_a::test_spoiled", "assert False")
    result = confirmed(first, lambda _: again)
    assert (names(result.failures), names(result.unstable)) == (["test_spoiled"], ["test_unstable"])
