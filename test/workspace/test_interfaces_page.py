"""The page docs/interfaces.md."""

from pathlib import Path

from qiki_node.reference import updated

PAGE = Path(__file__).parents[2] / "docs" / "interfaces.md"


def test_the_tables_of_parameters_are_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.count("<!-- parameters: ") == 7
    assert updated(page) == page, "python -m qiki_node.reference docs/interfaces.md"


def test_a_row_has_default_range_unit_and_meaning() -> None:
    page = updated("<!-- parameters: qiki_node.parameters.NodeParameters -->\n<!-- end -->")
    assert "| `diagnostics_period` | 1 s | 0.1 to 60 s | time between two diagnostics messages |" in page.splitlines()
