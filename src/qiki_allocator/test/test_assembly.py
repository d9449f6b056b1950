"""The controller's parts from a vehicle file."""

import pytest

from qiki_allocator import BangBang, ConfigurationError, ImpulseBit, PulseWidth, Pwpf
from qiki_allocator.allocation.allocator import Allocator
from qiki_allocator.assembly import MODULATORS, assemble, build_modulator, heat_config, valve_timing


def test_the_vehicle_of_the_project(vehicle, array):
    assert len(array) == 16
    assert array.com.tolist() == [0.0, 0.0, 0.1]
    assert valve_timing(vehicle).min_on == 0.03
    assert [cluster.name for cluster in heat_config(vehicle).clusters] == ["A", "B", "C", "D"]


def test_every_modulator_can_be_built(vehicle, array):
    kinds = {"pulse_width": PulseWidth, "pwpf": Pwpf, "bang_bang": BangBang, "impulse_bit": ImpulseBit}
    assert set(MODULATORS) == set(kinds)
    allocator = Allocator(array)
    for kind, type_ in kinds.items():
        assert isinstance(build_modulator(vehicle, kind, allocator, rate=100.0, lead=0.02), type_)


def test_a_modulator_that_there_is_none_of_is_refused_with_those_allowed(vehicle):
    text = "'precise'; allowed: one of pulse_width, pwpf, bang_bang, impulse_bit"
    with pytest.raises(ConfigurationError, match=text):
        assemble(vehicle, modulator="precise")


def test_settings_too_fast_for_the_valves_are_refused(vehicle, array):
    pwpf = vehicle.modulation.pwpf.model_copy(update={"tm": 0.1})
    fast = vehicle.model_copy(update={"modulation": vehicle.modulation.model_copy(update={"pwpf": pwpf})})
    with pytest.raises(ConfigurationError, match=r"shortest pulse of 6.9 ms; allowed: at least 30 ms"):
        build_modulator(fast, "pwpf", Allocator(array), rate=100.0, lead=0.02)


def test_sensors_without_noise_are_allowed(vehicle):
    noise = vehicle.sensors.noise.model_copy(update={"velocity": 0.0, "angular_velocity": 0.0})
    exact = vehicle.model_copy(update={"sensors": vehicle.sensors.model_copy(update={"noise": noise})})
    assert assemble(exact).drive.faults is not None
