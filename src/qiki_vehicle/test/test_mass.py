"""Frames, mated ports, and mass properties of bodies joined."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_vehicle import ConfigurationError, MassProperties, Pose, Vehicle, combined, mated, quaternion

VEHICLE = Vehicle.from_file(
    Path(__file__).resolve().parents[3] / "launch" / "config" / "vehicles" / "dodecahedron.yaml"
)
BOT = MassProperties.of(VEHICLE.body)
SMALL = st.floats(-3.0, 3.0)
TRIPLES = st.tuples(SMALL, SMALL, SMALL)
POSES = st.builds(
    lambda position, turn: Pose(np.array(position), quaternion.from_rotation_vector(turn)), TRIPLES, TRIPLES
)
CLOUDS = st.lists(st.tuples(st.floats(0.1, 100.0), TRIPLES), min_size=4, max_size=6)
"""Points of mass, kg and m."""
CORNERS = [(1.0, (1.0, 0.0, 0.0)), (1.0, (0.0, 1.0, 0.0)), (1.0, (0.0, 0.0, 1.0)), (1.0, (0.0, 0.0, 0.0))]


def of_points(points):
    """Mass properties by the definition; the corners are added, so that no inertia is singular."""
    masses = np.array([mass for mass, _ in [*points, *CORNERS]])
    places = np.array([place for _, place in [*points, *CORNERS]])
    com = masses @ places / masses.sum()
    inertia = sum(m * (d @ d * np.eye(3) - np.outer(d, d)) for m, d in zip(masses, places - com, strict=True))
    return MassProperties(masses.sum(), inertia, com)


def same(one, other):
    return (
        one.mass == pytest.approx(other.mass)
        and one.com == pytest.approx(other.com, abs=1e-9)
        and one.inertia == pytest.approx(other.inertia, abs=1e-6, rel=1e-9)
    )


@given(outer=POSES, inner=POSES, point=TRIPLES)
def test_frames(outer, inner, point):
    assert outer.then(inner).point(point) == pytest.approx(outer.point(inner.point(point)), abs=1e-9)
    assert outer.inverse().point(outer.point(point)) == pytest.approx(np.array(point), abs=1e-9)
    assert outer.vector(point) == pytest.approx(outer.point(point) - outer.position, abs=1e-9)


@given(first=CLOUDS, second=CLOUDS, pose=POSES)
def test_joined_clouds_are_one_cloud(first, second, pose):
    """The parallel axis theorem against the sum over the points."""
    moved = [(mass, tuple(pose.point(place))) for mass, place in [*second, *CORNERS]]
    joined = combined([(of_points(first), Pose()), (of_points(second), pose)])
    assert same(joined, of_points([*first, *moved]))


@given(clouds=st.lists(CLOUDS, min_size=3, max_size=3), poses=st.tuples(POSES, POSES, POSES))
def test_the_order_of_joining_does_not_matter(clouds, poses):
    parts = [(of_points(cloud), pose) for cloud, pose in zip(clouds, poses, strict=True)]
    pair = combined(parts[:2])
    assert same(combined([(pair, Pose()), parts[2]]), combined(parts))
    assert same(combined(reversed(parts)), combined(parts))


@given(cloud=CLOUDS, pose=POSES)
def test_a_frame_there_and_back_changes_nothing(cloud, pose):
    alone = of_points(cloud)
    assert same(combined([(combined([(alone, pose)]), pose.inverse())]), alone)


def test_two_bots_mated_port_a_to_port_b():
    partner = mated(VEHICLE.port("A"), VEHICLE.port("B"))
    assert partner.position == pytest.approx([0.0, 0.0, 2.4])
    assert partner.orientation == pytest.approx([0.0, 0.0, 0.0, 1.0])
    pair = combined([(BOT, Pose()), (BOT, partner)])
    assert pair.mass == 2400.0
    assert pair.com == pytest.approx([0.0, 0.0, 1.3])
    assert np.diag(pair.inertia) == pytest.approx([2 * (760.0 + 1728.0), 2 * (800.0 + 1728.0), 2 * 820.0])


@given(own=st.sampled_from(["A", "B"]), other=st.sampled_from(["A", "B"]), roll=st.floats(-3.0, 3.0))
def test_mated_ports_touch_and_face_each_other(own, other, roll):
    port, partner = VEHICLE.port(own), VEHICLE.port(other)
    pose = mated(port, partner, roll)
    assert pose.point(partner.position) == pytest.approx(np.array(port.position), abs=1e-12)
    assert pose.vector(partner.axis) == pytest.approx(-np.array(port.axis), abs=1e-12)
    back = mated(partner, port, roll)
    assert pose.then(back).position == pytest.approx(np.zeros(3), abs=1e-9)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"mass": 0.0}, "mass: 0.0 kg; allowed: finite, above 0 kg"),
        ({"com": (0.0, np.nan, 0.0)}, "com: .*allowed: three finite numbers"),
        ({"inertia": np.ones(3)}, r"inertia: .*allowed: \(3, 3\), finite, symmetric"),
        ({"inertia": np.diag([1.0, 1.0, -1.0])}, r"inertia: principal moment -1 kg m\^2; allowed: above 0"),
        ({"inertia": [[1.0, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]}, "symmetric"),
    ],
)
def test_impossible_mass_properties_are_refused(changes, text):
    with pytest.raises(ConfigurationError, match=text):
        MassProperties(**{"mass": 1.0, "inertia": np.eye(3), "com": np.zeros(3), **changes})


def test_nothing_has_no_mass_properties():
    with pytest.raises(ConfigurationError, match="parts: none; allowed: at least one body"):
        combined([])
