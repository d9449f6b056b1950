"""The summary: nothing that went wrong can end as passed."""

from pathlib import Path

import pytest

from workspace import results, testing
from workspace.errors import WorkspaceError
from workspace.layout import Layout
from workspace.packages import Package
from workspace.results import Failure, Result

MIXED = """<testsuites><testsuite name="pytest" tests="5">
<testcase classname="a.test_x" name="test_good" time="0.5"/>
<testcase classname="a.test_x" name="test_bad" time="1"><failure message="assert 1 == 2">text</failure></testcase>
<testcase classname="a.test_x" name="test_left"><skipped message="no"/></testcase>
<testcase classname="a.test_x" name="test_both"><failure message="one"/><error message="two"/></testcase>
<testcase classname="a.test_x" name="test_broken"><error message="could not be collected"/></testcase>
</testsuite></testsuites>"""
GREEN = '<testsuites><testsuite><testcase classname="a" name="b" time="0.1"/></testsuite></testsuites>'
EMPTY = '<testsuites><testsuite tests="0"/></testsuites>'


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def package(layout: Layout, name: str, xml: str | None) -> Package:
    """A package with one test file and, unless `xml` is None, a result."""
    test = layout.root / "src" / name / "test"
    test.mkdir(parents=True)
    (test / "test_it.py").touch()
    if xml is not None:
        (layout.build / name).mkdir(parents=True)
        (layout.build / name / "pytest.xml").write_text(xml)
    return Package(name, test.parent, "ament_python")


def test_each_test_case_is_counted_once(tmp_path: Path) -> None:
    file = tmp_path / "pytest.xml"
    file.write_text(MIXED)
    result = results.read("a", [file])
    assert (result.passed, result.failed, result.skipped, result.seconds) == (1, 3, 1, 1.5)
    assert Failure("a.test_x::test_bad", "assert 1 == 2") in result.failures


@pytest.mark.parametrize("content", ["", "<testsuite><testcase", None])
def test_an_unreadable_or_missing_file_is_a_failure(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "pytest.xml"
    if content is not None:
        file.write_text(content)
    assert results.read("a", [file]).failed == 1


def test_a_crash_after_green_tests_is_a_failure(layout: Layout) -> None:
    one = package(layout, "one", GREEN)
    output = "Starting >>> one\nFailed   <<< one [1.20s, exited with code -11]\n"
    (result,) = testing.package_results(layout, [one], output, 1)
    assert (result.passed, result.failed) == (1, 1)
    assert "-11" in result.failures[0].message


def test_a_package_without_its_result_is_a_failure(layout: Layout) -> None:
    one, two = package(layout, "one", GREEN), package(layout, "two", None)
    first, second = testing.package_results(layout, [one, two], "Finished <<< one [1s]\n", 0)
    assert (first.failed, second.failed) == (0, 1)


def test_tests_that_exist_but_do_not_run_are_a_failure(layout: Layout) -> None:
    (result,) = testing.package_results(layout, [package(layout, "one", EMPTY)], "", 0)
    assert result.failures[0].message == "no test ran"


def test_an_exit_code_nobody_explains_is_a_failure(layout: Layout) -> None:
    found = testing.package_results(layout, [package(layout, "one", GREEN)], "Finished <<< one [1s]\n", 2)
    assert sum(result.failed for result in found) == 1


def test_a_package_without_tests_is_none(layout: Layout) -> None:
    bare = Package("bare", layout.root / "bare", "ament_cmake")
    (result,) = testing.package_results(layout, [bare], "", 0)
    assert (result.passed, result.failed) == (0, 0)


def test_the_last_line_counts_everything() -> None:
    good = Result("one", passed=3, seconds=1.0)
    assert results.table([good]).splitlines()[-1] == "3 passed, 0 failed"
    bad = Result("two", passed=1, skipped=2).with_failure("two::test_x", "assert False")
    text = results.table([good, bad])
    assert text.splitlines()[-1] == "4 passed, 1 failed, 2 skipped"
    assert "FAILED two: two::test_x" in text
    assert "assert False" in text


def test_selection_refuses_an_unknown_name_with_the_known_ones(root: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"'nothing'.*qiki_msgs.*test/workspace.*checks"):
        testing.select(Layout(root), "nothing")


def test_selection_narrows(root: Path) -> None:
    layout = Layout(root)
    everything = testing.select(layout, None)
    assert everything.checks
    assert {"qiki_msgs", "qiki_node"} <= {found.name for found in everything.packages}
    assert [found.name for found in testing.select(layout, "qiki_node").packages] == ["qiki_node"]
    assert testing.select(layout, "test/workspace").groups == (root / "test" / "workspace",)
    assert testing.select(layout, "checks") == testing.Selection((), (), checks=True)
