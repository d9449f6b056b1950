"""JSON that every reader takes."""

import json
import math
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_node.json_text import to_json

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(),
    lambda deeper: st.lists(deeper) | st.dictionaries(st.text(), deeper),
)


def test_json_has_null_for_what_is_not_a_number():
    value = {"a": math.nan, "b": [math.inf, 1.0], "c": (math.nan,)}
    assert json.loads(to_json(value)) == {"a": None, "b": [None, 1.0], "c": [None]}


@given(PLAIN)
def test_json_is_read_back_unchanged(value):
    finite = json.loads(to_json(value))
    assert to_json(finite) == to_json(value)


def test_numpys_numbers_and_arrays_are_taken():
    value = {"a": np.float32(math.nan), "b": np.array([[1.0, math.inf]]), "c": np.int64(3), "d": math.nan}
    assert to_json(value, compact=True) == '{"a":null,"b":[[1.0,null]],"c":3,"d":null}'


def test_another_type_is_refused_by_its_name_or_replaced():
    with pytest.raises(TypeError, match=r"^value: \{1\} of type set is not allowed"):
        to_json({"a": {1}})
    assert to_json({"a": {1}, "b": math.nan}, default=str) == '{"a": "{1}", "b": null}'


def test_any_mapping_is_taken():
    assert to_json(MappingProxyType({"a": MappingProxyType({"b": math.nan})})) == '{"a": {"b": null}}'


def test_a_replacement_has_null_for_nan_too():
    assert to_json({"a": {1}}, default=lambda _: {"b": math.nan}) == '{"a": {"b": null}}'
