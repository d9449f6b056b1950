"""The thruster geometry: facts of the vehicle, and what is refused."""

import json

import numpy as np
import pytest
from scipy.optimize import linprog

from qiki_allocator import ConfigurationError, ThrusterArray


def largest(array, axis, sign):
    """Largest pure force or torque along a signed axis, N or N m, by linear programming."""
    others = [row for row in range(6) if row != axis]
    answer = linprog(
        -sign * array.effectiveness[axis],
        A_eq=array.effectiveness[others],
        b_eq=np.zeros(5),
        bounds=[(0.0, limit) for limit in array.f_max],
    )
    assert answer.status == 0
    return -answer.fun


def test_rank_and_balance(array):
    assert len(array) == 16
    assert np.linalg.matrix_rank(array.effectiveness) == 6
    np.testing.assert_allclose(array.with_com((0, 0, 0)).effectiveness.sum(axis=1), 0.0, atol=1e-12)
    # Equal thrust gives no net force, hence the same torque, none, about every point.
    np.testing.assert_allclose(array.effectiveness.sum(axis=1), 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("axis", "expected"),
    [(0, 735.391), (1, 1086.116), (2, 622.254), (3, 294.156), (4, 543.058), (5, 1499.066)],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_largest_pure_wrenches(array, axis, expected, sign):
    assert largest(array, axis, sign) == pytest.approx(expected, abs=2e-3)


def test_directions_are_normalised_and_torque_is_about_the_centre_of_mass():
    array = ThrusterArray([[1.0, 0.0, 0.0]], [[0.0, 2.0, 0.0]], 10.0, com=[0.0, 0.0, 0.5])
    np.testing.assert_allclose(array.effectiveness[:, 0], [0.0, 1.0, 0.0, 0.5, 0.0, 1.0])
    np.testing.assert_allclose(array.with_com([1.0, 0.0, 0.0]).effectiveness[3:, 0], 0.0)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"positions": [[0.0, 0.0]]}, r"positions: shape \(1, 2\)"),
        ({"positions": [[0.0, 0.0, np.nan]]}, r"positions\[0\].*nan"),
        ({"directions": [[0.0, 0.0, 0.0]]}, r"directions\[0\]: \[0.0, 0.0, 0.0\]; allowed: length"),
        ({"f_max": -1.0}, r"f_max\[0\]: -1.0 N; allowed"),
        ({"f_max": [1.0, 2.0]}, r"f_max: shape \(2,\)"),
        ({"clusters": ["A", "B"]}, "clusters: 2 names; allowed: 1"),
        ({"com": [0.0, 0.0]}, "com: "),
    ],
)
def test_refusals_name_field_value_and_range(change, text):
    arguments = {"positions": [[0.0, 0.0, 0.0]], "directions": [[1.0, 0.0, 0.0]], "f_max": 1.0, **change}
    with pytest.raises(ConfigurationError, match=text):
        ThrusterArray(**arguments)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "cannot be parsed"),
        ("{}", "thrusters: Field required"),
        (json.dumps({"thrusters": [{"index": 0}]}), r"thrusters\[0\].position_m: Field required"),
        (
            json.dumps(
                {
                    "thrusters": [
                        {"index": 1, "position_m": [0, 0, 0], "direction": [1, 0, 0], "f_max_n": 1, "cluster": "A"}
                    ]
                }
            ),
            r"thruster indices \[1\]; allowed: 0",
        ),
    ],
)
def test_broken_files_are_refused(tmp_path, content, text):
    path = tmp_path / "thrusters.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=text) as refusal:
        ThrusterArray.from_file(path)
    assert str(path) in str(refusal.value)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        ThrusterArray.from_file(tmp_path / "none.json")
