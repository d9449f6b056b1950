"""Occurrences of the hardware: each once, at its time (events of the simulator)."""

import pytest
from dock_helpers import approaching, order
from sim_helpers import FORWARD, burn, command, make_world

from qiki_sim.occurrences import Occurrence, Watch
from qiki_sim.world import World

TICK = 0.01
SIX = (4, 5, 6, 7, 0, 1)  # 1560 N: more than the PDU carries


def fly(world: World, watch: Watch, seconds: float) -> list[tuple[float, Occurrence]]:
    """Step tick by tick; occurrences with their times."""
    seen = []
    for _ in range(round(seconds / TICK)):
        world.step(TICK)
        seen += [(world.time, what) for what in watch.look(world)]
    return seen


def kinds(seen: list[tuple[float, Occurrence]]) -> list[str]:
    return [what.type for _, what in seen if not what.is_sample]


def test_a_trip_of_the_pdu_and_its_end(tmp_path):
    world = make_world(tmp_path)
    watch = Watch(world)
    world.command("alpha", command(0.0, SIX))
    seen = [entry for entry in fly(world, watch, 1.2) if not entry[1].is_sample]
    assert [what.type for _, what in seen[:2]] == ["simulator.pdu_tripped", "simulator.pdu_restored"]
    assert seen[0][1].payload == {"bot": "alpha", "trips": 1}
    assert seen[1][0] - seen[0][0] == pytest.approx(1.0, abs=2 * TICK)
    assert (seen[0][1].cause, seen[1][1].cause) == (None, seen[0][1])


@pytest.mark.requirement("EVENT-11b")
def test_faults_injected_cleared_and_expired(tmp_path):
    world = make_world(
        tmp_path, faults=[{"time": 0.5, "bot": "alpha", "kind": "thruster_weak", "target": "3", "value": 0.5}]
    )
    watch = Watch(world)
    world.inject_fault("alpha", "sensor_dropout", "odom", duration=0.2)
    seen = fly(world, watch, 0.6)
    assert kinds(seen) == ["simulator.fault_injected", "simulator.fault_cleared", "simulator.fault_injected"]
    faults = [what.payload for _, what in seen if not what.is_sample]
    assert faults[0]["duration_s"] == pytest.approx(0.2, abs=2 * TICK)
    assert faults[1] == {"bot": "alpha", "kind": "sensor_dropout", "target": "odom", "reason": "expired"}
    assert faults[2] == {"bot": "alpha", "kind": "thruster_weak", "target": "3", "value": 0.5, "duration_s": None}
    world.inject_fault("alpha", "clear")
    (cleared,) = [what for what in watch.look(world) if not what.is_sample]
    assert cleared.payload["reason"] == "by order"
    assert watch.look(world) == []
    first, expired, second = [what for _, what in seen if not what.is_sample]
    assert (first.cause, expired.cause, second.cause, cleared.cause) == (None, first, None, second)


def test_each_fault_ends_because_it_began_and_no_other(tmp_path):
    world = make_world(tmp_path, bots={"alpha": {}, "bravo": {"position": [20.0, 0.0, 0.0]}})
    watch = Watch(world)

    def look():
        return [what for what in watch.look(world) if not what.is_sample]

    def inject(bot, target, value):
        world.inject_fault(bot, "thruster_weak", target, value)
        return look()

    (alpha,), (bravo,), (other,) = inject("alpha", "3", 0.5), inject("bravo", "3", 0.5), inject("alpha", "4", 0.5)
    replaced, weaker = inject("alpha", "3", 0.25)
    assert (replaced.type, weaker.type) == ("simulator.fault_cleared", "simulator.fault_injected")
    assert (replaced.cause, weaker.cause) == (alpha, None)
    world.inject_fault("alpha", "clear")
    world.inject_fault("bravo", "clear")
    ended = {(what.bot, what.payload["target"]): what.cause for what in look()}
    assert ended == {("alpha", "3"): weaker, ("alpha", "4"): other, ("bravo", "3"): bravo}


def test_what_had_begun_before_anybody_watched_ends_without_a_cause(tmp_path):
    world = make_world(tmp_path)
    world.inject_fault("alpha", "thruster_weak", "3", 0.5)
    watch = Watch(world)
    world.inject_fault("alpha", "clear")
    (cleared,) = [what for what in watch.look(world) if not what.is_sample]
    assert (cleared.type, cleared.cause) == ("simulator.fault_cleared", None)


def test_a_cluster_that_is_too_hot_and_loads_that_are_shed(tmp_path):
    hot = {"thermal": {"cluster_heat_fraction": 0.98}, "avionics": {"shed_soc": 0.8, "restore_soc": 0.9}}
    world = make_world(tmp_path, hot, bots={"alpha": {"temperature": 99.0, "battery_soc": 0.8001}})
    watch = Watch(world)
    seen = []
    for _ in range(40):
        world.command("alpha", command(world.time, FORWARD))
        seen += fly(world, watch, 0.2)
    assert "simulator.cluster_tripped" in kinds(seen)
    assert "simulator.load_shed" in kinds(seen)
    shed = [what.payload["load"] for _, what in seen if what.type == "simulator.load_shed"]
    assert len(shed) == len(set(shed)), "each is seen once"
    assert all(what.cause is None for _, what in seen)


def test_heat_and_sheds_end_because_they_began(tmp_path):
    world = make_world(tmp_path)
    watch, bot = Watch(world), world.bot("alpha")
    thermal, loads = bot.thermal, bot.avionics.load_on
    hull, cluster, load = bot.heat.names.index("HULL"), bot.heat.names.index("RCS_B"), next(iter(loads))

    def look():
        return {what.type.removeprefix("simulator."): what for what in watch.look(world) if not what.is_sample}

    assert look() == {}
    thermal.tripped[[hull, cluster]] = True
    loads[load] = False
    begun = look()
    assert {kind: what.cause for kind, what in begun.items()} == dict.fromkeys(
        ("cluster_tripped", "node_overheated", "load_shed")
    )
    thermal.tripped[cluster] = False
    assert {kind: what.cause for kind, what in look().items()} == {"cluster_restored": begun["cluster_tripped"]}
    thermal.tripped[hull] = False
    loads[load] = True
    assert {kind: what.cause for kind, what in look().items()} == {
        "node_cooled": begun["node_overheated"],
        "load_restored": begun["load_shed"],
    }


def test_energy_is_sampled_each_second_with_what_the_topic_says(tmp_path):
    world = make_world(tmp_path)
    watch = Watch(world)
    world.command("alpha", command(0.0, FORWARD))
    seen = fly(world, watch, 0.5) + fly(world, watch, 2.6)
    samples = [(at, what.payload) for at, what in seen if what.is_sample]
    assert [at for at, _ in samples] == pytest.approx([0.01, 1.0, 2.0, 3.0], abs=1e-9)
    burn(world, FORWARD, 0.9)
    fly(world, watch, 0.1)
    reading = world.energy("alpha")
    assert samples[1][1]["power_w"] == pytest.approx(
        (samples[1][1]["energy_used_j"] - samples[0][1]["energy_used_j"]) / 0.99
    )
    assert reading.thrust_energy > samples[-1][1]["energy_used_j"]


def test_without_a_sensor_there_is_no_sample(tmp_path):
    world = make_world(tmp_path)
    watch = Watch(world)
    world.inject_fault("alpha", "sensor_dropout", "energy")
    assert not [what for _, what in fly(world, watch, 2.0) if what.is_sample]


def test_a_docking_and_a_fault_of_a_station_occur_with_their_causes():
    """Each follows from the one before."""
    world = approaching(lateral=0.05)
    watch = Watch(world)
    order(world, "alpha", capture=True)
    world.inject_fault("station", "converter_dead", "dock")
    world.step(0.1)
    found = [one for one in watch.look(world) if not one.is_sample]
    assert [one.type.removeprefix("simulator.") for one in found] == ["fault_injected", "port_contact", "captured"]
    assert found[0].bot == "station"
    assert found[2].cause is found[1]
    assert found[1].payload["lateral_offset_m"] == pytest.approx(0.05)
