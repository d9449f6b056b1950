"""The vehicle file: the shipped one holds, broken ones are refused by file, field, value and range."""

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from qiki_vehicle import ConfigurationError, Vehicle

VEHICLE_FILE = Path(__file__).resolve().parents[3] / "launch" / "config" / "vehicles" / "dodecahedron.yaml"


@pytest.fixture(scope="module")
def vehicle():
    return Vehicle.from_file(VEHICLE_FILE)


def test_the_vehicle_of_the_project(vehicle):
    assert len(vehicle.thrusters) == 16
    assert vehicle.clusters == ("A", "B", "C", "D")
    assert vehicle.body.com == (0.0, 0.0, 0.1)
    assert vehicle.propulsion.peak_power == 45000.0
    assert vehicle.valves.min_on == 0.03
    assert vehicle.modulation.control_rate == 100.0


def test_its_hull_and_ports(vehicle):
    assert vehicle.hull.circumradius == 1.267
    assert np.linalg.norm(vehicle.hull.vertices, axis=1) == pytest.approx(1.267)
    assert (vehicle.port("A").position, vehicle.port("A").axis) == ((0.0, 0.0, 1.2), (0.0, 0.0, 1.0))
    assert (vehicle.port("B").position, vehicle.port("B").axis) == ((0.0, 0.0, -1.2), (0.0, 0.0, -1.0))
    with pytest.raises(KeyError, match="port = 'C': allowed: A, B"):
        vehicle.port("C")


def test_its_identity_changes_with_all_that_an_allocation_rests_on(vehicle):
    def changed(**parts):
        return vehicle.model_copy(update=parts).identity

    assert vehicle.identity == Vehicle.from_file(VEHICLE_FILE).identity
    assert vehicle.identity.split()[0] == vehicle.name
    assert changed(sensors=None) == vehicle.identity
    turned = vehicle.thrusters[1:] + vehicle.thrusters[:1]
    body = vehicle.body.model_copy(update={"com": (0.0, 0.0, 0.2)})
    valves = vehicle.valves.model_copy(update={"min_on": 0.02})
    others = [changed(thrusters=turned), changed(body=body), changed(valves=valves), changed(name="other")]
    assert len({vehicle.identity, *others}) == 5


def test_it_cannot_be_changed(vehicle):
    with pytest.raises(ValueError, match="frozen"):
        vehicle.body.mass = 1.0


@pytest.fixture
def edited(tmp_path):
    """A copy of the vehicle file with one value changed (`...`: removed): edited("section.key", value)."""
    shutil.copy(VEHICLE_FILE.parent / "thrusters.json", tmp_path)

    def edit(where, value):
        data = copy.deepcopy(yaml.safe_load(VEHICLE_FILE.read_text()))
        *folders, key = where.split(".")
        target = data
        for folder in folders:
            target = target[folder]
        if value is ...:
            del target[key]
        else:
            target[key] = value
        path = tmp_path / "vehicle.yaml"
        path.write_text(yaml.safe_dump(data))
        return path

    return edit


@pytest.mark.parametrize(
    ("where", "value", "text"),
    [
        ("valves.min_on", -1.0, "valves.min_on = -1.0: .*greater than 0"),
        ("valves.min_on", "0.030", "valves.min_on = '0.030': .*number"),
        ("valves.min_on", True, "valves.min_on = True: .*number"),
        ("valves.min_on", ..., "valves.min_on: Field required"),
        ("valves.colour", 1, "valves: unknown key colour; allowed: min_on, min_off"),
        ("valves.max_burn", 0.1, r"max_burn 0.1 s; allowed: at least 2 \(min_on \+ min_off\) = 0.12 s"),
        ("valves", [], r"valves = \[\]: allowed: a mapping"),
        ("wings", {}, "top level: unknown key wings; allowed: name, hull"),
        ("docking.contact_box.closing_min", 0.2, r"closing_min 0.2 m/s; allowed: below closing_max \(0.1 m/s\)"),
        ("docking.hold_points", [5.0, 20.0], r"hold_points \[5.0, 20.0\] m; allowed: each smaller than the one before"),
        ("docking.retreat_hold", 6.0, r"retreat_hold 6.0 m; allowed: one of hold_points \[20.0, 5.0, 1.0\] m"),
        ("docking.align.predict_from", 1.0, r"predict_from 1.0 m; allowed: below the last of hold_points \(1.0 m\)"),
        ("docking.align.predict_to", 0.5, r"predict_to 0.5 m; allowed: below predict_from \(0.5 m\)"),
        ("docking.validity.samples", 0, "docking.validity.samples = 0: .*greater than or equal to 1"),
        ("docking.checks.temperature_max", 120.0, r"allowed: below thermal.nodes.DOCK_BRIDGE.trip \(120.0 degC\)"),
        ("bridge.volts_max", 28.0, r"volts_max 28.0 V; allowed: above avionics.voltage_nominal \(28.0 V\)"),
        (
            "bridge.precharge_share",
            0.96,
            "precharge_share 0.96; allowed: at most 0.9502, which precharge_time_constants",
        ),
        ("body.com", [0.0, float("nan"), 0.0], r"body.com\[1\] = nan: .*finite"),
        ("body.inertia", [760.0, 800.0, 8200.0], "no moment larger than the sum of the other two"),
        ("propulsion.peak_power", "much", "propulsion.peak_power = 'much': .*number"),
        ("propulsion.peak_power", 20000.0, "continuous_power 22500.0 W; allowed: above 0 to peak_power"),
        ("propulsion.supercap.recharge_power", 23000.0, "recharge_power 23000.0 W; allowed: 0 to continuous_power"),
        ("propulsion.supercap.colour", 1.0, "propulsion.supercap: unknown key colour"),
        ("propulsion.gates.hold", 0.7, r"hold 0.7; allowed: 0 to boost \(0.6\)"),
        ("thermal.nodes.HULL.trip", ..., "thermal.nodes.HULL.trip: Field required"),
        ("thermal.nodes.RCS_A.warn", ..., "thermal.nodes.RCS_A.warn: missing; allowed: below trip"),
        ("thermal.nodes.RCS_A.warn", 120.0, "warn 120.0 degC; allowed: below trip"),
        ("sensors.rates.odom", 1000.0, "sensors.rates.odom = 1000.0: .*100"),
        ("modulation.control_rate", 600.0, "modulation.control_rate = 600.0: .*500"),
        ("modulation.impulse_bit.longest_pulse", 0.22, "longest_pulse 0.22 s; allowed: above 0.03"),
        ("modulation.impulse_bit.velocity", [0.01, 0.0, 0.01], "modulation.impulse_bit.velocity"),
        ("modulation.impulse_bit.error_left", 1.5, "modulation.impulse_bit.error_left"),
        ("modulation.pulse_width.windows", 1.0, "modulation.pulse_width: unknown key windows"),
        ("control.attitude.force_limit", [1.0, 2.0], r"control.attitude.force_limit\[2\]: Field required"),
        ("control.profile.max_segments", 1.5, "control.profile.max_segments = 1.5: .*integer"),
        ("control.profile.max_segments", 1001, "control.profile.max_segments = 1001: .*1000"),
        ("control.telemetry.lost", 0.5, "lost 0.5 s; allowed: at least stale"),
        ("thrusters", 3, "thrusters = 3: allowed: path of a thruster file"),
        ("thrusters", "none.json", "none.json: cannot be read"),
        ("thrusters", ..., "thrusters: Field required"),
    ],
)
def test_refusals_name_file_field_value_and_range(edited, where, value, text):
    path = edited(where, value)
    with pytest.raises(ConfigurationError, match=text) as refusal:
        Vehicle.from_file(path)
    assert str(path.parent) in str(refusal.value)


def test_ports_have_different_names(edited):
    data = yaml.safe_load(VEHICLE_FILE.read_text())
    with pytest.raises(ConfigurationError, match=r"ports .'A', 'A'.; allowed: each name once"):
        Vehicle.from_file(edited("ports", [data["ports"][0]] * 2))


def test_keys_given_twice_are_refused(tmp_path):
    shutil.copy(VEHICLE_FILE.parent / "thrusters.json", tmp_path)
    path, text = tmp_path / "vehicle.yaml", VEHICLE_FILE.read_text()
    twice = text.replace("  peak_power: 45000.0 ", "  peak_power: 45000.0\n  peak_power: 90000.0 ", 1)
    assert twice != text
    path.write_text(twice)
    with pytest.raises(ConfigurationError, match="key given twice: peak_power"):
        Vehicle.from_file(path)


def test_what_is_not_a_vehicle_file_is_refused(tmp_path):
    path = tmp_path / "vehicle.yaml"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Vehicle.from_file(path)
    path.write_text("- 1")
    with pytest.raises(ConfigurationError, match="allowed: a mapping"):
        Vehicle.from_file(path)
    for text in ("{", "[" * 5000, "? {a: 1}\n: 2", "\x00", "mass: " + "1" * 5000):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=r"cannot be parsed|unknown key"):
            Vehicle.from_file(path)


THRUSTER = {"index": 0, "cluster": "A", "position_m": [0, 0, 0], "direction": [1, 0, 0], "f_max_n": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be parsed"),
        ('{"thrusters": [], "thrusters": []}', "key given twice: thrusters"),
        ("[]", "top level: allowed: a mapping"),
        ("{}", "thrusters: Field required"),
        ('{"thrusters": []}', r"thrusters = \[\]: .*at least 1"),
        (json.dumps({"thrusters": [{**THRUSTER, "index": 1}]}), r"thruster indices \[1\]; allowed: 0, 1, 2"),
        (json.dumps({"thrusters": [{**THRUSTER, "f_max_n": float("inf")}]}), r"thrusters\[0\].f_max_n = inf"),
        (json.dumps({"thrusters": [{**THRUSTER, "cluster": "E"}]}), "thermal.nodes: no node RCS_E for cluster E"),
        (json.dumps({"thrusters": [{**THRUSTER, "direction": [2, 0, 0]}]}), "norm 2; allowed: 0.999 to 1.001"),
    ],
)
def test_broken_thruster_files_are_refused(edited, text, message):
    path = edited("thrusters", "broken.json")
    (path.parent / "broken.json").write_text(text)
    with pytest.raises(ConfigurationError, match=message) as refusal:
        Vehicle.from_file(path)
    assert str(path.parent) in str(refusal.value)
