"""Flights of real processes with the other modulators, side by side."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pilot import Pilot, fly_in_time, translate, write_scenario

from qiki_msgs.msg import ThrusterState
from qiki_node.testing import NodeProcess, Peer

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(1800)]  # a flight may be repeated in slower time

MODULATORS = {"alpha": "pwpf", "bravo": "bang_bang"}
TILT = {"alpha": 8.0, "bravo": 3.0}
"""deg, of the limit cycle of the attitude, at most: PWPF opens no valve for less than a tenth of its thrust."""


@pytest.fixture(scope="module")
def launch_arguments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """The launch starts the simulator only."""
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(
                NodeProcess.of_module(
                    "qiki_allocator.node",
                    *("-r", f"__ns:=/{bot}", "-p", "use_sim_time:=true", "-p", f"modulator:={modulator}"),
                )
            )
            for bot, modulator in MODULATORS.items()
        ]
        scenario = write_scenario(tmp_path_factory.mktemp("scenario"), 0.8)
        yield f"scenario:={scenario}", "alpha:=false", "bravo:=false"
        for node in nodes:
            print(node.stop())


@pytest.fixture
def fly(peer: Peer) -> Callable[[Callable[..., None]], None]:
    """Lets both bots fly."""
    return lambda flight: fly_in_time(peer, flight, *MODULATORS)


def translate_steadily(*pilots: Pilot, fault: tuple[str, str] | None = None) -> None:
    translate(*pilots, fault=fault)
    for pilot in pilots:
        assert pilot.worst_tilt < TILT[pilot.bot]


def test_a_translation_of_10_metres_with_attitude_held(fly) -> None:
    def flight(*pilots: Pilot) -> None:
        translate_steadily(*pilots)
        for pilot in pilots:
            assert set(pilot.allocation.health) == {ThrusterState.HEALTH_OK}, "nothing is wrong with any thruster"

    fly(flight)


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "thruster", "health"),
    [
        ("thruster_stuck_closed", 4, ThrusterState.HEALTH_STUCK_CLOSED),
        ("thruster_stuck_open", 12, ThrusterState.HEALTH_STUCK_OPEN),
    ],
)
def test_a_translation_with_a_fault(fly, kind: str, thruster: int, health: int) -> None:
    def flight(*pilots: Pilot) -> None:
        translate_steadily(*pilots, fault=(kind, str(thruster)))
        for pilot in pilots:
            assert list(pilot.allocation.health)[thruster] == health

    fly(flight)


def slew_to_limit_cycle(*pilots: Pilot) -> None:
    for pilot in pilots:
        pilot.hold(0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5))
        assert pilot.tilt > 80.0
    for pilot in pilots:
        seconds = pilot.wait(lambda pilot=pilot: pilot.tilt < TILT[pilot.bot] and pilot.rate < 2.0)
        assert seconds < 40.0
    begun = pilots[0].time
    worst = dict.fromkeys(MODULATORS, 0.0)

    def watched() -> bool:
        for pilot in pilots:
            worst[pilot.bot] = max(worst[pilot.bot], pilot.tilt)
        return pilots[0].time - begun > 20.0

    pilots[0].wait(watched)
    for pilot in pilots:
        pilot.figures(limit_cycle_deg=round(worst[pilot.bot], 2))
        pilot.check_limits()
        assert worst[pilot.bot] < TILT[pilot.bot]


@pytest.mark.long
def test_a_slew_of_90_degrees_ends_in_a_limit_cycle(fly) -> None:
    fly(slew_to_limit_cycle)
