"""Each requirement of the design pages is shown by a test that cites it, and no test cites another."""

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

ROW = re.compile(r"^\| ([A-Z]+-\d+[a-z]?) \|", re.MULTILINE)


def stated(root: Path) -> list[str]:
    """Ids in the tables of docs/design."""
    return [
        found for page in sorted((root / "docs" / "design").glob("*.md")) for found in ROW.findall(page.read_text())
    ]


def cited(source: str) -> Iterator[str]:
    """Ids in the ``pytest.mark.requirement(…)`` of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.requirement"):
            yield from (ast.literal_eval(argument) for argument in node.args)


def citations(root: Path) -> set[str]:
    modules = chain(
        root.glob("src/*/test/test_*.py"), root.glob("launch/test/test_*.py"), root.glob("test/*/test_*.py")
    )
    return {found for module in modules for found in cited(module.read_text())}


def test_ids_are_unique(root: Path) -> None:
    ids = stated(root)
    assert sorted(set(ids)) == sorted(ids)
    assert {"ALLOC-1", "EVENT-1a", "L-1"} <= set(ids)


def test_every_requirement_is_shown_by_a_test(root: Path) -> None:
    assert set(stated(root)) - citations(root) == set()


def test_every_cited_requirement_is_stated(root: Path) -> None:
    assert citations(root) - set(stated(root)) == set()


def test_marks_are_found_on_functions_classes_and_modules() -> None:
    source = """
import pytest
pytestmark = [pytest.mark.realtime, pytest.mark.requirement("A-1")]
@pytest.mark.requirement("B-2", "B-3a")
def test_it(): pass
@pytest.mark.requirement("C-4")
class TestIt: pass
"""
    assert set(cited(source)) == {"A-1", "B-2", "B-3a", "C-4"}
