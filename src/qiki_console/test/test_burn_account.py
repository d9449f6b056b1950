"""Account of a burn."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from qiki_console.model.burn_account import (
    Command,
    Sample,
    account,
    expected_delta_v,
    expected_rate,
    velocity_of_com,
)
from qiki_console.model.snapshot import Motion
from qiki_vehicle import MassProperties

INERTIA = np.diag([760.0, 800.0, 820.0])
BODY = MassProperties(mass=1200.0, com=np.array([0.0, 0.0, 0.1]), inertia=INERTIA)
STILL = Motion((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
VECTORS = st.tuples(*[st.floats(-500.0, 500.0)] * 3)


def turning(rate: float, times: np.ndarray) -> list[Sample]:
    """A body that yaws at a steady rate about its centre of mass, which rests."""
    samples = []
    for time in times:
        x, y, z, w = Rotation.from_euler("z", rate * time).as_quat().tolist()
        samples.append(Sample(float(time), replace(STILL, orientation=(x, y, z, w), rate=(0.0, 0.0, rate))))
    return samples


@given(force=VECTORS, duration=st.floats(0.1, 10.0), mass=st.floats(100.0, 5000.0))
def test_without_rotation_it_is_force_times_time_by_mass(
    force: tuple[float, float, float], duration: float, mass: float
) -> None:
    command = Command(np.array(force), np.zeros(3), duration)
    samples = [Sample(time, STILL) for time in np.arange(0.0, 12.0, 0.05)]
    assert expected_delta_v(samples, 1.0, command, mass) == pytest.approx(np.array(force) * duration / mass, abs=1e-12)


@given(rate=st.floats(-1.0, 1.0).filter(lambda rate: abs(rate) > 1e-3), duration=st.floats(0.5, 8.0))
def test_rotation_turns_the_force_along(rate: float, duration: float) -> None:
    """Closed form for a steady yaw rate w: F/(m w) [sin(w t1) - sin(w t0), cos(w t0) - cos(w t1), 0]."""
    start, end = 1.013, 1.013 + duration
    command = Command(np.array([240.0, 0.0, 0.0]), np.zeros(3), duration)
    expected = (
        240.0
        / (1200.0 * rate)
        * np.array([np.sin(rate * end) - np.sin(rate * start), np.cos(rate * start) - np.cos(rate * end), 0.0])
    )
    result = expected_delta_v(turning(rate, np.arange(0.0, 10.0, 0.02)), start, command, 1200.0)
    assert result == pytest.approx(expected, abs=1e-4)


def test_the_centre_of_mass_of_a_turning_body_rests_though_its_origin_moves() -> None:
    rate = np.array([0.3, -0.2, 0.1])
    at_origin = -np.cross(rate, BODY.com)
    motion = replace(STILL, velocity=tuple(at_origin.tolist()), rate=tuple(rate.tolist()))
    assert velocity_of_com(motion, BODY.com) == pytest.approx(np.zeros(3), abs=1e-15)


@given(rate=st.tuples(*[st.floats(-0.5, 0.5)] * 3), duration=st.floats(0.1, 4.0))
def test_without_torque_momentum_and_energy_are_kept(rate: tuple[float, float, float], duration: float) -> None:
    before = np.array(rate)
    after = expected_rate(before, Command(np.zeros(3), np.zeros(3), duration), INERTIA)
    assert np.linalg.norm(INERTIA @ after) == pytest.approx(np.linalg.norm(INERTIA @ before), rel=1e-9, abs=1e-12)
    assert after @ INERTIA @ after == pytest.approx(before @ INERTIA @ before, rel=1e-9, abs=1e-12)


def test_from_rest_a_torque_about_a_principal_axis_gives_torque_times_time_by_inertia() -> None:
    command = Command(np.zeros(3), np.array([0.0, 0.0, 41.0]), 4.0)
    assert expected_rate(np.zeros(3), command, INERTIA) == pytest.approx([0.0, 0.0, 0.2])


def test_the_account_compares_along_and_across() -> None:
    command = Command(np.array([200.0, 0.0, 0.0]), np.zeros(3), 2.0)
    gained = replace(STILL, velocity=(0.99 * 400.0 / 1200.0, 0.002, 0.0))
    result = account(
        before=[Sample(0.9, STILL)],
        during=[Sample(0.9, STILL), Sample(3.2, gained)],
        after=[Sample(3.6, gained)],
        start=1.0,
        command=command,
        body=BODY,
    )
    assert result.expected == pytest.approx([1.0 / 3.0, 0.0, 0.0])
    assert result.difference == pytest.approx(-0.01)
    assert result.across == pytest.approx(0.002)


def test_without_a_force_there_is_no_difference_in_percent() -> None:
    command = Command(np.zeros(3), np.array([0.0, 0.0, 10.0]), 2.0)
    one = [Sample(1.0, STILL)]
    result = account(before=one, during=one, after=one, start=1.0, command=command, body=BODY)
    assert result.difference is None
    assert result.across == 0.0
    assert result.expected_rate == pytest.approx([0.0, 0.0, 20.0 / 820.0])


@pytest.mark.parametrize("missing", ["before", "during", "after"])
def test_missing_odometry_is_named(missing: str) -> None:
    samples = {name: [] if name == missing else [Sample(1.0, STILL)] for name in ("before", "during", "after")}
    command = Command(np.zeros(3), np.zeros(3), 1.0)
    with pytest.raises(ValueError, match=f"odometry {missing} the command: none"):
        account(**samples, start=1.0, command=command, body=BODY)
