"""Messages as plain values and as text."""

import math

import pytest
import yaml
from geometry_msgs.msg import WrenchStamped
from hypothesis import given
from hypothesis import strategies as st

from qiki_console.model.plain import plain, select, to_text
from qiki_msgs.msg import Allocation, ThrusterState


def _is_plain_key(key: str) -> bool:
    return isinstance(yaml.safe_load(key), str)


PLAIN = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs"))),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(_is_plain_key), inner, max_size=4)
    ),
    max_leaves=20,
)


def test_a_message_becomes_plain_values() -> None:
    message = Allocation(forces=[1.0, 2.5], binding=["power"], state=Allocation.STATE_ACTIVE)
    message.commanded.force.x = -3.0
    value = plain(message)
    assert value["forces"] == [1.0, 2.5]
    assert value["binding"] == ["power"]
    assert value["commanded"]["force"] == {"x": -3.0, "y": 0.0, "z": 0.0}
    assert value["header"]["stamp"] == {"sec": 0, "nanosec": 0}


def test_a_part_is_selected_by_its_path() -> None:
    value = plain(ThrusterState(duty=[0.0, 0.5]))
    assert select(value, "duty.1") == 0.5
    assert select(value, "header.stamp.sec") == 0
    assert select(value, "") is value


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("force", "field: 'force' of 'force' is not there; allowed: header, wrench"),
        ("wrench.force.w", "field: 'w' of 'wrench.force.w' is not there; allowed: x, y, z"),
        ("wrench.force.x.y", "field: 'y' of 'wrench.force.x.y' is not there; allowed: nothing, it has no parts"),
    ],
)
def test_a_wrong_path_is_named(path: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        select(plain(WrenchStamped()), path)


def test_an_index_out_of_range_is_named() -> None:
    with pytest.raises(ValueError, match="allowed: 0 to 1"):
        select(plain(ThrusterState(duty=[0.0, 0.5])), "duty.2")


@given(PLAIN)
def test_text_is_yaml(value: object) -> None:
    assert _same(yaml.safe_load(to_text(value)), value)


def _same(read: object, written: object) -> bool:
    if isinstance(written, dict):
        return (
            isinstance(read, dict) and read.keys() == written.keys() and all(_same(read[k], written[k]) for k in read)
        )
    if isinstance(written, list):
        return isinstance(read, list) and len(read) == len(written) and all(map(_same, read, written))
    # YAML 1.1 reads a float without a point, such as 1e+22, as text.
    return read == written or (isinstance(written, float) and float(str(read).replace(".inf", "inf")) == written)


def test_not_a_number_is_written_as_yaml_does() -> None:
    assert math.isnan(yaml.safe_load(to_text({"x": math.nan}))["x"])
