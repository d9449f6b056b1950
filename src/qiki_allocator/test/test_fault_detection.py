"""Fault detection on simulated flights: a rigid body of its own, exact pulses, the noise of the vehicle's odometry."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiki_allocator.allocation.thrusters import ThrusterArray
from qiki_allocator.health.detection import (
    BODY,
    DEAD,
    HEALTHY,
    STUCK_OPEN,
    UNEXPLAINED,
    WEAK,
    FaultDetector,
    Verdict,
)
from qiki_allocator.health.detector_settings import DetectorSettings
from qiki_allocator.modulation.ledger import Reader, ValveCommand, ValveLedger
from qiki_vehicle import ConfigurationError

THRUSTERS = Path(__file__).parents[3] / "launch/config/vehicles/thrusters.json"
COM = np.array([0.0, 0.0, 0.1])  # m
MASS = 1200.0  # kg
INERTIA = np.diag([760.0, 800.0, 820.0])  # kg m^2
RATE = 50.0  # Hz
WINDOW = 0.25  # s
SETTINGS = DetectorSettings(velocity_noise=1e-3, angular_velocity_noise=1e-4, rate=RATE)

LOSE, LEAK = "lose", "leak"  # a thruster gives `share` of its thrust while open; at least `share` while closed
Fault = tuple[int, str, float]


@pytest.fixture(scope="module")
def vehicle() -> ThrusterArray:
    return ThrusterArray.from_file(THRUSTERS, com=COM)


def derivative(twist: np.ndarray, wrench: np.ndarray) -> np.ndarray:
    """Newton and Euler in body axes, twist at the centre of mass."""
    velocity, spin = twist[:3], twist[3:]
    return np.concatenate(
        [
            wrench[:3] / MASS - np.cross(spin, velocity),
            np.linalg.solve(INERTIA, wrench[3:] - np.cross(spin, INERTIA @ spin)),
        ]
    )


class Flight:
    """Random pulses, the body that they move, and a detector that watches."""

    def __init__(
        self,
        array: ThrusterArray,
        seed: int,
        detector: FaultDetector | None = None,
        *,
        firing: float = 0.3,
        never: tuple[int, ...] = (),
        together: tuple[int, ...] = (),
        late: float = 0.0,
    ) -> None:
        self.array = array
        self.detector = detector or FaultDetector(array, MASS, INERTIA, SETTINGS)
        self.faults: list[Fault] = []
        self.time = 0.0
        self.ledger = ValveLedger(len(array))
        self.log = Reader(self.ledger)
        self.log.advance(0.0)
        self.random = np.random.default_rng(seed)
        self.twist = np.concatenate([self.random.normal(0.0, 1.0, 3), self.random.normal(0.0, 0.05, 3)])
        self._wrenches = array.effectiveness * array.f_max
        self._firing = firing
        self._never = list(never)
        self._together = list(together)
        self._late = late
        self._edges: list[tuple[float, int, float]] = []
        self._open = np.zeros(len(array))

    def _plan(self, start: float) -> None:
        n = len(self.array)
        fires = self.random.random(n) < self._firing
        fires[self._never] = False
        on = self.random.uniform(0.03, WINDOW - 0.03, n)
        opens = self.random.uniform(0.0, WINDOW - on)
        for quantity in (fires, on, opens):
            quantity[self._together] = quantity[self._together[:1]]
        command = ValveCommand(start, WINDOW, np.where(fires, opens, np.nan), np.where(fires, opens + on, np.nan))
        self.ledger.take(command)
        for i in np.flatnonzero(fires):
            self._edges += [(start + opens[i], i, 1.0), (start + opens[i] + on[i], i, 0.0)]
        self._edges.sort()

    def _thrust(self) -> np.ndarray:
        level = self._open.copy()
        for index, kind, share in self.faults:
            level[index] = level[index] * share if kind == LOSE else max(level[index], share)
        return self._wrenches @ level

    def _move(self, until: float) -> None:
        step = until - self.time
        if step <= 0.0:
            return
        x, wrench = self.twist, self._thrust()
        k1 = derivative(x, wrench)
        k2 = derivative(x + 0.5 * step * k1, wrench)
        k3 = derivative(x + 0.5 * step * k2, wrench)
        k4 = derivative(x + step * k3, wrench)
        self.twist = x + step / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        self.time = until

    def fly(self, seconds: float) -> Iterator[Verdict]:
        """Verdicts as they fall."""
        for _ in range(round(seconds * RATE)):
            sample = round(self.time * RATE + 1.0) / RATE
            if math.floor(self.time / WINDOW + 1e-9) < math.floor(sample / WINDOW + 1e-9) or self.time == 0.0:
                self._plan(math.floor(sample / WINDOW + 1e-9) * WINDOW)
            while self._edges and self._edges[0][0] + self._late <= sample:
                at, valve, state = self._edges.pop(0)
                self._move(at + self._late)
                self._open[valve] = state
            self._move(sample)
            linear = self.twist[:3] - np.cross(self.twist[3:], COM) + self.random.normal(0.0, 1e-3, 3)
            angular = self.twist[3:] + self.random.normal(0.0, 1e-4, 3)
            verdict = self.detector.observe(sample, linear, angular, self.log.advance(sample))
            if verdict is not None:
                yield verdict


def first(flight: Flight, seconds: float) -> Verdict:
    verdict = next(flight.fly(seconds), None)
    assert verdict is not None, f"nothing found in {seconds} s"
    return verdict


def healthy(flight: Flight, seconds: float) -> None:
    assert list(flight.fly(seconds)) == []


@pytest.mark.parametrize("index", range(16))
@pytest.mark.parametrize(
    ("fault", "share", "kind"), [(LOSE, 0.0, DEAD), (LOSE, 0.5, WEAK), (LOSE, 0.7, WEAK), (LEAK, 1.0, STUCK_OPEN)]
)
def test_every_single_fault_is_found(vehicle: ThrusterArray, index: int, fault: str, share: float, kind: str) -> None:
    flight = Flight(vehicle, seed=index)
    healthy(flight, 2.0)
    flight.faults = [(index, fault, share)]
    verdict = first(flight, 10.0)
    assert (verdict.kind, verdict.thrusters, verdict.candidates) == (kind, (index,), (index,))
    assert verdict.level == pytest.approx(share, abs=0.12)
    assert verdict.score >= flight.detector.threshold
    healthy(flight, 4.0)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 1.0))
def test_no_alarm_without_a_fault(seed: int, firing: float) -> None:
    flight = Flight(ThrusterArray.from_file(THRUSTERS, com=COM), seed, firing=firing)
    healthy(flight, 10.0)
    assert flight.detector.unexplained == 0


@pytest.mark.parametrize(
    "seeds", [range(6), pytest.param(range(80), marks=[pytest.mark.long, pytest.mark.timeout(1200)])]
)
def test_false_alarms_stay_below_their_rate(vehicle: ThrusterArray, seeds: range) -> None:
    """With one alarm in 20 s asked for, the count of 20 s runs with one is at most Poisson's, at five deviations."""
    eager = DetectorSettings(1e-3, 1e-4, RATE, false_alarm_interval=20.0)
    detectors = [FaultDetector(vehicle, MASS, INERTIA, eager) for _ in seeds]
    alarms = sum(len(list(Flight(vehicle, seed, detectors[seed]).fly(20.0))) for seed in seeds)
    assert alarms <= len(seeds) + 5.0 * math.sqrt(len(seeds))


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(0, 15), st.floats(0.0, 0.7))
def test_a_loss_is_found_at_its_level(seed: int, index: int, share: float) -> None:
    flight = Flight(ThrusterArray.from_file(THRUSTERS, com=COM), seed, firing=0.4)
    flight.faults = [(index, LOSE, share)]
    verdict = first(flight, 20.0)
    assert verdict.thrusters == (index,)
    # Of any number of flights: at 3 deviations one in a few hundred is off.
    error = 4.5 * SETTINGS.level_accuracy
    if verdict.level == 0.0:  # believed where less than half of the smallest loss seems to be left
        assert share < 0.5 * SETTINGS.smallest_loss + error
    else:
        assert verdict.level == pytest.approx(share, abs=error)


def test_small_losses_are_let_be(vehicle: ThrusterArray) -> None:
    flight = Flight(vehicle, seed=3)
    flight.faults = [(index, LOSE, 0.96) for index in (1, 6, 11)]
    healthy(flight, 20.0)


def test_a_thruster_that_never_fires_is_not_found_dead(vehicle: ThrusterArray) -> None:
    flight = Flight(vehicle, seed=4, never=(5,))
    flight.faults = [(5, LOSE, 0.0)]
    healthy(flight, 20.0)


def test_two_dead_thrusters_are_found_one_after_the_other(vehicle: ThrusterArray) -> None:
    for pair in ((0, 2), (8, 12), (3, 9)):
        flight = Flight(vehicle, seed=5)
        flight.faults = [(index, LOSE, 0.0) for index in pair]
        verdicts = list(flight.fly(20.0))
        assert {(verdict.kind, *verdict.thrusters) for verdict in verdicts} == {(DEAD, index) for index in pair}


def test_a_dead_cluster_is_found_at_once_when_it_fires_together(vehicle: ThrusterArray) -> None:
    for start in (0, 4, 8, 12):
        members = tuple(range(start, start + 4))
        flight = Flight(vehicle, seed=6, together=members)
        flight.faults = [(index, LOSE, 0.0) for index in members]
        verdict = first(flight, 10.0)
        assert (verdict.kind, verdict.thrusters) == (DEAD, members)


def test_opposite_thrusters_are_told_apart_by_time(vehicle: ThrusterArray) -> None:
    """8 and 14 push along one line: 14 dead looks like 8 open, for as long as 14 should be open."""
    columns = vehicle.effectiveness[:, [8, 14]]
    np.testing.assert_allclose(columns[:, 0], -columns[:, 1], atol=1e-12)
    for seed in range(5):
        flight = Flight(vehicle, seed)
        flight.faults = [(14, LOSE, 0.0)]
        verdict = first(flight, 10.0)
        assert (verdict.kind, verdict.thrusters) == (DEAD, (14,))


def test_equal_thrusters_that_fire_together_are_both_named(vehicle: ThrusterArray) -> None:
    twins = ThrusterArray(
        np.vstack([vehicle.positions, vehicle.positions[:1]]),
        np.vstack([vehicle.directions, vehicle.directions[:1]]),
        np.append(vehicle.f_max, vehicle.f_max[0]),
        com=COM,
    )
    flight = Flight(twins, seed=7, together=(0, 16))
    flight.faults = [(16, LOSE, 0.0)]
    verdict = first(flight, 20.0)
    assert verdict.candidates == (0, 16)
    flight = Flight(twins, seed=7)
    flight.faults = [(16, LOSE, 0.0)]
    assert first(flight, 20.0).candidates == (16,)


def test_a_fault_that_goes_away_is_reported_healthy(vehicle: ThrusterArray) -> None:
    for fault, kind in (((2, LOSE, 0.0), DEAD), ((9, LEAK, 1.0), STUCK_OPEN)):
        flight = Flight(vehicle, seed=8)
        flight.faults = [fault]
        assert first(flight, 10.0).kind == kind
        flight.faults = []
        verdict = first(flight, 10.0)
        assert (verdict.kind, verdict.thrusters, verdict.level) == (HEALTHY, (fault[0],), 1.0)


def test_a_bump_accuses_nobody(vehicle: ThrusterArray) -> None:
    for seed in range(5):
        flight = Flight(vehicle, seed)
        healthy(flight, 3.0)
        flight.twist = flight.twist + np.array([0.05, -0.1, 0.02, 0.03, 0.05, -0.02])
        healthy(flight, 5.0)
        assert flight.detector.unexplained == 1


def test_late_valves_are_borne(vehicle: ThrusterArray) -> None:
    for seed in range(3):
        healthy(Flight(vehicle, seed, late=0.001), 10.0)


@pytest.mark.parametrize("error", [-0.2, 0.2])
def test_wrong_mass_properties_are_not_blamed_on_a_thruster(vehicle: ThrusterArray, error: float) -> None:
    flight = Flight(vehicle, 9, FaultDetector(vehicle, MASS * (1.0 + error), INERTIA, SETTINGS))
    verdicts = list(flight.fly(20.0))
    assert verdicts
    assert {verdict.kind for verdict in verdicts} == {BODY}
    assert verdicts[0].axes == ("x", "y", "z")
    np.testing.assert_allclose(flight.detector.scale[:3], 1.0 + error, atol=0.03)


def test_motion_that_no_change_explains_is_reported(vehicle: ThrusterArray) -> None:
    flight = Flight(vehicle, 10, firing=1.0)
    reported = []
    for _ in range(3):
        for _ in range(50):
            flight.twist = flight.twist + flight.random.normal(0.0, 0.05, 6)
            reported += list(flight.fly(1.0 / RATE))
    assert {verdict.kind for verdict in reported} == {UNEXPLAINED}
    assert all(math.isnan(verdict.level) for verdict in reported)


def test_a_gap_in_the_odometry_is_no_fault(vehicle: ThrusterArray) -> None:
    flight = Flight(vehicle, 11)
    watching, flight.detector = flight.detector, FaultDetector(vehicle, MASS, INERTIA, SETTINGS)
    for _ in range(3):
        healthy(flight, 1.0)  # seen by another
        watching, flight.detector = flight.detector, watching
        healthy(flight, 1.0)
    assert watching.unexplained == 0


def test_restoring_a_thruster_makes_it_healthy(vehicle: ThrusterArray) -> None:
    flight = Flight(vehicle, 12)
    flight.faults = [(3, LOSE, 0.0)]
    first(flight, 10.0)
    assert flight.detector.level[3] == 0.0
    flight.faults = []
    flight.detector.restore([3])
    assert flight.detector.level.tolist() == [1.0] * 16
    healthy(flight, 5.0)
    with pytest.raises(ValueError, match="thrusters: 16; allowed: 0 to 15"):
        flight.detector.restore([16])


def test_changed_mass_properties_are_followed(vehicle: ThrusterArray) -> None:
    flight = Flight(vehicle, 13, FaultDetector(vehicle, 2.0 * MASS, 3.0 * INERTIA, SETTINGS))
    flight.detector.set_body(vehicle, MASS, INERTIA)
    healthy(flight, 5.0)
    flight.detector.track_body(vehicle, MASS * 0.999, INERTIA)
    healthy(flight, 5.0)


def test_a_clock_that_is_set_back_needs_forgetting(vehicle: ThrusterArray) -> None:
    detector = FaultDetector(vehicle, MASS, INERTIA, SETTINGS)
    still, shut = np.zeros(3), np.zeros(16)
    for time in (5.00, 5.02):
        detector.observe(time, still, still, shut)
    with pytest.raises(ValueError, match=r"time: 0.0 s; allowed: after 5.02 s"):
        detector.observe(0.0, still, still, shut)
    detector.forget()
    for time in (0.0, 0.02):
        assert detector.observe(time, still, still, shut) is None


def test_bad_samples_are_refused_and_change_no_belief(vehicle: ThrusterArray) -> None:
    detector = FaultDetector(vehicle, MASS, INERTIA, SETTINGS)
    still, shut = np.zeros(3), np.zeros(16)
    detector.observe(1.0, still, still, shut)
    for sample, text in (
        ((1.02, [0.0, np.nan, 0.0], still, shut), r"linear: \[0.0, nan, 0.0\]; allowed: 3 finite numbers"),
        ((1.04, still, still[:2], shut), r"angular: \[0.0, 0.0\]; allowed: 3 finite numbers"),
        ((1.06, still, still, shut[:3]), r"on_time: .*; allowed: 16 finite numbers"),
        ((0.5, still, still, shut), "time: 0.5 s; allowed: after"),
        ((np.nan, still, still, shut), "time: nan s; allowed: after"),
    ):
        with pytest.raises(ValueError, match=text):
            detector.observe(*sample)
    detector.observe(1.10, still, still, shut)
    with pytest.raises(ValueError, match=r"on_time\[0\]: 0.05 s; allowed: 0 to 0.02 s since the last sample"):
        detector.observe(1.12, still, still, np.full(16, 0.05))
    assert detector.observe(1.14, still + 5.0, still, shut) is None
    assert detector.level.tolist() == [1.0] * 16


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"velocity_noise": 0.0}, "velocity_noise: 0.0 m/s; allowed: finite, above 0 m/s"),
        ({"rate": math.nan}, "rate: nan Hz; allowed: finite, above 0 Hz"),
        ({"smallest_loss": 2.0}, "smallest_loss: 2.0; allowed: 0.05 to 0.9"),
        ({"false_alarm_interval": 0.0}, "false_alarm_interval: 0.0 s; allowed: finite, at least 1 s"),
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, float], text: str) -> None:
    values = {"velocity_noise": 1e-3, "angular_velocity_noise": 1e-4, "rate": 50.0, **change}
    with pytest.raises(ConfigurationError, match=text):
        DetectorSettings(**values)


def test_bodies_that_cannot_be_are_refused(vehicle: ThrusterArray) -> None:
    for mass, inertia, text in (
        (0.0, INERTIA, "mass: 0.0 kg; allowed: finite, above 0 kg"),
        (MASS, -INERTIA, r"inertia: .*; allowed: \(3, 3\), positive definite"),
        (MASS, np.eye(2), r"inertia: .*; allowed: \(3, 3\), positive definite"),
    ):
        with pytest.raises(ConfigurationError, match=text):
            FaultDetector(vehicle, mass, inertia, SETTINGS)
    one = ThrusterArray([[1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]], 1.0)
    detector = FaultDetector(vehicle, MASS, INERTIA, SETTINGS)
    with pytest.raises(ConfigurationError, match="array: 1 thrusters; allowed: 16"):
        detector.set_body(one, MASS, INERTIA)
