"""What the valves report, against what they were told."""

import math

import numpy as np
import pytest

from qiki_allocator import ValveCommand
from qiki_allocator.modulation.ledger import ValveLedger
from qiki_allocator.modulation.valve_account import ValveAccount


def pulse(start, length, valve=0, n=2):
    opens, closes = np.full(n, math.nan), np.full(n, math.nan)
    opens[valve], closes[valve] = 0.0, length
    return ValveCommand(start, 0.25, opens, closes)


@pytest.fixture
def account():
    account = ValveAccount(ValveLedger(2))
    assert account.report(1.0, [5.0, 7.0]) is None
    return account


def test_valves_that_did_what_they_were_told_owe_nothing(account):
    account.ledger.take(pulse(1.02, 0.1))
    np.testing.assert_allclose(account.report(1.05, [5.03, 7.0]), 0.0, atol=1e-9)
    np.testing.assert_allclose(account.report(1.2, [5.1, 7.0]), 0.0, atol=1e-9)


@pytest.mark.requirement("ALLOC-5b")
def test_a_late_edge_and_a_closure_are_seen_also_when_reports_are_lost(account):
    account.ledger.take(pulse(1.02, 0.1))
    np.testing.assert_allclose(account.report(1.5, [5.06, 7.0]), [0.04, 0.0], atol=1e-9)
    account.ledger.take(pulse(1.6, 0.1))
    assert account.report(1.65, [math.nan, 7.0]) is None
    assert account.report(1.65, [1.0]) is None
    assert account.report(math.nan, [5.06, 7.0]) is None
    np.testing.assert_allclose(account.report(1.8, [5.16, 7.05]), [0.0, -0.05], atol=1e-9)
    assert account.report(1.7, [5.16, 7.05]) is None, "older than the last"


def test_a_counter_that_started_anew_begins_a_new_account(account):
    account.ledger.take(pulse(1.02, 0.1))
    assert account.report(1.2, [0.0, 0.0]) is None
    account.ledger.take(pulse(1.22, 0.1))
    np.testing.assert_allclose(account.report(1.4, [0.09, 0.0]), [0.01, 0.0], atol=1e-9)
    assert account.report(1.45, [9.0, 0.0]) is None, "faster than time"
    np.testing.assert_allclose(account.report(1.5, [9.0, 0.0]), 0.0, atol=1e-9)
