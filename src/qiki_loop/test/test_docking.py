"""Docking in one process: twin, flight cores and docking cores, from the corridor to measured currents and back."""

import math

import numpy as np
import pytest
from docked import bot, loop, scenario, until
from shipped import VEHICLE

from qiki_docking.bridge import Role, chain_volts
from qiki_docking.bridge.network import solve
from qiki_loop import ClosedLoop

pytestmark = pytest.mark.requirement("DOCK-18")


def settled(docking, seconds=4.0):
    docking.loop.run(seconds)
    return {body: output.bridge for body, output in docking.outputs.items()}


def edge(bridge, partner):
    return next(one for one in bridge.edges if one.partner == partner)


def test_a_bot_docks_is_fed_undocks_and_is_free(tmp_path):
    docking = loop(scenario(tmp_path, [bot("alpha", (0.1, -0.05, 9.0))]))
    assert docking.cores["alpha"].dock("station", now=docking.now).accepted
    until(docking, "alpha", "BRIDGE")
    bridge = settled(docking)["alpha"]
    (carried,) = bridge.edges
    watts = math.fsum(bridge.served)
    assert carried.current == pytest.approx(watts / chain_volts(28.0, carried.resistance, watts), rel=0.02)
    assert carried.volts == pytest.approx(chain_volts(28.0, carried.resistance, watts), rel=0.02)
    (ended,) = docking.of("alpha", "docking.ended")
    assert ended["outcome"] == "EXECUTED"
    assert min(ended["margins"].values()) > 0.0, "a contact outside of the box"
    assert len(ended["margins"]) == len(ended["checks"]) == 7
    assert 0.0 < ended["propellant_kg"] < 2.0
    assert ended["plume_impulse_ns"] >= 0.0
    assert docking.cores["alpha"].dock("station", "A", "B", now=docking.now).reason.name == "ALREADY_DOCKED"
    assert docking.cores["station"].undock(docking.now).accepted
    until(docking, "alpha", "FREE")
    # The partner learns of it with the next message.
    docking.loop.run(1.0)
    assert docking.outputs["station"].state.offer("A").holder == ""
    assert docking.outputs["alpha"].steering is None
    assert docking.of("alpha", "docking.ended")[1]["operation"] == "undock"


def test_a_chain_is_fed_through_its_middle_and_cut_at_its_root(tmp_path):
    bots = [bot("alpha"), bot("bravo"), bot("charlie")]
    joints = [("alpha", "B", "bravo", "A"), ("charlie", "B", "alpha", "A")]
    docking = loop(scenario(tmp_path, bots, station=False, docked=joints), options={"bravo": {"role": Role.SOURCE}})
    assert docking.cores["alpha"].dock("bravo", "A", "B", now=docking.now).accepted
    until(docking, "alpha", "BRIDGE", "UNDOCKING")
    assert docking.cores["charlie"].dock("alpha", "A", "B", now=docking.now).accepted
    until(docking, "charlie", "BRIDGE", "UNDOCKING")
    bridges = settled(docking)
    served = [math.fsum(bridges[body].served) for body in ("alpha", "charlie")]
    volts = solve(28.0, [-1, 0], [0.05, 0.05], served)
    last, first = served[1] / volts[1], served[0] / volts[0] + served[1] / volts[1]
    assert edge(bridges["charlie"], "alpha").current == pytest.approx(last, rel=0.02)
    assert edge(bridges["alpha"], "bravo").current == pytest.approx(first, rel=0.02)
    assert edge(bridges["bravo"], "alpha").current == pytest.approx(-first, rel=0.02)
    assert edge(bridges["alpha"], "charlie").expected == pytest.approx(-last, rel=0.02)
    assert [bridges[body].depth for body in ("bravo", "alpha", "charlie")] == [0, 1, 2]
    assert {bridge.shed for bridge in bridges.values()} == {bridges["bravo"].shed}
    assert docking.cores["alpha"].undock(docking.now, "B").accepted
    docking.loop.run_until(lambda: docking.cores["alpha"].state.step == "unlock", 30.0)
    assert docking.outputs["charlie"].command.draw == docking.outputs["alpha"].command.draw == 0.0
    assert docking.outputs["charlie"].bridge.source == ""


def test_a_bot_docks_to_a_bot_and_the_partner_falls_silent(tmp_path):
    bots = [bot("alpha", (0.05, 0.0, 3.9)), bot("bravo")]
    docking = loop(scenario(tmp_path, bots, station=False), options={"bravo": {"role": Role.SOURCE}})
    # Ports are chosen: the nearest of the partner in sight, the own one that turns least.
    assert docking.cores["alpha"].dock("bravo", now=docking.now).accepted
    order = docking.cores["alpha"].state.order
    assert (order.partner_port, order.own_port) == ("A", "B")
    until(docking, "alpha", "BRIDGE", "FREE", "FAULT")
    bridge = settled(docking)["alpha"]
    assert bridge.source == "bravo"
    assert bridge.edges[0].current == pytest.approx(bridge.edges[0].expected, rel=0.02)
    assert docking.cores["bravo"].flight_command(docking.now).reason.name == "FLIGHT_WHILE_DOCKING"
    docking.silent.add("bravo")
    until(docking, "alpha", "UNDOCKING", longest=20.0)
    assert docking.cores["alpha"].state.reason.name == "PARTNER_SILENT"


def facing(tmp_path):
    bots = [bot("alpha", (0.05, 0.0, 7.4)), bot("bravo")]
    docking = loop(scenario(tmp_path, bots, station=False))
    docking.loop.run(2.0)
    assert docking.cores["alpha"].dock("bravo", "A", "B", now=docking.now).accepted
    return docking, docking.cores


def test_of_two_bots_that_are_ordered_to_each_other_one_gives_way(tmp_path):
    docking, cores = facing(tmp_path)
    assert cores["bravo"].dock("alpha", "B", "A", now=docking.now).accepted
    docking.loop.run(1.0)
    assert (cores["alpha"].phase.value, cores["bravo"].phase.value) == ("APPROACH", "ABORT")


def test_a_bot_does_not_dock_to_one_that_flies_itself(tmp_path):
    docking, cores = facing(tmp_path)
    docking.loop.run(0.5)
    answer = cores["bravo"].dock("alpha", "B", "A", now=docking.now)
    assert answer.reason.name == "PARTNER_MOVES", answer.text


def test_motion_accuses_no_thruster_while_the_body_touches_another():
    flight = ClosedLoop.from_file(VEHICLE.parents[1] / "scenarios" / "single.yaml", 1, control_rate=20.0)
    flight.world.inject_fault("alpha", "thruster_weak", "0", 0.2)

    def found(*, touching):
        for _ in range(40):
            flight.command("alpha", [0.0, 200.0, 0.0, 0.0, 0.0, 0.0])
            flight.act("alpha", lambda core, now: core.inhibit(now, now, np.ones(16), "contact", touching=touching))
            flight.run(0.2)
        return [one.data for one in flight.links["alpha"].occurrences if one.type == "allocator.fault_detected"]

    assert not found(touching=True)
    assert found(touching=False)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_cascade_that_is_shipped_carries_the_currents_of_the_closed_form():
    """As the procedure docking_cascade orders it, which does the same on the graph."""
    docking = loop(VEHICLE.parents[1] / "scenarios" / "cascade.yaml")
    cores = docking.cores
    for body, partner, ports in (("alpha", "station", "AB"), ("alpha", "bravo", "BA"), ("charlie", "alpha", "BA")):
        if partner == "bravo":
            assert cores["bravo"].set_bridge(docking.now, role=Role.SOURCE).accepted
            assert cores["alpha"].undock(docking.now).accepted
            until(docking, "alpha", "FREE", longest=400.0)
        assert cores[body].dock(partner, *ports, now=docking.now).accepted
        until(docking, body, "BRIDGE", longest=1500.0)
    bridges = settled(docking)
    served = [math.fsum(bridges[body].served) for body in ("alpha", "charlie")]
    volts = solve(28.0, [-1, 0], [0.05, 0.05], served)
    last, first = served[1] / volts[1], served[0] / volts[0] + served[1] / volts[1]
    assert edge(bridges["charlie"], "alpha").current == pytest.approx(last, rel=0.02)
    assert edge(bridges["alpha"], "bravo").current == pytest.approx(first, rel=0.02)
    ended = [docking.of("alpha", "docking.ended")[0], docking.of("alpha", "docking.ended")[2]]
    for report in (*ended, *docking.of("charlie", "docking.ended")):
        assert min(report["margins"].values()) > 0.0, "a contact outside of the box"
