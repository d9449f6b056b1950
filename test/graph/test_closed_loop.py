"""Two flights with the real processes, and the operator's verbs; the other manoeuvres are flown in qiki_loop."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

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
        translate(alpha, fault=("thruster_stuck_closed", "4"))
        assert list(alpha.allocation.health)[4] == ThrusterState.HEALTH_STUCK_CLOSED
        assert not alpha.allocation.uncontrollable
        assert alpha.worst_tilt < 5.0

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
