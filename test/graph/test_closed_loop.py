"""Whole manoeuvres with the real processes: slews and translations, also with faults and with power falling away."""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pilot import Pilot, fly_in_time, translate, write_scenario

from qiki_msgs.msg import Allocation, ThrusterState
from qiki_node.testing import Peer

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(1800)]  # a flight may be repeated in slower time


@pytest.fixture(scope="module")
def launch_arguments(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Bravo's supercapacitor begins little above T_boost."""
    return (f"scenario:={write_scenario(tmp_path_factory.mktemp('scenario'), 0.62)}",)


@pytest.fixture
def fly(peer: Peer) -> Callable[..., None]:
    return partial(fly_in_time, peer)


def test_a_translation_while_the_power_falls_to_hold(fly) -> None:
    """The acceleration draws bravo's supercapacitor down."""

    def flight(bravo: Pilot) -> None:
        bravo.largest_force, bravo.cruise = 700.0, 1.2
        translate(bravo)
        assert bravo.gates[0] == "BOOST"
        assert "HOLD" in bravo.gates
        assert bravo.worst_tilt < 5.0

    fly(flight, "bravo")


def test_a_translation_of_10_metres_with_attitude_held(fly) -> None:
    def flight(alpha: Pilot) -> None:
        translate(alpha)
        assert alpha.worst_tilt < 3.0

    fly(flight, "alpha")


def test_a_translation_with_a_thruster_that_dies(fly) -> None:
    def flight(alpha: Pilot) -> None:
        translate(alpha, fault=("thruster_stuck_closed", "4"))
        assert list(alpha.allocation.health)[4] == ThrusterState.HEALTH_STUCK_CLOSED
        assert not alpha.allocation.uncontrollable
        assert alpha.worst_tilt < 5.0

    fly(flight, "alpha")


def test_a_translation_with_a_thruster_that_sticks_open(fly) -> None:
    """One of cluster D: those of A and B take 35 kW to be made up for, which the bus gives for seconds only."""

    def flight(alpha: Pilot) -> None:
        translate(alpha, fault=("thruster_stuck_open", "12"))
        assert list(alpha.allocation.health)[12] == ThrusterState.HEALTH_STUCK_OPEN
        assert alpha.worst_tilt < 10.0

    fly(flight, "alpha")


def slew(pilot: Pilot) -> None:
    """Ninety degrees about z, to one degree."""
    pilot.hold(0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5))
    assert pilot.tilt > 80.0
    seconds = pilot.wait(lambda: pilot.tilt < 1.0 and pilot.rate < 0.5)
    pilot.figures(seconds=round(seconds, 1))
    pilot.check_limits()
    assert seconds < 40.0


def test_a_slew_of_90_degrees(fly) -> None:
    fly(slew, "alpha")


def test_a_translation_in_mode_auto(fly) -> None:
    """By thrust groups only."""

    def flight(alpha: Pilot) -> None:
        alpha.set_mode(Allocation.MODE_AUTO)
        translate(alpha)
        assert alpha.modes == {Allocation.MODE_AUTO}
        assert alpha.worst_tilt < 3.0

    fly(flight, "alpha")


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "thruster", "health"),
    [
        ("thruster_stuck_closed", 4, ThrusterState.HEALTH_STUCK_CLOSED),
        ("thruster_stuck_open", 12, ThrusterState.HEALTH_STUCK_OPEN),
    ],
)
def test_a_translation_in_mode_auto_with_a_fault(fly, kind: str, thruster: int, health: int) -> None:
    def flight(alpha: Pilot) -> None:
        alpha.set_mode(Allocation.MODE_AUTO)
        translate(alpha, fault=(kind, str(thruster)))
        assert list(alpha.allocation.health)[thruster] == health
        assert alpha.worst_tilt < 10.0

    fly(flight, "alpha")


@pytest.mark.long
def test_a_slew_in_mode_auto(fly) -> None:
    def flight(alpha: Pilot) -> None:
        alpha.set_mode(Allocation.MODE_AUTO)
        slew(alpha)

    fly(flight, "alpha")


@pytest.mark.long
def test_a_thruster_that_weakens_is_found_by_its_motion(fly) -> None:
    """Its valve and sensor are good: only what the body does tells of it."""

    def flight(alpha: Pilot) -> None:
        translate(alpha, fault=("thruster_weak", "4", 0.3))
        assert list(alpha.allocation.health)[4] == ThrusterState.HEALTH_WEAK
        assert alpha.allocation.level[4] == pytest.approx(0.3, abs=0.15)
        others = np.delete(np.array(alpha.allocation.health), 4)
        assert (others == ThrusterState.HEALTH_OK).all()

    fly(flight, "alpha")


def test_the_operator_lists_groups_and_drives_the_allocator(graph, peer: Peer, tmp_path: Path) -> None:
    assert peer is not None
    picture = tmp_path / "group.svg"
    listed = graph.qiki("groups", "alpha", "--picture", str(picture), "--group", "FTG +y")
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert "FULL_TORQUE -yaw" in listed.stdout
    assert picture.read_text().startswith("<svg")
    groups = json.loads(graph.qiki("groups", "alpha", "--json").stdout)
    assert len(groups) == 24
    for arguments, code, text in (
        (("mode", "alpha", "AUTO"), 0, "AUTO"),
        (("mode", "alpha", "MANUAL_OVERRIDE"), 2, "arm: False"),
        (("mode", "alpha", "ADAPTIVE"), 0, "ADAPTIVE"),
        (("hold", "alpha"), 0, "HOLD"),
        (("hold", "alpha", "--off"), 0, "OFF"),
        (("hold", "alpha", "--off", "--damp"), 2, "at most one"),
        (("brake", "alpha"), 0, "braking"),
        (("health", "alpha", "4", "weak", "--level", "0.5"), 0, "thruster 4: weak"),
        (("health", "alpha", "16", "ok"), 2, "thruster: 16; allowed: 0 to 15"),
        (("health", "alpha", "4", "ok"), 0, "thruster 4: ok"),
        (("stop", "alpha"), 0, "valves closed"),
        (("stop", "charlie"), 2, "charlie"),
    ):
        run = graph.qiki("allocator", *arguments)
        assert run.returncode == code, (arguments, run.stdout, run.stderr)
        assert text in run.stdout + run.stderr
