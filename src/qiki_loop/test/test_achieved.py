"""`achieved` and the account of a profile are what the valves reported, not the plan."""

import numpy as np
import pytest

from qiki_allocator.flight.segments import Segment
from qiki_loop.messages import stamp, valve_report

FORCE = [200.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def fly(loop, seconds):
    for _ in range(round(seconds / 0.05)):
        loop.command("alpha", FORCE)
        loop.run(0.05)
    return loop.links["alpha"].telemetry


@pytest.mark.requirement("ALLOC-12c")
def test_achieved_follows_the_valves(loop):
    telemetry = fly(loop, 1.5)
    assert telemetry.achieved[0] == pytest.approx(200.0, rel=0.25)
    assert 0 <= telemetry.way.commands - telemetry.way.commands_read <= 10
    assert telemetry.way.late_edges == 0
    loop.world.bot("alpha").working_mass = 0.0
    telemetry = fly(loop, 1.5)
    assert telemetry.allocation.wrench[0] == pytest.approx(200.0)
    np.testing.assert_array_equal(telemetry.achieved, np.zeros(6))
    loop.world.inject_fault("alpha", "sensor_dropout", "thruster_state")
    assert np.isnan(fly(loop, 1.0).achieved).all(), "without reports it is not known"


@pytest.mark.requirement("ALLOC-12c")
def test_a_profile_with_an_empty_tank_delivers_nothing(loop):
    loop.world.bot("alpha").working_mass = 0.0
    loop.act("alpha", lambda c, now: c.start_profile(now, [Segment(np.array(FORCE), 1.0, 0.0, 1.0)]))
    loop.run(2.5)
    result = loop.controller("alpha").profile.result
    assert result.outcome is not None
    np.testing.assert_allclose(result.delivered, 0.0, atol=1e-6)


@pytest.mark.requirement("ALLOC-12c")
def test_a_report_that_is_repeated_leaves_the_mean_as_it_is(loop):
    """A paused simulator repeats its telemetry."""
    fly(loop, 1.5)
    core, repeated = loop.controller("alpha"), loop.world.valves("alpha")
    for _ in range(2):
        core.update_valves(loop.time, valve_report(stamp(loop.world.time_us), repeated))
    assert core.drive.achieved(loop.time)[0] == pytest.approx(200.0, rel=0.25)
