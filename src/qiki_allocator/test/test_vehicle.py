"""The vehicle file: what is read of it, and how it is refused."""

import shutil

import numpy as np
import pytest
import yaml

from qiki_allocator import Allocator, BangBang, ConfigurationError, PulseWidth, Pwpf
from qiki_allocator.vehicle import MODULATORS, Vehicle


def test_the_vehicle_of_the_project(vehicle):
    assert len(vehicle.thrusters) == 16
    np.testing.assert_allclose(vehicle.thrusters.com, [0.0, 0.0, 0.1])
    assert vehicle.propulsion.peak_power == 45000.0
    assert vehicle.valves.timing().min_on == 0.03


@pytest.mark.parametrize(("kind", "type_"), [("pulse_width", PulseWidth), ("pwpf", Pwpf), ("bang_bang", BangBang)])
def test_every_modulator_can_be_built(vehicle, kind, type_):
    assert set(MODULATORS) == {"pulse_width", "pwpf", "bang_bang"}
    allocator = Allocator(vehicle.thrusters)
    assert isinstance(vehicle.modulator(kind, allocator, rate=100.0, lead=0.02, precise=False), type_)


def test_settings_too_fast_for_the_valves_are_refused(edited):
    pwpf = {"km": 4.5, "tm": 0.1, "uon": 0.45, "uoff": 0.15}
    vehicle = Vehicle.from_file(edited("modulation", "pwpf", pwpf))
    with pytest.raises(ConfigurationError, match=r"shortest pulse of 6.9 ms; allowed: at least 30 ms"):
        vehicle.modulator("pwpf", Allocator(vehicle.thrusters), rate=100.0, lead=0.02, precise=False)


@pytest.fixture
def edited(tmp_path, vehicle_file):
    """A copy of the vehicle file with a change: edited(section, key, value)."""
    shutil.copy(vehicle_file.parent / "thrusters.json", tmp_path)

    def edit(section, key, value):
        data = yaml.safe_load(vehicle_file.read_text())
        target = data if section is None else data[section]
        if value is ...:
            del target[key]
        else:
            target[key] = value
        path = tmp_path / "vehicle.yaml"
        path.write_text(yaml.safe_dump(data))
        return path

    return edit


@pytest.mark.parametrize(
    ("section", "key", "value", "text"),
    [
        ("valves", "min_on", -1.0, "valves.min_on: -1.0; .*greater than 0"),
        ("valves", "min_on", ..., "valves.min_on: field required"),
        ("valves", "colour", 1, "valves.colour: 1; extra inputs"),
        ("body", "com", [0.0, float("nan"), 0.0], "body.com.1: nan; .*finite"),
        ("propulsion", "peak_power", "much", "propulsion.peak_power: 'much'; .*number"),
        ("modulation", "control_rate", 600.0, "modulation.control_rate: 600.0; .*500"),
        (None, "thrusters", 3, "thrusters: 3; allowed"),
        (None, "thrusters", "none.json", "none.json: cannot be read"),
    ],
)
def test_refusals_name_file_field_value_and_range(edited, section, key, value, text):
    path = edited(section, key, value)
    with pytest.raises(ConfigurationError, match=text) as refusal:
        Vehicle.from_file(path)
    assert str(path.parent) in str(refusal.value)


def test_what_is_not_a_vehicle_file_is_refused(tmp_path):
    path = tmp_path / "vehicle.yaml"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Vehicle.from_file(path)
    path.write_text("- 1")
    with pytest.raises(ConfigurationError, match="allowed: a mapping"):
        Vehicle.from_file(path)
    path.write_text("{")
    with pytest.raises(ConfigurationError, match="not YAML"):
        Vehicle.from_file(path)
