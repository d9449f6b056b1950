"""Likely causes of a burn that gave another change of motion than commanded."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_console.model.burn_account import Account, Command
from qiki_console.model.burn_causes import TOLERANCE, Evidence, troubles

GOOD = Evidence(
    duration=2.0,
    lasted=2.001,
    allocated=1.0,
    energy_commanded=1000.0,
    energy_drawn=1001.0,
    openings_commanded=40,
    openings=40,
    working_mass=12.0,
    late_edges=0,
    speed_asked=1.0,
    speed_reached=0.98,
    commands=200,
    commands_read=198,
    longest_pause=0.02,
    lead=0.04,
)


@pytest.mark.parametrize(
    ("changes", "key", "text"),
    [
        ({"working_mass": 0.0, "energy_drawn": 300.0}, "empty", "the tank is empty"),
        ({"others": ("/alpha/docking",)}, "others", "others command the bot too: /alpha/docking"),
        ({"failed": {3: "STUCK_CLOSED"}}, "failed", "thrusters failed on the way: 3 STUCK_CLOSED"),
        ({"allocated": 0.4, "binding": ("power",)}, "allocated", "planned 40 % of the command; limited by power"),
        ({"speed_asked": 10.0, "speed_reached": 6.5}, "overloaded", "a speed of 6.50, asked were 10; 198 of 200"),
        ({"late_edges": 4}, "way", "took longer on their way than the lead of 0.04 s: 4 valve edges had passed"),
        ({"late_edges": 4, "longest_pause": 0.05}, "late", "cycles paused for up to 0.05 s; 4 valve edges had passed"),
        ({"longest_pause": 0.4}, "late", "the allocator was late: its control cycles paused for up to 0.40 s"),
        ({"restarted": ("allocator",), "commands": None}, "restarted", "started again meanwhile: allocator"),
        ({"watchdog": True}, "watchdog", "its watchdog closed the valves"),
        ({"openings": 31}, "lost", "commands were lost: 9 openings of valves; 198 of 200"),
        ({"commands_read": 20}, "lost", "most were not read; 20 of 200 valve commands were read"),
        ({"energy_drawn": 600.0}, "valves", "drew 60 % of the energy of the commanded pulses"),
        ({"lasted": 2.2}, "console", "the command lasted 2.20 s in place of 2 s"),
    ],
)
def test_each_cause_is_told_apart(changes: dict[str, Any], key: str, text: str) -> None:
    found = troubles(replace(GOOD, **changes))
    assert list(found) == [key]
    assert text in found[key]


def test_an_overloaded_simulator_explains_that_it_reads_few_commands() -> None:
    found = troubles(replace(GOOD, speed_asked=10.0, speed_reached=2.0, commands_read=20))
    assert list(found) == ["overloaded"]
    assert "20 of 200 valve commands were read" in found["overloaded"]


def test_nothing_is_found_where_nothing_is_wrong_or_known() -> None:
    assert troubles(GOOD) == {}
    assert troubles(Evidence(duration=2.0)) == {}
    assert troubles(replace(GOOD, working_mass=float("nan"), energy_drawn=float("nan"))) == {}


@given(
    share=st.floats(-1.0, 2.0),
    direction=st.tuples(*[st.floats(-1.0, 1.0)] * 3).filter(lambda v: float(np.linalg.norm(v)) > 0.1),
    size=st.floats(1e-3, 10.0),
    across=st.floats(0.0, 0.2),
    turned=st.booleans(),
)
def test_an_account_closes_within_five_percent_in_any_direction(
    share: float, direction: tuple[float, float, float], size: float, across: float, turned: bool
) -> None:
    along = np.array(direction) / np.linalg.norm(direction)
    aside = np.cross(along, np.eye(3)[int(np.argmin(np.abs(along)))])
    expected = size * along
    gained = size * (share * along + across * aside / np.linalg.norm(aside))
    off = float(np.hypot(share - 1.0, across))
    zero = np.zeros(3)
    account = (
        Account(zero, zero, None, 0.0, expected, gained) if turned else Account(expected, gained, 0.0, 0.0, zero, zero)
    )
    command = Command(zero, along, 1.0) if turned else Command(along, zero, 1.0)
    if abs(off - TOLERANCE) > 1e-6:
        assert account.closes(command, TOLERANCE) == (off < TOLERANCE)
    # No difference within the noise of odometry means anything.
    assert replace(account, noise=size * off + 1e-9, rate_noise=size * off + 1e-9).closes(command, TOLERANCE)


def test_both_velocity_and_rate_count_where_both_were_commanded() -> None:
    one = np.array([1.0, 0.0, 0.0])
    command = Command(one, one, 1.0)
    assert Account(one, one, 0.0, 0.0, one, one).closes(command, TOLERANCE)
    assert not Account(one, one, 0.0, 0.0, one, 0.9 * one).closes(command, TOLERANCE)
    assert not Account(one, 0.9 * one, 0.0, 0.0, one, one).closes(command, TOLERANCE)
