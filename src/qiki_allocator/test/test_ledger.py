"""The ledger of commanded edges and its readers, against the bank of valves and against counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_allocator.modulation.ledger import Reader, ValveCommand, ValveLedger

NONE = [np.nan, np.nan]


class ValveLog(Reader):
    """A ledger with one reader."""

    def __init__(self, n: int) -> None:
        self.ledger = ValveLedger(n)
        self.take = self.ledger.take
        super().__init__(self.ledger)


def command(start: float, opens: list[float], closes: list[float]) -> ValveCommand:
    return ValveCommand(start, 1.0, np.array(opens), np.array(closes))


def test_a_pulse_is_shared_out_among_the_samples_it_touches() -> None:
    log = ValveLog(2)
    log.advance(0.0)
    log.take(command(0.0, [0.015, np.nan], [0.050, np.nan]))
    assert [log.advance(t).tolist() for t in (0.02, 0.04, 0.06)] == [
        pytest.approx([0.005, 0.0]),
        pytest.approx([0.020, 0.0]),
        pytest.approx([0.010, 0.0]),
    ]


def test_a_pause_within_an_open_valve() -> None:
    log = ValveLog(2)
    log.advance(0.0)
    log.take(command(0.0, [0.0, np.nan], NONE))
    log.advance(1.0)
    log.take(command(1.0, [0.3, np.nan], [0.1, np.nan]))
    assert log.advance(2.0).tolist() == pytest.approx([0.8, 0.0])


def test_a_command_replaces_edges_from_its_start_on() -> None:
    log = ValveLog(2)
    log.advance(0.0)
    log.take(command(0.0, [0.1, 0.1], [0.5, 0.9]))
    log.take(command(0.6, NONE, [np.nan, 0.1]))
    assert log.advance(1.0).tolist() == pytest.approx([0.4, 0.6])


def test_valves_closed_by_the_hardware_stay_closed() -> None:
    log = ValveLog(2)
    log.advance(0.0)
    log.take(command(0.0, [0.0, 0.5], [0.9, 0.9]))
    log.advance(0.1)
    log.take(command(0.1, NONE, [0.0, 0.0]))
    assert log.advance(1.0).tolist() == [0.0, 0.0]


def test_nothing_is_lost_while_nobody_asks_and_the_log_stays_short() -> None:
    asked, silent = ValveLog(1), ValveLog(1)
    for log in (asked, silent):
        log.advance(0.0)
    expected = 0.0
    for start in range(600):
        for log in (asked, silent):
            log.take(command(float(start), [0.1], [0.4]))
        expected += asked.advance(start + 0.9)[0]
    assert len(silent.ledger._past) < 200
    assert silent.advance(599.9).tolist() == pytest.approx([expected])
    assert expected == pytest.approx(600 * 0.3)


def test_time_does_not_go_back() -> None:
    log = ValveLog(1)
    assert log.advance(2.0).tolist() == [0.0]
    with pytest.raises(ValueError, match=r"time: 1.0 s; allowed: at least 2.0 s"):
        log.advance(1.0)


@given(st.integers(0, 2**32 - 1))
def test_on_times_add_up_whatever_the_sampling(seed: int) -> None:
    generator = np.random.default_rng(seed)
    commands, start = [], 0.0
    for _ in range(6):
        edges = generator.uniform(0.0, 1.0, (2, 3))
        edges[generator.random((2, 3)) < 0.3] = np.nan
        commands.append(ValveCommand(start, 1.0, *edges))
        start += generator.uniform(0.2, 1.2)
    fine, coarse = ValveLog(3), ValveLog(3)
    totals = []
    for log, step in ((fine, 0.01), (coarse, 0.37)):
        log.advance(0.0)
        total, now = np.zeros(3), 0.0
        for k, sent in enumerate(commands):
            log.take(sent)
            until = commands[k + 1].start if k + 1 < len(commands) else sent.start + 2.0
            while now < until:
                now = min(now + step, until)
                on = log.advance(now)
                assert (on >= -1e-12).all()
                assert (on <= step + 1e-9).all()
                total += on
        totals.append(total)
    np.testing.assert_allclose(*totals, atol=1e-9)
