"""Radar frames against closed forms (SIM-A1 to SIM-A4)."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2, kstest
from sim_helpers import CONFIG, VEHICLE, make_world

from qiki_sim import World
from qiki_sim.air.geometry import Place, across, angles, unit
from qiki_sim.air.radar import BEARING, ELEVATION, RANGE, RATE, SNR, RadarSensor, exact_returns, folded, merged
from qiki_sim.faults import FaultBook
from qiki_sim.ros.air import AirChannel
from qiki_sim.sensors import Sensors
from qiki_vehicle import Vehicle

RADAR = Vehicle.from_file(VEHICLE).radar
NOISE = Vehicle.from_file(VEHICLE).sensors.noise
QUIET = RADAR.model_copy(update={"clutter": 0.0})
EXACT = QUIET.model_copy(update={"detection": 1.0})
OWN = Place(np.zeros(3), np.zeros(3), np.eye(3))
COUNT = 900
SPREAD = st.floats(-4000.0, 4000.0)
VECTOR = st.tuples(SPREAD, SPREAD, SPREAD).map(np.array)


def sensor(config, seed=1, bot="alpha", faults=None, clutter_range=None):
    return RadarSensor(config, Sensors(seed, bot, NOISE, faults or FaultBook()), clutter_range)


def line(count=COUNT):
    """Bodies farther apart in range than the radar needs, in one direction, with their velocities."""
    sight = np.array([0.6, 0.48, 0.64])
    return (100.0 + 10.0 * np.arange(count))[:, None] * sight, np.tile([3.0, -2.0, 1.0], (count, 1))


def many(config, frames, count=COUNT, **options):
    """Detections of several frames, and the body of each."""
    radar, (positions, velocities) = sensor(config, **options), line(count)
    rows = [radar.frame(OWN, positions, velocities, np.ones(count), 100_000 * k).detections for k in range(frames)]
    rows = np.concatenate(rows)
    return rows, np.rint((rows[:, RANGE] - 100.0) / 10.0).astype(int)


@given(VECTOR, VECTOR, VECTOR, VECTOR)
def test_exact_returns_have_the_convention_of_the_frame(position, velocity, own, drift):
    """SIM-A1: bearing clockwise from +y, elevation up, radial velocity negative while closing."""
    if np.linalg.norm(position - own) < 1.0:
        return
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    place = Place(own, drift, turn)
    ((distance, bearing, elevation, rate),) = exact_returns(place, position[None], velocity[None])
    assert own + distance * turn @ unit(bearing, elevation) == pytest.approx(position, abs=1e-6)
    assert 0.0 <= bearing < 2.0 * math.pi
    later = np.linalg.norm(position + 1e-4 * velocity - own - 1e-4 * drift)
    assert rate == pytest.approx((later - distance) / 1e-4, rel=1e-3, abs=0.1 * np.linalg.norm(velocity - drift) + 1e-3)
    east, up = across(unit(bearing, elevation))
    frame = np.stack((east, up, unit(bearing, elevation)))
    assert frame @ frame.T == pytest.approx(np.eye(3), abs=1e-9)


@pytest.mark.parametrize(
    ("point", "bearing", "elevation"),
    [
        ((0, 1, 0), 0.0, 0.0),
        ((1, 0, 0), 90.0, 0.0),
        ((0, -1, 0), 180.0, 0.0),
        ((-1, 0, 0), 270.0, 0.0),
        ((0, 1, 1), 0.0, 45.0),
    ],
)
def test_named_directions(point, bearing, elevation):
    """SIM-A1."""
    assert np.degrees(angles(np.array(point, dtype=float))) == pytest.approx((bearing, elevation), abs=1e-12)


def test_noise_has_the_configured_deviations():
    """SIM-A1: chi-square bounds at 1e-6 each, and normal by the Kolmogorov-Smirnov test."""
    rows, bodies = many(EXACT, 4)
    assert len(rows) == 4 * COUNT
    exact = exact_returns(OWN, *line())[bodies]
    sigmas = (RADAR.range, RADAR.angle, RADAR.angle, RADAR.radial_velocity)
    for field, sigma in zip((RANGE, BEARING, ELEVATION, RATE), sigmas, strict=True):
        errors = (rows[:, field] - exact[:, field]) / sigma
        low, high = chi2.ppf((1e-6, 1.0 - 1e-6), len(errors)) / len(errors)
        assert low < (errors**2).mean() < high
        assert kstest(errors, "norm").pvalue > 1e-6


def test_share_of_returns_and_of_clutter():
    """SIM-A1: Pd, and a Poisson number of false returns, uniform in range, direction and radial velocity."""
    rows, _ = many(QUIET, 4)
    assert binomtest(len(rows), 4 * COUNT, RADAR.detection).pvalue > 1e-6
    radar = sensor(RADAR, clutter_range=3000.0)
    none = np.zeros((0, 3))
    frames = [radar.frame(OWN, none, none, np.zeros(0), 100_000 * k).detections for k in range(500)]
    counts = np.array([len(frame) for frame in frames])
    assert abs(counts.mean() - RADAR.clutter) < 5.0 * math.sqrt(RADAR.clutter / len(counts))
    assert 0.7 < counts.var() / counts.mean() < 1.35
    rows = np.concatenate(frames)
    for values, low, high in (
        (rows[:, RANGE], 0.0, 3000.0),
        (rows[:, BEARING], 0.0, 2.0 * math.pi),
        (np.sin(rows[:, ELEVATION]), -1.0, 1.0),
        (rows[:, RATE], -RADAR.radial_velocity_max, RADAR.radial_velocity_max),
    ):
        assert kstest(values, "uniform", args=(low, high - low)).pvalue > 1e-6


def test_signal_falls_with_the_fourth_power_and_grows_with_the_area():
    """SIM-A1."""
    short = RADAR.short_range
    positions = np.array([[0.0, short, 0.0], [0.0, 2.0 * short, 0.0], [0.0, 3.0 * short, 0.0]])
    rows = sensor(EXACT).frame(OWN, positions, np.zeros((3, 3)), np.array([1.0, 1.0, 100.0]), 0).detections
    expected = RADAR.reference_snr + np.array([0.0, -40.0 * math.log10(2.0), 20.0 - 40.0 * math.log10(3.0)])
    assert rows[:, SNR] == pytest.approx(expected, abs=1e-9)


def test_frame_keeps_the_nearest_and_shows_nothing_beyond_its_range():
    """SIM-A1."""
    config = EXACT.model_copy(update={"detections_max": 50, "range_max": 5000.0})
    rows, bodies = many(config, 1)
    assert bodies.tolist() == list(range(50))
    assert (
        sensor(config).frame(OWN, np.array([[0.0, 5001.0, 0.0]]), np.zeros((1, 3)), np.ones(1), 0).detections.size == 0
    )
    assert rows[:, RANGE].max() <= 5000.0


@given(
    st.lists(st.tuples(st.floats(50.0, 60.0), st.floats(0.0, 0.2), st.floats(-0.1, 0.1)), min_size=1, max_size=12),
    st.randoms(),
)
def test_bodies_within_the_resolution_give_one_return(places, random):
    """SIM-A2: what is left is told apart, power is kept, and the order of the bodies does not matter."""
    exact = np.array([(*place, float(i)) for i, place in enumerate(places)])
    power = np.array([1.0 + (7 * i % 13) for i in range(len(exact))])
    strongest, returns, total = merged(exact, power, RADAR)
    assert total.sum() == pytest.approx(power.sum())
    sight = unit(exact[:, BEARING], exact[:, ELEVATION])
    for one in strongest:
        for other in set(strongest.tolist()) - {one}:
            apart = math.acos(min(1.0, float(sight[one] @ sight[other])))
            assert (
                abs(exact[one, RANGE] - exact[other, RANGE]) >= RADAR.range_resolution
                or apart >= RADAR.angle_resolution - 1e-7
            )
    assert (returns[:, RANGE] >= exact[:, RANGE].min() - 1e-9).all()
    order = list(range(len(exact)))
    random.shuffle(order)
    again = merged(exact[order], power[order], RADAR)
    if len(set(power.tolist())) == len(power):
        assert np.sort(again[1], axis=0) == pytest.approx(np.sort(returns, axis=0))


def test_resolution_of_a_pair():
    """SIM-A2: 1.9 m and 1.9 degrees apart is one return at the mean; more in one of them is two."""
    degree = math.radians(1.0)

    def pair(apart, angle):
        return merged(np.array([[100.0, 1.0, 0.0, 4.0], [100.0 + apart, 1.0 + angle, 0.0, -4.0]]), np.ones(2), RADAR)[1]

    assert pair(1.9, 1.9 * degree) == pytest.approx(np.array([[100.95, 1.0 + 0.95 * degree, 0.0, 0.0]]))
    assert len(pair(2.1, 0.0)) == len(pair(0.0, 2.1 * degree)) == 2


@given(st.floats(-1e4, 1e4))
def test_radial_velocity_is_unambiguous_up_to_its_most(rate):
    """SIM-A1."""
    shown = folded(np.array([rate]), 100.0)[0]
    assert -100.0 <= shown < 100.0 + 1e-9
    assert (rate - shown) / 200.0 == pytest.approx(round((rate - shown) / 200.0), abs=1e-6)


def test_frames_depend_on_seed_bot_and_time_alone():
    """SIM-A3: a rerun is bit-equal, frames before do not matter, nor another body out of range."""
    positions, velocities = line(20)
    far = np.concatenate((positions, [[0.0, 30_000.0, 0.0]]))

    def look(time_us, *, seed=1, bot="alpha", before=0, places=positions):
        radar = sensor(RADAR, seed, bot)
        for k in range(before):
            radar.frame(OWN, positions, velocities, np.ones(20), 100_000 * k)
        speeds = np.concatenate((velocities, np.zeros((len(places) - 20, 3))))
        return radar.frame(OWN, places, speeds, np.ones(len(places)), time_us).detections.tobytes()

    first = look(700_000)
    assert first == look(700_000, before=7)
    assert first not in (look(700_000, seed=2), look(700_000, bot="bravo"), look(800_000))
    nobody = [
        sensor(RADAR, 1, "alpha").frame(OWN, p, np.zeros((len(p), 3)), np.ones(len(p)), 0) for p in (far[20:], far[:0])
    ]
    assert nobody[0].detections.tobytes() == nobody[1].detections.tobytes()


def test_radar_needs_its_power_and_can_be_lost(tmp_path):
    """SIM-A4: no frame with the load shed or in a blackout; faults of noise and dropout."""
    world = make_world(
        tmp_path,
        vehicle={"radar": {"clutter": 0.0, "detection": 1.0}},
        bots={"alpha": {}, "bravo": {"position": [50.0, 0.0, 0.0]}},
    )
    world.step(0.3)
    frame = world.radar("alpha")
    assert frame.number == 3
    assert frame.detections[0, :3] == pytest.approx((50.0, math.pi / 2.0, 0.0), abs=5.0)
    world.inject_fault("alpha", "sensor_noise", "radar", 20.0)
    assert abs(world.radar("alpha").detections[0, RANGE] - 50.0) > 2.0
    world.inject_fault("alpha", "sensor_dropout", "radar", duration=0.1)
    assert world.radar("alpha") is None
    world.step(0.2)
    world.inject_fault("alpha", "clear", "radar")
    assert world.radar("alpha") is not None
    bus = world.bot("alpha").avionics
    bus.load_on["radar"] = False
    assert world.radar("alpha") is None
    bus.load_on["radar"], bus.blackout = True, True
    assert world.radar("alpha") is None
    with pytest.raises(KeyError, match="bot = 'nobody': allowed: alpha, bravo"):
        world.radar("nobody")


def test_cross_section_is_the_mean_shadow_or_as_given(tmp_path):
    """SIM-A1: of the shipped vehicle, of shapes, and `rcs` of a body."""
    shape = {"kind": "box", "size": [2.0, 3.0, 4.0]}
    bodies = [
        {"name": f"body_{i}", "type": "DEBRIS", "shape": shape, "mass": 1.0, "position": [0.0, 40.0 + 20.0 * i, 0.0]}
        for i in range(2)
    ]
    bodies[1]["rcs"] = 0.5
    world = make_world(tmp_path, vehicle={"radar": {"clutter": 0.0, "detection": 1.0}}, bodies=bodies)
    rows = world.radar("alpha").detections
    areas = np.array([0.5 * (6.0 + 8.0 + 12.0), 0.5])
    assert rows[:, SNR] == pytest.approx(
        RADAR.reference_snr + 10.0 * np.log10(areas * (RADAR.short_range / np.array([40.0, 60.0])) ** 4)
    )
    corners = np.random.default_rng(3).standard_normal((20_000, 3))
    corners /= np.linalg.norm(corners, axis=1)[:, None]
    shadow = np.abs(corners) @ np.array([12.0, 8.0, 6.0])
    assert shadow.mean() == pytest.approx(areas[0], rel=0.01)


def test_reading_frames_changes_nothing():
    """SIM-A3."""
    path = CONFIG / "scenarios" / "station.yaml"
    worlds = [World.from_file(path) for _ in range(2)]
    for _ in range(3):
        worlds[0].radar("alpha"), worlds[0].radar("bravo")
        for world in worlds:
            world.step(0.1)
    assert worlds[0].state().tobytes() == worlds[1].state().tobytes()
    assert worlds[0].radar("alpha").detections.tobytes() == worlds[1].radar("alpha").detections.tobytes()


def test_no_frame_is_computed_without_a_subscriber(monkeypatch):
    """SIM-A3: and a late subscriber gets the frame of that time, ten a second."""
    sent, count, made = [], [0], []
    end = SimpleNamespace(get_subscription_count=lambda: count[0], publish=lambda message: sent.append(message.number))
    node = SimpleNamespace(create_publisher=lambda *_: end, create_subscription=lambda *_: None)
    world = World.from_file(CONFIG / "scenarios" / "single.yaml")
    frame = world.air.frame
    monkeypatch.setattr(world.air, "frame", lambda *args: made.append(args) or frame(*args))
    channel = AirChannel(node, "alpha", lambda *_: None)
    channel.bind(world)
    for subscribers, numbers in ((0, []), (1, [6, 7, 8, 9, 10])):
        count[0] = subscribers
        for _ in range(50):
            world.step(0.01)
            channel.publish(world, world.time_us * 1000)
        assert sent == numbers
        assert len(made) == len(numbers)
