"""Simulator and allocator accept and refuse the same vehicle files, with the same words."""

import copy
import json
import shutil

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shipped import VEHICLE

from qiki_allocator.assembly import assemble
from qiki_sim import World
from qiki_vehicle import ConfigurationError, Vehicle


def replaced(old, new):
    def change(text):
        assert old in text
        return text.replace(old, new, 1)

    return change


KEY_TWICE = replaced("  peak_power: 45000.0 ", "  peak_power: 45000.0\n  peak_power: 90000.0 ")
REFUSED = {
    "key twice": KEY_TWICE,
    "number as text": replaced("min_on: 0.030", 'min_on: "0.030"'),
    "rate as text": replaced("odom: 50.0", 'odom: "50.0"'),
    "mesh too small": replaced("circumradius: 1.267", "circumradius: 1.0e-9"),
    "noise without measure": replaced("velocity: 0.001 ", "velocity: 1.0e+300 "),
    "window too short for the valves": replaced("window: 0.25", "window: 0.1"),
    "boolean as number": replaced("min_on: 0.030", "min_on: true"),
    "impossible inertia": replaced("[760.0, 800.0, 820.0]", "[760.0, 800.0, 8200.0]"),
    "more working mass than mass": replaced("working_mass: 60.0", "working_mass: 1200.0"),
    "not a number": replaced("isp: 220.0", "isp: .nan"),
    "infinite": replaced("isp: 220.0", "isp: .inf"),
    "unknown key at the top": replaced("name: dodecahedron", "name: dodecahedron\nwings: 2"),
    "unknown key of the allocator": replaced("  control_rate: 100.0", "  control_rates: 1.0\n  control_rate: 100.0"),
    "unknown key of a store": replaced("    recharge_power: 2810.0", "    leak: 1.0\n    recharge_power: 2810.0"),
    "unknown key of the sensors": replaced("    odom: 50.0", "    odom: 50.0\n    sonar: 1.0"),
    "state of charge above 1": replaced("soc_max: 1.00", "soc_max: 1.10"),
    "negative noise": replaced("velocity: 0.001 ", "velocity: -0.001 "),
    "no conductance": replaced("[RCS_A, HULL], conductance: 25.0", "[RCS_A, HULL], conductance: 0.0"),
    "no cooldown": replaced("cooldown: 1.0", "cooldown: 0.0"),
    "gates reversed": replaced("hold: 0.30", "hold: 0.70"),
    "warning above trip": replaced("warn: 90.0, trip: 120.0", "warn: 130.0, trip: 120.0"),
    "cluster without warning": replaced("RCS_A: {capacity: 2000.0, warn: 90.0,", "RCS_A: {capacity: 2000.0,"),
    "odometry too fast": replaced("odom: 50.0", "odom: 500.0"),
    "control rate too low": replaced("control_rate: 100.0", "control_rate: 10.0"),
    "whole numbers only": replaced("max_segments: 100", "max_segments: 1.5"),
    "one port twice": replaced("name: B, position", "name: A, position"),
    "section missing": lambda text: text[: text.index("control:")],
    "no thruster file": replaced("thrusters: thrusters.json", "thrusters: none.json"),
    "no mapping": lambda _: "- 1",
    "no YAML": lambda _: "{",
    "empty": lambda _: "",
}
ACCEPTED = {
    "as it is": lambda text: text,
    "whole number for a real one": replaced("isp: 220.0", "isp: 220"),
    "sensors without noise": replaced("velocity: 0.001 ", "velocity: 0.0 "),
    "nothing to recharge": replaced("recharge_power: 2810.0", "recharge_power: 0.0"),
    "no node of a hull": lambda text: text.replace("HULL", "SHELL"),
    "no docking port": lambda text: (
        text[: text.index("ports:")] + "ports: []\n\n" + text[text.index("port_hardware:") :]
    ),
}


@pytest.fixture
def answers(tmp_path):
    """Refusals of a changed file by simulator and allocator; None: accepted."""
    shutil.copy(VEHICLE.parent / "thrusters.json", tmp_path)
    vehicle, scenario = tmp_path / "vehicle.yaml", tmp_path / "scenario.yaml"
    bot = {"name": "alpha", "vehicle": "vehicle.yaml", "position": [0.0, 0.0, 0.0]}
    scenario.write_text(yaml.safe_dump({"name": "test", "bots": [bot]}))

    def answers(change):
        vehicle.write_text(change(VEHICLE.read_text()))
        return [
            refusal(lambda: World.from_file(scenario).step(0.01)),
            refusal(lambda: assemble(Vehicle.from_file(vehicle))),
        ]

    return answers


def refusal(build):
    try:
        build()
    except ConfigurationError as error:
        return str(error)
    return None


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_both_refuse(answers, change):
    simulator, allocator = answers(change)
    assert simulator is not None
    assert simulator == allocator


@pytest.mark.parametrize("change", ACCEPTED.values(), ids=ACCEPTED)
def test_both_accept(answers, change):
    assert answers(change) == [None, None]


@pytest.mark.parametrize("number", [float("nan"), "260", -260.0])
def test_both_refuse_a_thruster_file(answers, tmp_path, number):
    path = tmp_path / "thrusters.json"
    data = json.loads(path.read_text())
    data["thrusters"][3]["f_max_n"] = number
    path.write_text(json.dumps(data))
    simulator, allocator = answers(lambda text: text)
    assert simulator == allocator
    assert "thrusters.json: thrusters[3].f_max_n = " in simulator


def places(node, path=()):
    """Paths to everything in a file."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


SHIPPED = yaml.safe_load(VEHICLE.read_text())
ODD = [-1.0, 0.0, 0.5, 1, 1e9, 1e-9, 1e300, float("nan"), float("inf"), "x", True, None, [], {}]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(list(places(SHIPPED))), value=st.sampled_from(ODD))
def test_both_think_the_same_of_any_odd_value(answers, place, value):
    data = copy.deepcopy(SHIPPED)
    node = data
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    simulator, allocator = answers(lambda _: yaml.safe_dump(data))
    assert simulator == allocator
