"""The means of a burn, and the refusals that are the burn's own."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from qiki_console.graph.burn import Burn
from qiki_console.graph.flight_log import mean_wrench
from qiki_console.model.burn_account import Command
from qiki_msgs.msg import Allocation
from qiki_node.errors import RefusedError

NAN = (math.nan,) * 3


def test_the_mean_is_of_what_is_known() -> None:
    assert mean_wrench([]) is None
    assert mean_wrench([(NAN, NAN)]) is None
    known = ((1.0, 2.0, 3.0), (0.0, 0.0, 4.0))
    assert mean_wrench([(NAN, NAN), known, ((3.0, 2.0, 3.0), (0.0, 0.0, 4.0))]) == ((2.0, 2.0, 3.0), (0.0, 0.0, 4.0))


@pytest.mark.parametrize("state", [Allocation.STATE_REFUSED, Allocation.STATE_STOPPED])
def test_a_state_from_before_the_burn_is_no_refusal_of_it(state: int) -> None:
    session: Any = None
    burn = Burn(session, "alpha", Command(np.ones(3), np.zeros(3), 1.0), 20.0, lambda _: None)
    log: list[tuple[float, Any]] = burn._log.allocations
    planned = SimpleNamespace(state=state, refused=3, refusal="force.x")
    log.append((10.02, planned))
    burn._check_refusal(10.0, 3)
    log.append((10.12, planned))
    with pytest.raises(RefusedError, match=r"force\.x"):
        burn._check_refusal(10.0, 3)
    log.append((10.02, SimpleNamespace(state=Allocation.STATE_ACTIVE, refused=4, refusal="force.y")))
    with pytest.raises(RefusedError, match=r"force\.y"):
        burn._check_refusal(10.0, 3)
