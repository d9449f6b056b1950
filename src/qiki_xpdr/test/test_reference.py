"""The page docs/xpdr.md."""

import re
from pathlib import Path

import pytest
from air import VEHICLE
from prometheus_client import CollectorRegistry

from qiki_xpdr import Mode, Reason, Rules
from qiki_xpdr.reference import RULES, updated
from qiki_xpdr.ros.metrics import Metrics

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "xpdr.md"


@pytest.mark.requirement("XPDR-75")
def test_the_page_is_up_to_date():
    page, rules = PAGE.read_text(encoding="utf-8"), Rules.from_file(ROOT / RULES)
    assert updated(page, VEHICLE, rules) == page, "python -m qiki_xpdr.reference docs/xpdr.md"
    assert page.count("<!-- xpdr: ") == 10
    for one in (*Mode, *Reason):
        assert f"| {int(one)} | {one.name} |" in page
    with pytest.raises(KeyError):
        updated("<!-- xpdr: none -->\n<!-- end -->", VEHICLE, rules)


@pytest.mark.requirement("XPDR-75")
def test_the_page_lists_the_metrics_that_there_are():
    registry = CollectorRegistry()
    Metrics(registry)
    kinds = {"counter": "_total"}
    there = {one.name + kinds.get(one.type, "") for one in registry.collect()}
    assert set(re.findall(r"^\| `(qiki_xpdr_\w+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)) == there
