"""The procedure docking_cascade with the real processes, to its end: three dockings, an undocking, 60 m of flight, and
power from one bot through the second to the third."""

import math
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import pytest
from docking_log import DockingLog, Happening, Pace, chain_currents, dockings, store_of

from qiki_docking import Reason
from qiki_msgs.msg import BridgeEdge, BridgeState
from qiki_node.stamps import seconds
from qiki_node.testing import Peer
from qiki_vehicle import Vehicle

pytestmark = [pytest.mark.realtime, pytest.mark.long, pytest.mark.timeout(5400)]

VEHICLE = Vehicle.from_file(Path(__file__).resolve().parents[2] / "launch/config/vehicles/dodecahedron.yaml")
BOTS = ("alpha", "bravo", "charlie")
BODIES = (*BOTS, "station")
NODES = (
    "/qiki/eventstore",
    "/qiki/sim",
    *(f"/{bot}/allocator" for bot in BOTS),
    *(f"/{one}/docking" for one in BODIES),
)
START = 180.0  # s of wall time on a busy machine
LONGEST = 5000.0  # s
DOCKED = ["APPROACH", "ALIGN", "SOFT_DOCK", "HARD_DOCK", "BRIDGE"]
CHECKS = ["lock", "pull", "electrical", "umbilical", "handshake", "passport", "clearance"]
QUANTITIES = {"closing", "lateral_rate", "tilt_rate", "roll_rate", "lateral_offset", "tilt", "roll"}
MOST = 3.0
"""Simulated s per wall s: beyond it messages of 10 Hz come too rarely for three in a row within the limits."""
THRUST_OFF = 1.0  # s after capture


@pytest.fixture(scope="module")
def launch_arguments() -> tuple[str, ...]:
    # Docking alone fills two cores here.
    return ("scenario:=cascade", "xpdr:=false")


def tries(events: Sequence[Happening]) -> list[list[str]]:
    """Phases of each try of a docking, in their order."""
    phases = [phase for phase, _ in groupby(one.data["phase"] for one in events if one.type == "docking.phase_changed")]
    begins = [index for index, phase in enumerate(phases) if phase == "APPROACH"]
    return [phases[begin:end] for begin, end in zip(begins, [*begins[1:], len(phases)], strict=True)]


def entered(events: Sequence[Happening], phase: str) -> float:
    """s at which a phase was entered last; infinite if it never was."""
    return max(
        (one.time for one in events if one.data.get("phase") == phase and one.data.get("from") != phase),
        default=math.inf,
    )


def check_docking(log: DockingLog, body: str, docking_id: str, events: Sequence[Happening]) -> None:
    """Every phase in its order, every contact inside of the box, every check, no thrust after capture."""
    *failed, last = tries(events)
    undone = last.index("UNDOCKING") if "UNDOCKING" in last else len(last)
    assert last[:undone] == DOCKED, (docking_id, last)
    assert all(one[-1] == "ABORT" for one in failed), (docking_id, failed)
    live = log.phases(body, docking_id)
    assert [phase for phase in DOCKED if phase in live] == DOCKED, f"{docking_id}: the topic had {live}"
    contacts = [one.data for one in events if one.type == "docking.contact_judged"]
    assert contacts
    for contact in contacts:
        assert contact["inside"], contact["text"]
        assert contact["margins"].keys() == QUANTITIES
        assert min(contact["margins"].values()) > 0.0, contact
    (report,) = (one.data for one in events if one.type == "docking.ended" and one.data["operation"] == "dock")
    assert (report["outcome"], report["code"], report["phase"]) == ("EXECUTED", Reason.DOCKED, "BRIDGE")
    assert report["tries"] == len(failed) + 1
    assert [one.data["check"] for one in events if one.type == "docking.check_passed"][-7:] == CHECKS
    assert 0.0 < report["propellant_kg"] < VEHICLE.body.working_mass
    captured, released = entered(events, "SOFT_DOCK"), entered(events, "UNDOCKING")
    assert log.thrust(body, captured + THRUST_OFF, released) == 0.0, "thrust after capture"
    print(f"{body} {docking_id}: {report}", flush=True)


def check_limits(bridges: Sequence[BridgeState]) -> None:
    """All that flowed over closed bridges was inside of the limits."""
    closed = [edge for bridge in bridges for edge in bridge.edges if edge.state == BridgeEdge.CLOSED]
    assert closed
    assert max(abs(edge.current) for edge in closed) <= VEHICLE.bridge.current_max
    assert all(VEHICLE.avionics.voltage_min <= edge.volts <= VEHICLE.bridge.volts_max for edge in closed)
    assert not {edge.fault for edge in closed} - {""}


@pytest.mark.requirement("DOCK-32")
def test_the_cascade_runs_to_its_end_and_carries_the_currents_of_the_closed_form(graph) -> None:
    with Peer() as peer:
        for node in NODES:
            peer.wait_until_active(node, START)
        log = DockingLog(peer, BODIES, BOTS)
        peer.spin_until(lambda: all(log.states.values()) and all(log.valves.values()), START)
        pace = Pace(peer, log, MOST)
        begun = time.monotonic()
        with graph.start_qiki("run", "docking_cascade") as run:
            try:
                while run.poll() is None and time.monotonic() - begun < LONGEST:
                    peer.spin_for(0.5)
                    pace.look()
                out, err = run.communicate(timeout=0.1) if run.poll() is not None else ("", "it did not end")
            finally:
                if run.poll() is None:
                    run.kill()
        print(f"{log.now():.0f} simulated s in {time.monotonic() - begun:.0f} s\n{out}{err}", flush=True)
        assert run.returncode == 0, out + err + graph.output()
        assert "EXECUTED" in out.splitlines()[-1]

        resistance = VEHICLE.bridge.resistance
        count = {body: len(log.bridges[body]) for body in BOTS}
        peer.spin_until(lambda: all(len(log.bridges[body]) > count[body] + 3 for body in BOTS))
        last = {body: log.bridges[body][-1] for body in BOTS}
        served = [math.fsum(last[body].served) for body in ("alpha", "charlie")]
        first, second = chain_currents(resistance, served)
        assert min(served) >= VEHICLE.avionics.base_power, "the loads that are always on"
        assert log.edge("bravo", "alpha").current == pytest.approx(-first, rel=0.02)
        assert log.edge("alpha", "bravo").current == pytest.approx(first, rel=0.02)
        assert log.edge("alpha", "charlie").current == pytest.approx(-second, rel=0.02)
        assert log.edge("charlie", "alpha").current == pytest.approx(second, rel=0.02)
        assert [last[body].depth for body in ("bravo", "alpha", "charlie")] == [0, 1, 2]
        assert {last[body].source for body in ("alpha", "charlie")} == {"bravo"}
        assert log.powers["charlie"] == pytest.approx(served[1], rel=0.02), "power that charlie's own bus measures"
        for body in BOTS:
            check_limits(log.bridges[body])

        url = store_of(graph.run_dir)
        alpha, charlie = list(dockings(url, "alpha")), list(dockings(url, "charlie"))
        partners = [events[0].data["partner"] for _, events in (*alpha, *charlie)]
        assert partners == ["station", "bravo", "alpha"]
        for body, found in (("alpha", alpha), ("charlie", charlie)):
            for docking_id, events in found:
                check_docking(log, body, docking_id, events)
        undocked = tries(alpha[0][1])[-1]
        assert undocked[-2:] == ["UNDOCKING", "FREE"]
        assert log.thrust("bravo", seconds(log.states["bravo"][0].header.stamp), log.now()) == 0.0, "bravo is docked to"
        # Alpha does not thrust while charlie docks to it.
        assert log.thrust("alpha", entered(alpha[1][1], "SOFT_DOCK") + THRUST_OFF, log.now()) == 0.0
        verified = graph.qiki("events", "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
