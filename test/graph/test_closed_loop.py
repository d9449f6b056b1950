"""Two flights with the real processes; the other manoeuvres are flown in qiki_loop."""

from collections.abc import Callable
from functools import partial

import pytest
from pilot import Pilot, fly_in_time, translate, write_scenario

from qiki_msgs.msg import ThrusterState
from qiki_node.testing import Peer

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(1800)]  # a flight may be repeated in slower time


@pytest.fixture(scope="module")
def launch_arguments(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Bravo's supercapacitor begins little above T_boost."""
    return (f"scenario:={write_scenario(tmp_path_factory.mktemp('scenario'), 0.62)}",)


@pytest.fixture
def fly(peer: Peer) -> Callable[..., None]:
    return partial(fly_in_time, peer)


@pytest.mark.requirement("ALLOC-13")
def test_a_translation_while_the_power_falls_to_hold(fly) -> None:
    """The acceleration draws bravo's supercapacitor down."""

    def flight(bravo: Pilot) -> None:
        bravo.largest_force, bravo.cruise = 700.0, 1.2
        translate(bravo)
        assert bravo.gates[0] == "BOOST"
        assert "HOLD" in bravo.gates
        assert bravo.worst_tilt < 5.0

    fly(flight, "bravo")


@pytest.mark.requirement("ALLOC-13")
def test_a_translation_with_a_thruster_that_dies(fly) -> None:
    def flight(alpha: Pilot) -> None:
        # One of those that brake: the fault comes when the bot has its speed.
        translate(alpha, fault=("thruster_stuck_closed", "0"))
        assert alpha.allocation.health[0] == ThrusterState.HEALTH_STUCK_CLOSED
        assert not alpha.allocation.uncontrollable
        assert alpha.worst_tilt < 5.0

    fly(flight, "alpha")
