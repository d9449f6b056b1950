"""Scenario and vehicle files: the shipped ones hold, broken ones are refused by name (SIM-C1, SIM-C2)."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.spatial import Delaunay
from sim_helpers import CONFIG, VEHICLE, merged, write_scenario, write_vehicle

from qiki_sim import ConfigurationError, World, load_scenario
from qiki_sim.ros.runner import load_world
from qiki_sim.shapes import Box, Cylinder, Dodecahedron, Sphere
from qiki_vehicle import Vehicle
from qiki_vehicle.hull import dodecahedron_vertices


@pytest.mark.parametrize("path", sorted((CONFIG / "scenarios").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_scenario_runs(path):
    """SIM-C1."""
    world = World.from_file(path)
    world.step(1.0)
    assert np.isfinite(world.state()).all()


def test_default_scenario_has_what_it_promises():
    """SIM-C1: a station with two ports, alpha and bravo at rest some tens of metres away, debris, a passing ship."""
    world = World.from_file(CONFIG / "scenarios" / "station.yaml")
    assert world.bots == ("alpha", "bravo")
    types = {body.name: body.type for body in world.scenario.file.bodies}
    assert {"STATION", "DEBRIS", "SHIP"} <= set(types.values())
    station = next(body for body in world.scenario.file.bodies if body.type == "STATION")
    assert [port.name for port in station.ports] == ["A", "B"]
    for bot in world.bots:
        assert 10.0 < np.linalg.norm(world.motion(bot).position) < 100.0
        assert np.abs(world.motion(bot).velocity).max() < 1e-12
    before = world.motion("freighter").position
    world.step(1.0)
    assert np.linalg.norm(world.motion("freighter").position - before) > 1.0


def test_vehicle_geometry_gives_the_known_facts():
    """SIM-C1: all thrusters together give no wrench; the pure forces of the cluster pairs."""
    vehicle = Vehicle.from_file(VEHICLE)
    forces = np.array([t.f_max_n * np.array(t.direction) for t in vehicle.thrusters])
    positions = np.array([t.position_m for t in vehicle.thrusters])
    assert len(vehicle.thrusters) == 16
    assert np.linalg.norm(positions, axis=1) == pytest.approx(1.267, abs=1e-3)
    assert forces[4:8].sum(axis=0) == pytest.approx([735.391, 0.0, 0.0], abs=1e-3)
    assert forces.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)


@pytest.mark.parametrize(
    "shape",
    [
        Sphere(kind="sphere", radius=0.7),
        Box(kind="box", size=(1.0, 2.0, 3.0)),
        Cylinder(kind="cylinder", radius=0.5, length=2.0),
        Dodecahedron(kind="dodecahedron", circumradius=1.267),
    ],
    ids=lambda shape: shape.kind,
)
def test_inertia_of_a_uniform_solid(shape):
    """SIM-C1: against a count of random points inside."""
    points = np.random.default_rng(1).uniform(-1.6, 1.6, (400_000, 3))
    x, y, z = np.abs(points).T
    if shape.kind == "sphere":
        inside = x**2 + y**2 + z**2 < 0.7**2
    elif shape.kind == "box":
        inside = (x < 0.5) & (y < 1.0) & (z < 1.5)
    elif shape.kind == "cylinder":
        inside = (x**2 + y**2 < 0.25) & (z < 1.0)
    else:
        inside = Delaunay(dodecahedron_vertices(1.267)).find_simplex(points) >= 0
    squares = (points[inside] ** 2).mean(axis=0)
    expected = 1000.0 * (squares.sum() - squares)
    assert shape.inertia(1000.0) == pytest.approx(expected, rel=0.02)


ALPHA = {"name": "alpha", "vehicle": str(VEHICLE), "position": [0.0, 0.0, 0.0]}
SPHERE = {"name": "rock", "type": "DEBRIS", "shape": {"kind": "sphere", "radius": 1.0}}
COURSE = [{"time": 0.0, "position": [9.0, 0.0, 0.0]}, {"time": 1.0, "position": [9.0, 5.0, 0.0]}]
FAULT = {"time": 0.0, "bot": "alpha", "kind": "thruster_weak", "target": "1", "value": 0.5}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"wind": 3}, "top level: unknown key wind; allowed: name, seed, physics"),
        ({"name": None}, "name = None"),
        ({"name": "two words"}, "name = 'two words'"),
        ({"seed": -1}, "seed = -1: Input should be greater than or equal to 0"),
        ({"seed": 1.5}, "seed = 1.5"),
        ({"physics": {"step": 0.005}}, "physics.step = 0.005: Input should be less than or equal to 0.002"),
        ({"physics": {"step": 0.0003}}, "step 0.0003 s; allowed: 0.0001 to 0.002 s, a whole fraction of 0.01 s"),
        ({"physics": {"stepp": 0.002}}, "physics: unknown key stepp; allowed: step, friction"),
        ({"environment": {"sunlight": 1.2}}, "environment.sunlight = 1.2"),
        ({"bots": [merged(ALPHA, {"position": [0.0, 0.0]})]}, r"bots\[0\].position\[2\]: Field required"),
        ({"bots": [merged(ALPHA, {"position": [0.0, 0.0, "0"]})]}, r"bots\[0\].position\[2\] = '0'"),
        ({"bots": [merged(ALPHA, {"position": [float("nan"), 0.0, 0.0]})]}, r"bots\[0\].position\[0\] = nan"),
        ({"bots": [merged(ALPHA, {"velocity": [float("inf"), 0.0, 0.0]})]}, r"bots\[0\].velocity\[0\] = inf"),
        (
            {"bots": [merged(ALPHA, {"orientation": [0.0, 0.0, 0.0, 2.0]})]},
            r"bots\[0\].orientation = .*norm 2; allowed: 0.999 to 1.001",
        ),
        ({"bots": [merged(ALPHA, {"supercap_soc": 1.5})]}, r"bots\[0\].supercap_soc = 1.5"),
        ({"bots": [merged(ALPHA, {"working_mass": 61.0})]}, r"bots\[0\].working_mass = 61.0: allowed: 0 to 60.0 kg"),
        ({"bots": [merged(ALPHA, {"vehicle": "none.yaml"})]}, "none.yaml: cannot be read"),
        ({"bots": [merged(ALPHA, {"colour": "red"})]}, r"bots\[0\]: unknown key colour"),
        ({"bots": [ALPHA, ALPHA]}, "name used twice: alpha"),
        ({"bots": [ALPHA, merged(ALPHA, {"name": "bravo"})]}, "alpha and bravo overlap at the start"),
        ({"bodies": [SPHERE]}, r"bodies\[0\] = .*either mass \(free body\) or course"),
        ({"bodies": [merged(SPHERE, {"mass": 5.0})]}, "alpha and rock overlap at the start"),
        ({"bodies": [merged(SPHERE, {"mass": -5.0})]}, r"bodies\[0\].mass = -5.0"),
        ({"bodies": [merged(SPHERE, {"mass": 5.0, "course": COURSE})]}, "not both"),
        ({"bodies": [merged(SPHERE, {"position": [9.0, 0.0, 0.0], "course": COURSE})]}, "position: not allowed"),
        ({"bodies": [merged(SPHERE, {"course": [COURSE[0], COURSE[0]]})]}, "each later than the one before"),
        ({"bodies": [merged(SPHERE, {"mass": 5.0, "type": "WHALE"})]}, r"bodies\[0\].type = 'WHALE'"),
        ({"bodies": [merged(SPHERE, {"mass": 5.0, "shape": {"kind": "cube"}})]}, r"bodies\[0\].shape = "),
        (
            {"bodies": [merged(SPHERE, {"mass": 5.0, "inertia": [1.0, 1.0, 3.0]})]},
            "no moment larger than the sum of the other two",
        ),
        ({"faults": [merged(FAULT, {"bot": "zulu"})]}, r"faults\[0\].bot = 'zulu': allowed: alpha"),
        ({"faults": [merged(FAULT, {"target": "99"})]}, r"faults\[0\].target = '99'"),
        ({"faults": [merged(FAULT, {"value": 2.0})]}, r"faults\[0\].value = 2.0"),
        ({"faults": [merged(FAULT, {"time": -1.0})]}, r"faults\[0\].time = -1.0"),
    ],
)
def test_broken_scenario_is_refused(tmp_path, changes, text):
    """SIM-C2: the error names file, field, value and allowed range."""
    path = tmp_path / "broken.yaml"
    path.write_text(yaml.safe_dump({"name": "test", "bots": [ALPHA], **changes}))
    with pytest.raises(ConfigurationError, match=text) as refusal:
        World.from_file(path)
    assert ".yaml" in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "cannot be parsed"),
        ("name: a\nname: b\nbots: []", "key given twice: name"),
        ("- 1", "top level: allowed: a mapping"),
        ("", "top level: allowed: a mapping"),
        ("\x00", "cannot be parsed"),
    ],
)
def test_file_that_is_no_scenario_is_refused(tmp_path, text, message):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        load_scenario(path)


def test_missing_scenario_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none.yaml: cannot be read"):
        load_scenario(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"body": {"mass": -1.0}}, "body.mass = -1.0: Input should be greater than 0"),
        ({"body": {"working_mass": 1300.0}}, "working_mass 1300.0 kg; allowed: 0 to less than mass"),
        ({"body": {"inertia": [1.0, 1.0, 5.0]}}, "no moment larger than the sum of the other two"),
        ({"body": {"masss": 1.0}}, "body: unknown key masss"),
        ({"wings": {}}, "top level: unknown key wings"),
        ({"thrusters": "none.json"}, "none.json: cannot be read"),
        ({"propulsion": {"supercap": {"soc_min": 1.0}}}, "soc_min 1.0; allowed: less than soc_max"),
        ({"avionics": {"shed_order": ["toaster"]}}, "shed_order .'toaster'.; allowed: each of"),
        ({"avionics": {"shed_soc": 0.4}}, "shed_soc 0.4; allowed: less than restore_soc"),
        ({"thermal": {"links": [{"between": ["HULL", "MOON"], "conductance": 1.0}]}}, "links between"),
        ({"sensors": {"rates": {"odom": 1000.0}}}, "sensors.rates.odom = 1000.0"),
    ],
)
def test_broken_vehicle_is_refused(tmp_path, changes, text):
    """SIM-C2."""
    vehicle = write_vehicle(tmp_path)
    data = merged(yaml.safe_load(vehicle.read_text()), changes)
    scenario = write_scenario(tmp_path)
    vehicle.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigurationError, match=text):
        World.from_file(scenario)


@pytest.mark.parametrize("path", sorted((CONFIG / "scenarios").glob("*.yaml")), ids=lambda path: str(path.stem))
def test_every_shipped_scenario_is_sound(path: Path) -> None:
    assert load_scenario(path).file.name == path.stem


def test_a_typing_error_in_a_name_is_refused_with_the_names_there_are():
    with pytest.raises(ConfigurationError, match=r"scenario: 'singel' is not there; allowed: .*cascade.*single"):
        load_world("singel", -1)
