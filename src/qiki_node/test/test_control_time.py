"""Control time: it runs on, whatever happens to the computer's clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_node.control_time import ControlTime

SECOND = 1_000_000_000
BEGIN = 1_700_000_000 * SECOND


class Clocks:
    def __init__(self, *, simulated: bool = False) -> None:
        self.ros, self.steady, self.simulated = BEGIN, 5 * SECOND, simulated
        self.time = ControlTime(lambda: self.ros, lambda: self.steady, lambda: self.simulated)

    def wait(self, seconds: float) -> None:
        self.ros += round(seconds * SECOND)
        self.steady += round(seconds * SECOND)


@given(st.lists(st.tuples(st.floats(0.0, 10.0), st.one_of(st.just(0.0), st.floats(-7200.0, 7200.0)))))
def test_steps_of_the_computers_clock_change_stamps_only(steps: list[tuple[float, float]]) -> None:
    clocks = Clocks()
    begin = clocks.time.now()
    waited = 0.0
    for wait, step in steps:
        clocks.wait(wait)
        clocks.ros += round(step * SECOND)
        waited += wait
        now = clocks.time.now()
        assert now - begin == pytest.approx(waited, abs=1e-6)
        assert now + clocks.time.ahead == pytest.approx(clocks.ros / SECOND, abs=2e-3)


def test_readings_that_are_not_of_one_instant_do_not_move_the_stamps() -> None:
    clocks = Clocks()
    clocks.ros += 400_000
    clocks.time.now()
    assert clocks.time.ahead == 0.0


@given(st.lists(st.integers(0, 2**40)))
def test_simulated_time_is_taken_as_it_is(times: list[int]) -> None:
    clocks = Clocks(simulated=True)
    for clocks.ros in times:
        assert clocks.time.now() == clocks.ros * 1e-9
        assert clocks.time.ahead == 0.0
