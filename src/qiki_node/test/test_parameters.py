"""Typed parameters: the checks before a node takes a value."""

import dataclasses
import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_node.parameters import NodeParameters, ParameterError, build, parameter, specs_of


@dataclass(frozen=True)
class Sample(NodeParameters):
    rate: float = parameter(100.0, "cycles", unit="Hz", minimum=50.0, maximum=500.0)
    count: int = parameter(3, "how many", minimum=0)
    mode: str = parameter("a", "mode", choices=("a", "b"))
    gains: list[float] = parameter([1.0], "gains", minimum=0.0)
    armed: bool = parameter(False, "armed")


def test_defaults_are_those_declared_and_lists_are_not_shared() -> None:
    first, second = build(Sample, {}), build(Sample, {})
    assert (first.rate, first.mode, first.autostart) == (100.0, "a", True)
    first.gains.append(2.0)
    assert second.gains == [1.0]


@given(st.floats(min_value=50.0, max_value=500.0))
def test_a_value_in_range_is_taken_as_it_is(rate: float) -> None:
    assert build(Sample, {"rate": rate}).rate == rate


@given(st.floats(allow_nan=True, allow_infinity=True).filter(lambda x: not 50.0 <= x <= 500.0))
def test_a_value_out_of_range_is_refused_by_field_value_and_range(rate: float) -> None:
    with pytest.raises(ParameterError) as error:
        build(Sample, {"rate": rate})
    assert "rate" in str(error.value)
    assert repr(rate) in str(error.value)
    assert "50 to 500 Hz" in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("count", -1, "at least 0"),
        ("count", 1.5, "at least 0"),
        ("count", True, "at least 0"),
        ("mode", "c", "one of a, b"),
        ("gains", [1.0, -1.0], "at least 0"),
        ("gains", 3.0, "at least 0"),
        ("gains", [math.nan], "at least 0"),
        ("armed", 1, "true or false"),
    ],
)
def test_wrong_types_and_values_are_refused(name: str, value: object, allowed: str) -> None:
    with pytest.raises(ParameterError, match=allowed) as error:
        build(Sample, {name: value})
    assert name in str(error.value)
    assert repr(value) in str(error.value)


def test_an_integer_is_taken_where_a_float_is_meant() -> None:
    rate = build(Sample, {"rate": 100}).rate
    assert isinstance(rate, float)
    assert rate == 100.0


def test_on_and_off_are_taken_as_yaml_reads_them() -> None:
    @dataclass(frozen=True)
    class Switched(NodeParameters):
        mode: str = parameter("SILENT", "mode", choices=("OFF", "ON", "SILENT"))
        guard: str = parameter("ACTIVE", "guard", choices=("OFF", "ACTIVE"))

    taken = build(Switched, {"mode": True, "guard": False})
    assert (taken.mode, taken.guard) == ("ON", "OFF")
    with pytest.raises(ParameterError, match="parameter guard: True is not allowed; allowed: one of OFF, ACTIVE"):
        build(Switched, {"guard": True})


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ParameterError, match=r"parameter ratte: unknown; known: .*rate"):
        build(Sample, {"ratte": 1.0})


def test_a_field_that_is_not_a_parameter_is_a_programming_error() -> None:
    @dataclass(frozen=True)
    class Bad(NodeParameters):
        size: float = 1.0

    with pytest.raises(TypeError, match=r"Bad\.size"):
        specs_of(Bad)


def test_every_common_parameter_has_a_description() -> None:
    assert all(spec.description for spec in specs_of(NodeParameters).values())
    assert {field.name for field in dataclasses.fields(NodeParameters)} == set(specs_of(NodeParameters))
