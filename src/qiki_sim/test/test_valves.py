"""Valve commands: edges, replacement, lateness, watchdog, refusals (SIM-V1 to SIM-V5)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim_helpers import burn, command, make_world

from qiki_sim import CommandError, ValveCommand
from qiki_sim.valves import ValveDriver

NAN = float("nan")


@pytest.fixture
def world(tmp_path):
    return make_world(tmp_path)


def test_pulse_in_the_future(world):
    """SIM-V1: edges happen at stamp plus offset."""
    world.command("alpha", command(0.02, [3], [3], at=0.0, until=0.03))
    seen = []
    for _ in range(6):
        world.step(0.01)
        seen.append(world.valves("alpha").open[3])
    # An edge at the end of a step belongs to the next one.
    assert seen == [False, False, True, True, True, False]
    reading = world.valves("alpha")
    assert reading.on_time[3] == pytest.approx(0.03, abs=1e-12)
    assert reading.firings[3] == 1
    assert reading.late_edges == 0


def test_close_before_open_is_a_pause(world):
    """SIM-V1: an open valve that closes at 40 ms and opens at 80 ms is open for 60 of 100 ms."""
    burn(world, [2], 0.1)
    closes, opens = np.full(16, NAN), np.full(16, NAN)
    closes[2], opens[2] = 0.04, 0.08
    world.command("alpha", command(world.time, opening=[2]))
    world.command("alpha", ValveCommand(world.time, 0.1, opens, closes))
    world.step(0.1)
    # The command that closed everything was replaced by the one of the same stamp that followed it.
    assert world.valves("alpha").on_time[2] == pytest.approx(0.1 + 0.06, abs=1e-9)


def test_new_command_replaces_edges_at_or_after_its_stamp(world):
    """SIM-V2: the opening before the new stamp still happens, the closing after it does not."""
    world.command("alpha", command(0.01, [0, 1], [0, 1], at=0.0, until=0.05))
    world.command("alpha", command(0.03, (), [0], until=0.05))
    world.step(0.1)
    reading = world.valves("alpha")
    assert reading.on_time[:2] == pytest.approx([0.07, 0.09], abs=1e-9)
    assert reading.open[:2] == (False, True)


def test_late_edges_happen_at_once_and_are_counted(world):
    """SIM-V3: a pulse whose opening is overdue is shortened; one that is over does nothing.

    What was done before is not late.
    """
    world.step(0.1)
    world.command("alpha", command(0.08, [5], [5], at=0.0, until=0.05))
    world.command("alpha", command(0.08, [5, 6], [5], at=0.0, until=0.05))
    world.step(0.1)
    reading = world.valves("alpha")
    assert reading.late_edges == 2
    assert reading.on_time[5] == pytest.approx(0.03, abs=1e-9)
    assert reading.on_time[6] == pytest.approx(0.1, abs=1e-9)
    world.command("alpha", command(0.0, [7], [7], at=0.0, until=0.05))
    world.step(0.1)
    assert world.valves("alpha").firings[7] == 0
    assert world.valves("alpha").late_edges == 4


def test_watchdog_closes_the_valves(world):
    """SIM-V4: half a second after the last command, and says so until the next."""
    world.command("alpha", command(0.0, [1]))
    world.step(0.5)
    assert world.valves("alpha").open[1]
    world.step(0.3)
    reading = world.valves("alpha")
    assert not any(reading.open)
    assert reading.watchdog
    assert reading.on_time[1] == pytest.approx(0.5, abs=1e-12)
    world.command("alpha", command(world.time))
    assert not world.valves("alpha").watchdog


def test_watchdog_is_silent_when_nothing_was_open(world):
    """SIM-V4: a bot at rest does not report a watchdog."""
    world.command("alpha", command(0.0, [1], [1], until=0.05))
    world.step(1.0)
    assert not world.valves("alpha").watchdog


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"window": 0.0}, "window = 0.0; allowed: more than 0"),
        ({"window": NAN}, "window = nan"),
        ({"window": 11.0}, "window = 11.0"),
        ({"stamp": -1.0}, "stamp = -1.0; allowed: 0 to"),
        ({"stamp": NAN}, "stamp = nan"),
        ({"stamp": 60.0}, "stamp = 60.0"),
        ({"open_time": np.full(15, NAN)}, r"open_time: \(15,\) values; allowed: \(16,\)"),
        ({"close_time": np.zeros((4, 4))}, r"close_time: \(4, 4\) values"),
        ({"open_time": np.full(16, -0.01)}, r"open_time\[0\] = -0.01; allowed: 0 to window \(0.1 s\), or NaN"),
        ({"close_time": np.r_[np.full(15, NAN), 0.2]}, r"close_time\[15\] = 0.2"),
        ({"close_time": np.r_[np.full(15, NAN), np.inf]}, r"close_time\[15\] = inf"),
    ],
)
def test_impossible_command_is_refused_and_changes_nothing(world, changes, text):
    """SIM-V5: field, value and allowed range; what was commanded before goes on."""
    world.command("alpha", command(0.0, [1]))
    fields = {"stamp": 0.0, "window": 0.1, "open_time": np.full(16, NAN), "close_time": np.full(16, NAN), **changes}
    with pytest.raises(CommandError, match=text):
        world.command("alpha", ValveCommand(**fields))
    world.step(0.1)
    assert world.valves("alpha").open == tuple(index == 1 for index in range(16))


def test_unknown_bot_is_named(world):
    with pytest.raises(KeyError, match="bot = 'zulu': allowed: alpha"):
        world.command("zulu", command(0.0))


offsets = st.one_of(st.just(NAN), st.floats(0.0, 0.0999755859375, width=32))
commands = st.lists(
    st.tuples(st.floats(0.0, 0.5), st.integers(-30, 60), st.lists(offsets, min_size=6, max_size=6)), max_size=8
)


@given(commands)
def test_driver_keeps_its_promises(sequence):
    """SIM-V1, SIM-V4: time never runs back, every edge is used up, and silence ends with all valves closed."""
    driver = ValveDriver(3, 0.5)
    now = 0
    for wait, lead, times in sequence:
        target = now + round(wait * 1e6)
        while driver.next_us <= target:
            assert driver.next_us >= now
            now = driver.next_us
            driver.advance(now)
        now = target
        stamp = max(0.0, now * 1e-6 + lead * 1e-3)
        driver.command(now, ValveCommand(stamp, 0.1, np.array(times[:3]), np.array(times[3:])))
    deadline = now + 500_000
    while driver.next_us <= deadline:
        driver.advance(driver.next_us)
    assert not any(driver.commanded)
    assert driver.next_us > deadline
