"""The page docs/docking.md, and the names that tables and settings use."""

from pathlib import Path

import pytest

from qiki_docking.conditions import HOLD, Settings
from qiki_docking.evidence import QUANTITIES
from qiki_docking.phases import Phase
from qiki_docking.reasons import Reason
from qiki_docking.reference import updated
from qiki_docking.steps import INTERLOCKS, STEPS
from qiki_docking.table import GUARDS, RESUME_ROWS, ROWS, SENSED

PAGE = Path(__file__).parents[3] / "docs" / "docking.md"


@pytest.mark.requirement("DOCK-10")
def test_the_page_is_up_to_date(vehicle):
    page = PAGE.read_text(encoding="utf-8")
    assert updated(page, vehicle) == page, "python -m qiki_docking.reference docs/docking.md"
    assert page.count("<!-- docking: ") == 10
    assert "FREE --> APPROACH: dock [ranged]" in page


def test_a_changed_table_changes_the_page(vehicle):
    page = updated("<!-- docking: transitions -->\n<!-- end -->", vehicle)
    assert "| HARD_DOCK | `tick` | `completes` | BRIDGE | DOCKED |" in page.splitlines()


def test_every_setting_quantity_guard_and_reason_of_the_tables_exists(vehicle):
    settings = Settings(vehicle)
    steps = [step for steps in STEPS.values() for step in steps]
    conditions = [one for step in steps for one in step.done + step.keep + step.trip]
    conditions += [one for lock in INTERLOCKS for one in lock.conditions]
    conditions += [one for sensed in SENSED.values() for one in sensed]
    for condition in conditions:
        assert condition.quantity in QUANTITIES
        for limit in (condition.low, condition.high):
            settings.limit(limit, 0.0)
        if condition.less is not None and condition.less not in (HOLD, *QUANTITIES):
            assert settings[condition.less] > 0.0
    for step in steps:
        for name in (step.timeout, step.attempts, step.blind):
            assert name is None or settings[name] > 0.0
        assert step.blind is not None or not step.keep + step.trip, step.name
        # A flag can be neither above nor below, and each phase that something must happen in ends by itself.
    for phase, steps in STEPS.items():
        if phase not in (Phase.FREE, Phase.BRIDGE, Phase.FAULT):
            assert all(step.timeout for step in steps), phase
            assert steps[-1].ends, phase
    for row in ROWS + RESUME_ROWS:
        assert set(row.guards) <= set(GUARDS)
        assert row.dest is None or row.step in ("", "(same)", *(step.name for step in STEPS[row.dest]))
    assert all(reason.meaning for reason in Reason)
    assert [int(reason) for reason in Reason] == sorted({int(reason) for reason in Reason})
