"""Attitude hold, rate damping and brake, each closed over a rigid body."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiki_allocator.checks import RefusalError
from qiki_allocator.flight.attitude import (
    ControlConfig,
    attitude_error,
    attitude_hold,
    brake,
    gains,
    rate_damping,
)
from qiki_allocator.flight.motion_control import AttitudeMode, MotionControl, RestConfig
from qiki_allocator.health.readings import MotionReading
from qiki_vehicle import ConfigurationError, MassProperties, quaternion

Floats = npt.NDArray[np.float64]

INERTIA = np.diag([760.0, 800.0, 820.0])
BODY = MassProperties(1200.0, INERTIA, np.array([0.0, 0.0, 0.1]))
SKEWED = MassProperties(
    2400.0, np.array([[1500.0, 200.0, -100.0], [200.0, 2500.0, 150.0], [-100.0, 150.0, 1800.0]]), np.zeros(3)
)
CONFIG = ControlConfig(
    natural_frequency=0.8,
    damping_ratio=1.0,
    braking_share=0.5,
    rate_limit=0.2,
    brake_time=2.0,
    force_limit=(400.0, 500.0, 300.0),
    torque_limit=(120.0, 200.0, 300.0),
)
IDENTITY = np.array([0.0, 0.0, 0.0, 1.0])
DT = 0.01


def product(a: Floats, b: Floats) -> Floats:
    return np.concatenate([a[3] * b[:3] + b[3] * a[:3] + np.cross(a[:3], b[:3]), [a[3] * b[3] - a[:3] @ b[:3]]])


def turned(axis: npt.ArrayLike, angle: float) -> Floats:
    unit = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    return np.append(unit * math.sin(angle / 2), math.cos(angle / 2))


def matrix(q: Floats) -> Floats:
    """(3, 3), turns base_link into world."""
    x, y, z, w = q.tolist()
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


class RigidBody:
    """Free rigid body; angular momentum in world is exact for a constant torque in world over a step.

    The attitude follows with the midpoint rate, which is exact to the third order in the step.
    """

    def __init__(
        self, body: MassProperties, q: Floats, rates: npt.ArrayLike, velocity: npt.ArrayLike = (0.0, 0.0, 0.0)
    ) -> None:
        self.body, self.q = body, q
        self._inverse = np.linalg.inv(body.inertia)
        self.momentum = matrix(q) @ body.inertia @ np.asarray(rates, dtype=float)
        self.velocity = np.array(velocity, dtype=float)
        """m/s of the centre of mass, in world."""

    @property
    def rates(self) -> Floats:
        return self._rates(self.q, self.momentum)

    @property
    def origin_velocity(self) -> Floats:
        """m/s of the origin of base_link, in base_link."""
        return self.velocity @ matrix(self.q) - np.cross(self.rates, self.body.com)

    @property
    def energies(self) -> tuple[float, float]:
        """J, of translation and of rotation."""
        w = self.rates
        return 0.5 * self.body.mass * float(self.velocity @ self.velocity), 0.5 * float(w @ self.body.inertia @ w)

    def step(self, wrench: Floats, dt: float = DT) -> None:
        to_world = matrix(self.q)
        torque = to_world @ wrench[3:]
        self.velocity = self.velocity + to_world @ wrench[:3] * (dt / self.body.mass)
        middle = self._turn(self.q, self.rates, dt / 2)
        rates = self._rates(middle, self.momentum + torque * (dt / 2))
        self.q = self._turn(self.q, rates, dt)
        self.momentum = self.momentum + torque * dt

    def _rates(self, q: Floats, momentum: Floats) -> Floats:
        return self._inverse @ (momentum @ matrix(q))

    @staticmethod
    def _turn(q: Floats, rates: Floats, dt: float) -> Floats:
        ax, ay, az = (0.5 * dt * rates).tolist()
        half = math.hypot(ax, ay, az)
        s, c = (math.sin(half) / half if half > 1e-15 else 1.0), math.cos(half)
        ax, ay, az = ax * s, ay * s, az * s
        x, y, z, w = q.tolist()
        turned_on = [
            w * ax + x * c + y * az - z * ay,
            w * ay - x * az + y * c + z * ax,
            w * az + x * ay - y * ax + z * c,
            w * c - x * ax - y * ay - z * az,
        ]
        return np.array(turned_on) / math.hypot(*turned_on)


def fly(body: RigidBody, law: Callable[[RigidBody], Floats], seconds: float) -> list[float]:
    """Close the loop at 100 Hz; the angle from IDENTITY after each step, rad. Asserts that every limit holds."""
    angles = []
    for _ in range(round(seconds / DT)):
        wrench = law(body)
        assert (np.abs(wrench[:3]) <= np.array(CONFIG.force_limit) * (1 + 1e-12)).all()
        assert (np.abs(wrench[3:]) <= np.array(CONFIG.torque_limit) * (1 + 1e-12)).all()
        body.step(wrench)
        angles.append(float(np.linalg.norm(attitude_error(body.q, IDENTITY))))
    return angles


def hold(body: RigidBody) -> Floats:
    return attitude_hold(body.q, body.rates, IDENTITY, body.body, CONFIG)


def test_the_integrator_keeps_momentum_and_energy_of_a_free_tumble() -> None:
    body = RigidBody(SKEWED, turned([1, 2, 3], 1.0), [0.3, -0.2, 0.4])
    before = body.energies[1]
    for _ in range(2000):
        body.step(np.zeros(6))
    assert body.energies[1] == pytest.approx(before, rel=1e-5)


@pytest.mark.parametrize("body", [BODY, SKEWED])
@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, -1, 1)])
def test_a_quarter_turn_settles_with_less_than_half_a_degree_of_overshoot(
    body: MassProperties, axis: tuple[int, int, int]
) -> None:
    plant = RigidBody(body, turned(axis, math.pi / 2), [0.0, 0.0, 0.0])
    unit = np.array(axis) / np.linalg.norm(axis)
    beyond, fastest = 0.0, 0.0
    for _ in range(4000):
        fly(plant, hold, DT)
        beyond = max(beyond, float(attitude_error(plant.q, IDENTITY) @ unit))
        fastest = max(fastest, float(np.linalg.norm(plant.rates)))
    assert beyond < math.radians(0.5)
    assert fastest < CONFIG.rate_limit * 1.02
    assert np.linalg.norm(attitude_error(plant.q, IDENTITY)) < math.radians(0.01)
    assert np.linalg.norm(plant.rates) < math.radians(0.01)


def test_a_weak_torque_plans_its_slew_so_that_it_can_stop_at_the_target() -> None:
    config = ControlConfig(**{**vars(CONFIG), "torque_limit": (20.0, 20.0, 20.0), "rate_limit": 0.5})
    plant, beyond = RigidBody(BODY, turned([0, 1, 0], math.pi / 2), [0.0, 0.0, 0.0]), 0.0
    for _ in range(4000):
        plant.step(attitude_hold(plant.q, plant.rates, IDENTITY, BODY, config))
        beyond = max(beyond, float(attitude_error(plant.q, IDENTITY)[1]))
    assert beyond < math.radians(0.5)
    assert np.linalg.norm(attitude_error(plant.q, IDENTITY)) < math.radians(0.05)


components = st.floats(-1.0, 1.0)
quaternions = (
    st.tuples(components, components, components, components)
    .map(np.array)
    .filter(lambda q: float(np.linalg.norm(q)) > 0.1)
    .map(lambda q: q / np.linalg.norm(q))
)
vectors = st.tuples(components, components, components).map(np.array)


@settings(max_examples=10)
@given(quaternions, vectors, st.sampled_from([BODY, SKEWED]))
def test_any_attitude_and_tumble_is_brought_to_the_target(q: Floats, tumble: Floats, body: MassProperties) -> None:
    plant = RigidBody(body, q, tumble * 0.3)
    angles = fly(plant, hold, 70.0)
    assert angles[-1] < math.radians(0.05)
    assert np.linalg.norm(plant.rates) < math.radians(0.05)


@settings(max_examples=15)
@given(quaternions, vectors, st.sampled_from([BODY, SKEWED]))
def test_rate_damping_takes_energy_at_every_step(q: Floats, tumble: Floats, body: MassProperties) -> None:
    plant = RigidBody(body, q, tumble)
    before = plant.energies[1]
    for _ in range(400):
        wrench = rate_damping(plant.rates, body, CONFIG)
        assert (np.abs(wrench[3:]) <= np.array(CONFIG.torque_limit) * (1 + 1e-12)).all()
        assert not wrench[:3].any()
        plant.step(wrench)
        assert plant.energies[1] <= before * (1 + 1e-6) + 1e-15
        before = plant.energies[1]


@settings(max_examples=15)
@given(quaternions, vectors, vectors, st.sampled_from([BODY, SKEWED]))
def test_brake_takes_both_energies_down_at_every_step(
    q: Floats, tumble: Floats, velocity: Floats, body: MassProperties
) -> None:
    plant = RigidBody(body, q, tumble, velocity * 2.0)
    before = plant.energies
    for _ in range(400):
        fly(plant, lambda b: brake(b.origin_velocity, b.rates, b.body, CONFIG), DT)
        for now, was in zip(plant.energies, before, strict=True):
            assert now <= was * (1 + 1e-6) + 1e-15
        before = plant.energies


def test_brake_stops_the_body() -> None:
    plant = RigidBody(BODY, turned([1, 2, 3], 1.0), [0.3, -0.5, 0.2], [2.0, -1.0, 0.5])
    fly(plant, lambda b: brake(b.origin_velocity, b.rates, b.body, CONFIG), 60.0)
    assert plant.energies == pytest.approx((0.0, 0.0), abs=1e-9)


def test_brake_inside_its_limits_decays_with_the_brake_time() -> None:
    wrench = brake([0.1, 0.2, -0.1], [0.0, 0.0, 0.0], BODY, CONFIG)
    np.testing.assert_allclose(wrench, [-60.0, -120.0, 60.0, 0.0, 0.0, 0.0])
    # A pure rotation about the centre of mass, as odometry at the origin of base_link sees it, asks for no force.
    rates = np.array([0.01, 0.02, 0.03])
    wrench = brake(-np.cross(rates, BODY.com), rates, BODY, CONFIG)
    np.testing.assert_allclose(wrench, [0.0, 0.0, 0.0, -3.8, -8.0, -12.3], atol=1e-12)


def test_hold_near_the_target_is_the_proportional_derivative_law_with_gyroscopic_torque() -> None:
    rates = np.array([0.02, -0.01, 0.015])
    stiffness, damping = gains(SKEWED, CONFIG)
    error = np.array([0.01, 0.005, -0.02])
    q = turned(-error, float(np.linalg.norm(error)))
    expected = stiffness @ error - damping @ rates + np.cross(rates, SKEWED.inertia @ rates)
    np.testing.assert_allclose(attitude_hold(q, rates, IDENTITY, SKEWED, CONFIG)[3:], expected, rtol=1e-9)


def test_small_error_rings_down_with_the_natural_frequency_and_damping_ratio_asked_for() -> None:
    config = ControlConfig(**{**vars(CONFIG), "damping_ratio": 0.3})
    plant, angle, wn = RigidBody(BODY, turned([0, 0, 1], 0.01), [0, 0, 0]), 0.01, 0.8
    damped = wn * math.sqrt(1 - 0.3**2)
    for step in range(1, 801):
        # Held constant over a step, the torque is late by half of one.
        plant.step(attitude_hold(plant.q, plant.rates, IDENTITY, BODY, config))
        t = step * DT
        form = math.exp(-0.3 * wn * t) * (math.cos(damped * t) + 0.3 * wn / damped * math.sin(damped * t))
        assert -attitude_error(plant.q, IDENTITY)[2] == pytest.approx(angle * form, abs=angle * 0.01)


@given(quaternions, quaternions)
def test_the_error_turns_the_attitude_into_the_target_the_shortest_way(attitude: Floats, target: Floats) -> None:
    error = attitude_error(attitude, target)
    angle = float(np.linalg.norm(error))
    assert angle <= math.pi + 1e-12
    reached = product(attitude, turned(error, angle)) if angle > 1e-12 else attitude
    assert abs(float(reached @ target)) == pytest.approx(1.0, abs=1e-9)
    if angle < 3.1:
        np.testing.assert_allclose(attitude_error(-attitude, target), error, atol=1e-9)


def test_bad_input_is_refused_by_name() -> None:
    zero = np.zeros(3)
    for q in (np.zeros(4), np.full(4, math.nan), np.array([0.0, 0.0, 0.0, 1.1]), np.zeros(3)):
        with pytest.raises(ValueError, match=r"^attitude: .*allowed: x, y, z, w of length 0.99 to 1.01"):
            attitude_hold(q, zero, IDENTITY, BODY, CONFIG)
    for bad in ([math.nan, 0.0, 0.0], [0.0, 0.0]):
        with pytest.raises(ValueError, match=r"^rates: .*; allowed: three finite numbers"):
            rate_damping(bad, BODY, CONFIG)
        with pytest.raises(ValueError, match=r"^velocity: .*; allowed: three finite numbers"):
            brake(bad, zero, BODY, CONFIG)


@pytest.mark.parametrize(
    ("field", "value"),
    [("natural_frequency", 0.0), ("damping_ratio", -1.0), ("braking_share", 1.5), ("rate_limit", math.nan)],
)
def test_a_configuration_out_of_range_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{field}: {value}.*; allowed: "):
        ControlConfig(**{**vars(CONFIG), field: value})


def test_impossible_mass_properties_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^torque_limit\.y: 0.0 N m; allowed: finite, above 0 N m"):
        ControlConfig(**{**vars(CONFIG), "torque_limit": (1.0, 0.0, 1.0)})
    with pytest.raises(ConfigurationError, match=r"^mass: 0.0 kg; allowed: finite, above 0 kg"):
        MassProperties(0.0, INERTIA, np.zeros(3))
    with pytest.raises(ConfigurationError, match=r"^inertia: principal moment -1 kg m\^2; allowed: above 0"):
        MassProperties(1.0, np.diag([1.0, -1.0, 1.0]), np.zeros(3))
    with pytest.raises(ConfigurationError, match=r"^inertia: .*symmetric"):
        MassProperties(1.0, INERTIA + np.eye(3, k=1), np.zeros(3))
    with pytest.raises(ConfigurationError, match=r"^com: .*three finite numbers"):
        MassProperties(1.0, INERTIA, np.array([0.0, math.nan, 0.0]))


@pytest.mark.requirement("ALLOC-20")
@given(st.tuples(*[st.floats(-0.01, 0.01)] * 3), st.tuples(*[st.floats(-0.05, 0.05)] * 3))
@settings(max_examples=5, deadline=None)
def test_a_turning_target_is_followed_without_lag(rate, off):
    control = MotionControl(SKEWED, CONFIG, RestConfig(speed=0.02, rate=0.01, timeout=0.5))
    body = RigidBody(SKEWED, turned([1.0, 0.0, 0.0], 0.2), off)
    start = turned([0.0, 1.0, 1.0], 0.3)

    def read(now):
        control.read(MotionReading(now, body.q, np.zeros(3), body.rates))

    read(0.0)
    control.set_mode(0.0, AttitudeMode.HOLD, start, rate)
    for step in range(4000):
        now = DT * step
        read(now)
        body.step(control.torque(now))
    turn = quaternion.from_rotation_vector([DT * 4000 * one for one in rate])
    target = quaternion.product(turn.tolist(), start.tolist())
    assert np.linalg.norm(attitude_error(body.q, target)) < 1e-3
    assert matrix(body.q) @ body.rates == pytest.approx(np.array(rate), abs=1e-4)


@pytest.mark.parametrize("rate", [(0.2, 0.1, 0.0), (math.nan, 0.0, 0.0), (0.1, 0.1)])
def test_a_target_that_turns_faster_than_the_limit_is_refused(rate):
    control = MotionControl(BODY, CONFIG, RestConfig(speed=0.02, rate=0.01, timeout=0.5))
    control.read(MotionReading(0.0, IDENTITY, np.zeros(3), np.zeros(3)))
    with pytest.raises(RefusalError, match=r"rate: .* rad/s; allowed: three numbers, at most 0.2 rad/s in all"):
        control.set_mode(0.0, AttitudeMode.HOLD, IDENTITY, rate)
    assert control.mode is AttitudeMode.OFF
