"""Orders of the node that come too early."""

from types import SimpleNamespace

import pytest

from qiki_msgs.srv import SetGuardMode, SetTransponderMode
from qiki_xpdr import Reason
from qiki_xpdr.ros.services import Services

pytestmark = pytest.mark.requirement("XPDR-60")


def served(*, is_active, clock_runs):
    """Services by name of a node of which everything else would raise."""
    found = {}
    node = SimpleNamespace(is_active=is_active, clock_runs=clock_runs)
    node.create_service = lambda _kind, name, callback: found.update({name: callback})
    Services(node, 10.0)
    return found


@pytest.mark.parametrize(
    ("is_active", "clock_runs", "reason"),
    [(False, True, "the node is not active"), (True, False, "the clock does not run: no /clock has come")],
)
def test_an_order_before_the_clock_runs_or_while_inactive_changes_nothing(is_active, clock_runs, reason):
    """A state that is published, or an arming that begins, at time 0 would be of no time."""
    services = served(is_active=is_active, clock_runs=clock_runs)
    order = {"user": "operator", "reason": "test"}
    answer = services["~/set_mode"](
        SetTransponderMode.Request(mode="SPOOF", arm=True, **order), SetTransponderMode.Response()
    )
    assert (answer.success, answer.reason_code, answer.message) == (False, Reason.WRONG_ORDER, reason)
    answer = services["~/set_guard_mode"](SetGuardMode.Request(mode="OFF", **order), SetGuardMode.Response())
    assert (answer.success, answer.message) == (False, reason)
