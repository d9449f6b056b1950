"""The summary: nothing that went wrong can end as passed."""

from pathlib import Path

import pytest

from workspace import results, testing
from workspace.errors import WorkspaceError
from workspace.layout import Layout
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


def test_each_test_case_is_counted_once(tmp_path: Path) -> None:
    file = tmp_path / "pytest.xml"
    file.write_text(MIXED)
    result = results.read("a", file)
    assert (result.passed, result.failed, result.skipped, result.seconds) == (1, 3, 1, 1.5)
    assert Failure("a.test_x::test_bad", "assert 1 == 2") in result.failures


@pytest.mark.parametrize("content", ["", "<testsuite><testcase", None])
def test_an_unreadable_or_missing_file_is_a_failure(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "pytest.xml"
    if content is not None:
        file.write_text(content)
    assert results.read("a", file).failed == 1


def test_modules_have_their_own_cases_and_the_failure_to_import_them(tmp_path: Path) -> None:
    file = tmp_path / "pytest.xml"
    file.write_text(
        """<testsuites><testsuite>
        <testcase classname="src.a.test.test_x" name="test_1"/>
        <testcase classname="src.a.test.test_x.TestY" name="test_2"/>
        <testcase classname="src.a.test.test_xy" name="test_3"/>
        <testcase classname="" name="src.a.test.test_x"><error message="ImportError"/></testcase>
        </testsuite></testsuites>"""
    )
    result = results.read("a", file, ["src.a.test.test_x"])
    assert (result.passed, result.failed) == (2, 1)


def test_the_last_line_counts_everything() -> None:
    good = Result("one", passed=3, seconds=1.0)
    assert results.table([good]).splitlines()[-1] == "3 passed, 0 failed"
    bad = Result("two", passed=1, skipped=2).with_failure("two::test_x", "assert False")
    text = results.table([good, bad])
    assert text.splitlines()[-1] == "4 passed, 1 failed, 2 skipped"
    assert "FAILED two: two::test_x" in text
    assert "assert False" in text


def test_selection_refuses_an_unknown_name_with_the_known_ones(root: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"'nothing'.*qiki_node.*test/workspace.*checks"):
        testing.select(Layout(root), "nothing")


def test_selection_narrows(root: Path) -> None:
    layout = Layout(root)
    everything = testing.select(layout, None)
    assert everything.checks
    assert {"qiki_node", "test/graph"} <= {group.name for group in everything.groups}
    assert [group.name for group in testing.select(layout, "qiki_node").groups] == ["qiki_node"]
    assert [group.name for group in testing.select(layout, "test/workspace/").groups] == ["test/workspace"]
    assert testing.select(layout, "checks") == testing.Selection((), checks=True)
