"""Docking sensors, docked starts, determinism, and any command whatever (SIM-K10 to SIM-K12)."""

import numpy as np
import pytest
import yaml
from dock_helpers import STATION, approaching, chain, momentum, order, reading
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sim_helpers import write_scenario

from qiki_sim import ConfigurationError, World, load_scenario
from qiki_vehicle import Pose
from qiki_vehicle.port_hardware import DockCommand, PortCommand


def truth(world, own, target, port):
    """Position of a port's face in another body's base_link."""
    here, there = (Pose(world.motion(n).position, world.motion(n).orientation) for n in (own, target))
    face = world.docking.of(target).ports[port].position
    return here.inverse().then(Pose(there.point(face))).position


def test_a_port_in_front_is_seen_with_the_noise_of_the_vehicle_file():
    errors = []
    world = approaching(gap=20.0, closing=0.0)
    for _ in range(200):
        world.step(0.01)
        (sight,) = world.dock("alpha").sights
        assert (sight.port, sight.target, sight.target_port) == ("B", "station", "A")
        errors.append(sight.position - truth(world, "alpha", "station", "A"))
    spread = np.hypot(0.01, 0.002 * 20.5)
    assert np.std(errors) == pytest.approx(spread, rel=0.1)
    assert np.abs(np.mean(errors, axis=0)).max() < 4.0 * spread / np.sqrt(200)
    near = approaching(gap=2.0, closing=0.0).dock("alpha").sights[0]
    assert 0.5 < sight.quality < near.quality <= 1.0


def test_what_is_behind_far_away_or_hidden_is_not_seen():
    world = approaching(gap=200.0, closing=0.0)
    assert world.dock("alpha").sights == ()
    # The station stands between its lower port and a bot above: only the upper one is in sight, whose axis faces it.
    world = approaching(gap=30.0, closing=0.0)
    assert [sight.target_port for sight in world.dock("alpha").sights] == ["A"]
    assert [sight.port for sight in world.dock("station").sights] == ["A"]


def test_a_third_body_hides_a_port(tmp_path):
    wall = {"name": "wall", "type": "DEBRIS", "shape": {"kind": "sphere", "radius": 2.0}, "mass": 5.0}
    bots = {"alpha": {"position": [0.0, 0.0, 40.0]}}
    for place, count in (([0.0, 0.0, 20.0], 0), ([10.0, 0.0, 20.0], 1)):
        bodies = [STATION, {**wall, "position": place}]
        world = World.from_file(write_scenario(tmp_path, None, bots, bodies=bodies))
        assert len(world.dock("alpha").sights) == count


def test_delay_outliers_and_dropouts_come_from_the_scenario(tmp_path):
    camera = {"delay": 0.05, "outlier_share": 0.2, "dropout_every": 4.0, "dropout_min": 1.0, "dropout_max": 1.0}
    bots = {"alpha": {"position": [0.0, 0.0, 30.0], "velocity": [0.0, 0.0, -1.0], "dock_sensors": camera}}
    world = World.from_file(write_scenario(tmp_path, None, bots, bodies=[STATION]))
    received, errors = 0, []
    for index in range(800):
        world.step(0.01)
        found = world.dock("alpha")
        if found is None:
            continue
        received += 1
        assert found.stamp == pytest.approx(max(world.time - 0.05, 0.0), abs=1e-9)
        if index > 10:
            errors.append(found.sights[0].position[2] - truth(world, "alpha", "station", "A")[2] + 0.05)
    assert received == pytest.approx(600, abs=10)
    spread = np.hypot(0.01, 0.002 * 25.0)
    assert np.median(errors) == pytest.approx(0.0, abs=0.01)
    assert np.mean(np.abs(errors) > 5.0 * spread) == pytest.approx(0.16, abs=0.06)
    assert world.docking.of("station").vehicle.sensors.dock.delay == 0.0


def flight(seed, look):
    world = approaching(lateral=0.08, tilt=0.03, seed=seed)
    order(world, "alpha", capture=True, latch=True, draw=50.0)
    readings = []
    for index in range(12):
        world.step(0.05)
        if look or index == 11:
            readings.append(world.dock("alpha"))
    return world.state(), readings[-1]


def test_a_rerun_is_bit_equal_with_or_without_reading_and_noise_changes_with_the_seed():
    (state, found), (again, same), (_, other) = flight(7, True), flight(7, False), flight(8, False)
    assert (state == again).all()
    assert found.ports == same.ports
    assert (found.sights[0].position == same.sights[0].position).all()
    assert not (found.sights[0].position == other.sights[0].position).any()


def test_a_docked_start_holds_and_comes_back_with_a_reset(tmp_path):
    world = chain(tmp_path, 3)
    state = world.state()
    for _ in range(2):
        assert len(world.docked()) == 3
        assert reading(world, "bot_2").latch_1
        assert reading(world, "bot_2").umbilical
        world.step(1.0)
        assert world.motion("bot_2").position == pytest.approx([0.0, 0.0, 6.15 + 1.2 + 2 * 2.4], abs=1e-9)
        order(world, "bot_0", release=True)
        world.reset()
        assert (world.state() == state).all()


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"body": "nobody"}, r"docked\[0\].body = 'nobody': allowed: alpha, bravo, station"),
        ({"to_port": "C"}, r"docked\[0\].to_port = 'C': allowed: free ports of station: A, B"),
        ({"to": "alpha", "to_port": "A"}, r"docked\[0\].body = 'alpha': allowed: another body than alpha"),
        ({"port": "B", "to_port": "B"}, "alpha and bravo overlap at the start"),
    ],
)
def test_an_impossible_docked_start_is_refused(tmp_path, entry, text):
    docked = {"body": "alpha", "port": "B", "to": "station", "to_port": "A", **entry}
    bots = {"alpha": {}, "bravo": {"position": [0.0, 0.0, -8.0]}}
    with pytest.raises(ConfigurationError, match=text):
        World(load_scenario(write_scenario(tmp_path, None, bots, bodies=[STATION], docked=[docked])))


def test_only_a_docked_bot_needs_no_position(tmp_path):
    path = write_scenario(tmp_path, bodies=[STATION])
    scenario = yaml.safe_load(path.read_text())
    del scenario["bots"][0]["position"]
    path.write_text(yaml.safe_dump(scenario))
    with pytest.raises(ConfigurationError, match=r"bots\[0\].position: missing"):
        load_scenario(path)
    scenario["docked"] = [{"body": "alpha", "port": "B", "to": "station", "to_port": "A"}]
    path.write_text(yaml.safe_dump(scenario))
    assert World.from_file(path).motion("alpha").position == pytest.approx([0.0, 0.0, 7.35])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"vehicle": None}, "source_power 250.0 W; allowed: 0 without vehicle"),
        ({"ports": []}, "docking hardware without ports"),
        ({"mass": None, "course": [{"time": 0.0, "position": [0.0, 0.0, 0.0]}]}, "docking hardware on a course"),
        ({"vehicle": "missing.yaml"}, "missing.yaml: cannot be read"),
    ],
)
def test_impossible_docking_hardware_is_refused(tmp_path, changes, text):
    with pytest.raises(ConfigurationError, match=text):
        load_scenario(write_scenario(tmp_path, bodies=[{**STATION, **changes}]))


LEVELS = st.sampled_from([None, True, False])
PORTS = st.builds(
    PortCommand,
    port=st.sampled_from("AB"),
    capture=LEVELS,
    latch=LEVELS,
    ground=LEVELS,
    precharge=LEVELS,
    main=LEVELS,
    current_limit=st.none() | st.floats(0.0, 1e6),
    data=LEVELS,
    pull=st.floats(0.0, 1e6),
    release=st.sampled_from([False, False, False, True]),
)
COMMANDS = st.builds(
    DockCommand,
    stamp=st.just(0.0),
    ports=PORTS.map(lambda port: (port,)),
    source=st.booleans(),
    draw=st.none() | st.floats(0.0, 1e6),
)
TIMES = st.sampled_from([0.002, 0.05, 0.3])
STEPS = st.lists(st.tuples(st.sampled_from(["alpha", "bravo"]), COMMANDS, TIMES), max_size=8)
FAULTS = st.sampled_from(["latch_jam", "umbilical_misaligned", "polarity_reversed", "contacts_welded", "clear"])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(steps=STEPS, fault=FAULTS, closing=st.floats(0.0, 3.0), lateral=st.floats(-0.4, 0.4))
def test_any_commands_keep_the_world_finite_and_its_momentum(steps, fault, closing, lateral):
    world = approaching(closing=closing, lateral=lateral, to="bravo")
    world.inject_fault("bravo", fault, "A")
    for body, command, seconds in steps:
        world.command_dock(body, command)
        world.step(seconds)
        for name in world.docks:
            found = world.dock(name)
            assert found is None or all(abs(port.inner_volts) < 100.0 for port in found.ports)
    assert np.isfinite(world.state()).all()
    assert momentum(world, "alpha", "bravo")[:3] == pytest.approx([0.0, 0.0, -1200.0 * closing], abs=1e-3)
