"""Bodies that begin docked: the docking core of the end that docked adopts what sensors and partner show."""

import pytest
from docked import bot, loop, scenario, until

from qiki_docking import Order
from qiki_docking.core import DockingCore

pytestmark = pytest.mark.requirement("DOCK-8")

JOINT = ("alpha", "B", "station", "A")


def test_a_bridge_that_is_found_closed_is_adopted_power_stays_and_undocking_works_at_once(tmp_path):
    docking = loop(scenario(tmp_path, [bot("alpha")], docked=[(*JOINT, {"powered": True})]))
    core = docking.cores["alpha"]
    assert (core.phase, core.state.step, docking.outputs["alpha"].state.confirmed) == ("BRIDGE", "bridged", True)
    assert [one["phase"] for one in docking.of("alpha", "docking.phase_changed")] == ["BRIDGE", "BRIDGE"]
    assert docking.of("alpha", "docking.phase_changed")[0]["text"] == "found docked at the start"
    assert [one["state"] for one in docking.of("alpha", "bridge.edge_changed")] == ["CLOSED"]
    assert docking.outputs["station"].state.offer("A").holder == "alpha"
    docking.loop.run(3.0)
    assert docking.loop.world.docking.of("alpha").power > 50.0
    assert core.dock("station", "A", "B", now=docking.now).reason.name == "ALREADY_DOCKED"
    assert core.undock(docking.now).accepted
    docking.loop.run_until(lambda: core.state.step == "push_off", 40.0)
    kinds = [kind for _, kind, _ in docking.loop.world.docking.take_occurrences()]
    assert "hot_break" not in kinds


def test_latches_without_power_are_adopted_by_the_order_to_undock(tmp_path):
    docking = loop(scenario(tmp_path, [bot("alpha")], docked=[JOINT]))
    core = docking.cores["alpha"]
    assert core.phase == "FREE"
    assert core.undock(docking.now).accepted
    until(docking, "alpha", "UNDOCKING", longest=0.5)
    docking.loop.run_until(lambda: core.state.step == "push_off", 40.0)


def test_a_bot_that_stands_apart_adopts_nothing(tmp_path):
    order = Order("station", "A", "B")
    docking = loop(scenario(tmp_path, [bot("alpha", (0.0, 0.0, 9.0))]), options={"alpha": {"docked": order}})
    core = docking.cores["alpha"]
    assert core.undock(docking.now).reason.name == "NOT_DOCKED"
    assert core.phase == "FREE"
    assert docking.outputs["alpha"].command.draw == 0.0
    with pytest.raises(ValueError, match="own_port = 'X'; allowed: A, B"):
        DockingCore(docking.loop.world.scenario.hardware["alpha"], "alpha", docked=Order("station", "A", "X"))
