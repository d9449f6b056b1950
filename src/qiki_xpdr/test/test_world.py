"""World model: tracks carried on by the clock, closest approach with its errors, known bodies, and their messages."""

import math
from dataclasses import replace

import numpy as np
import pytest
from air import VEHICLE
from hypothesis import given
from hypothesis import strategies as st
from sky import frame
from test_guard import RULES

from qiki_vehicle import quaternion
from qiki_vehicle.pose import Pose
from qiki_xpdr import GuardTable, Iff, KeyRing, Status, Watch
from qiki_xpdr.bodies import Bodies, Dock, Port
from qiki_xpdr.contacts import docked_tracks
from qiki_xpdr.geometry import AT_ORIGIN, Own
from qiki_xpdr.guard import closest_approach
from qiki_xpdr.own_motion import OwnMotion
from qiki_xpdr.ros.markers import TrackMarkers
from qiki_xpdr.ros.world import world_message
from qiki_xpdr.world import approach_errors, carried, outlooks, world

TRACKING = VEHICLE.tracking
UP, DOWN = (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)


def watched(places, velocities, *, seconds=3.0, seed=1, docked=None):
    """The watch, and its last frame."""
    watch, rng = (
        Watch(VEHICLE, Iff(VEHICLE.iff, "ALLY-000000", KeyRing()), GuardTable(RULES)),
        np.random.default_rng(seed),
    )
    for step in range(round(seconds * 10)):
        now = 100.0 + 0.1 * step
        at = np.array(places, dtype=float) + 0.1 * step * np.array(velocities, dtype=float)
        last = watch.frame(now, frame(rng, at, velocities, detection=1.0)[0], AT_ORIGIN, docked=docked)
    return watch, last


def at_rest(now):
    motion = OwnMotion()
    motion.add(now, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    return motion


@pytest.mark.requirement("XPDR-81")
def test_tracks_are_carried_on_by_the_clock_and_end():
    velocity = np.array((0.0, -5.0, 0.0))
    _, last = watched([(0.0, 400.0, 0.0)], [velocity])
    before = last.picture
    now = before.time + 3.0
    (one,) = outlooks(last, at_rest(now), now, VEHICLE, "alpha")
    track = one.track
    assert track.position == pytest.approx(tuple(before.state[0, :3] + 3.0 * before.state[0, 3:]))
    assert (track.silent, track.age, track.status) == (
        pytest.approx(3.0),
        pytest.approx(before.age[0] + 3.0),
        Status.TRACKED,
    )
    assert track.range == pytest.approx(math.hypot(*track.position))
    assert track.quality < float(before.quality[0])
    assert track.covariance[0] > before.covariance[0, 0, 0]
    assert track.event_time == pytest.approx(before.time)
    for seconds, status in ((TRACKING.stale + 0.1, Status.LOST), (TRACKING.dead - 0.1, Status.LOST)):
        later = carried(last, AT_ORIGIN, before.time + seconds, VEHICLE)
        assert later.picture.status.tolist() == [status]
    assert len(carried(last, AT_ORIGIN, before.time + TRACKING.dead, VEHICLE).picture) == 0


@pytest.mark.requirement("XPDR-81")
def test_a_watch_without_frames_lets_tracks_age_and_alerts_end_and_accuses_nobody():
    watch, last = watched([(0.0, 40.0, 0.0)], [(0.0, -0.1, 0.0)])
    assert watch.take_occurrences()
    statuses, now = [], last.picture.time
    while len(last.picture):
        now += 0.1
        last = watch.frame(now, None, AT_ORIGIN)
        statuses += last.picture.status.tolist()
    order = [status for at, status in enumerate(statuses) if not at or statuses[at - 1] != status]
    assert order == [Status.TRACKED, Status.COASTING, Status.LOST]
    kinds = [one.type for one in watch.take_occurrences()]
    assert sorted(kinds) == ["guard.alert_ended", "track.ended", "track.lost"]


@pytest.mark.requirement("XPDR-80")
def test_where_the_own_motion_is_unknown_all_that_is_relative_to_it_is_too():
    _, last = watched([(0.0, 400.0, 0.0)], [(0.0, -5.0, 0.0)])
    now = last.picture.time + 1.0
    made = world(last, at_rest(now - 0.9), now, VEHICLE, body="alpha", radar_age=1.0)
    (one,) = made.tracks
    assert made.own is None
    assert np.isfinite(one.track.position).all()
    assert all(map(math.isnan, (one.track.range, one.track.cpa, one.track.cpa_time, one.cpa_sigma, one.cpa_time_sigma)))
    assert math.isnan(world_message(made).pose.position.x)
    assert world(None, OwnMotion(), now, VEHICLE, body="alpha", radar_age=math.nan).tracks == ()


@pytest.mark.requirement("XPDR-83")
@pytest.mark.parametrize("offset", [30.0, 0.0])
def test_errors_of_the_closest_approach_are_those_of_many_draws(offset):
    rng = np.random.default_rng(3)
    mean = np.array((offset, 300.0, 0.0, 0.0, -10.0, 1.0))
    root = rng.normal(size=(6, 6)) * np.array((2.0,) * 3 + (0.1,) * 3)[:, None] / 3.0
    covariance = root @ root.T
    draws = rng.multivariate_normal(mean, covariance, 20_000)
    distance, time = closest_approach(draws[:, :3], draws[:, 3:])
    sigma, time_sigma = approach_errors(mean[None, :3], mean[None, 3:], covariance[None])
    assert time_sigma[0] == pytest.approx(time.std(), rel=0.1)
    if offset:
        assert sigma[0] == pytest.approx(distance.std(), rel=0.15)
    else:  # the miss has no direction: never less than the spread of the distance
        assert sigma[0] >= 0.9 * distance.std()


@pytest.mark.requirement("XPDR-83")
def test_without_relative_motion_there_is_no_closest_approach():
    sigmas = approach_errors(np.ones((1, 3)), np.zeros((1, 3)), np.eye(6)[None])
    assert np.isnan(sigmas).all()


def chain(now=10.0, **changes):
    """Alpha:A on bravo:B, bravo:A on station:S; `changes` replace docks."""
    docks = {
        "alpha": Dock("alpha", now, {"A": Port((0.0, 0.0, 1.0), UP, "bravo")}, "bravo", "A", "B"),
        "bravo": Dock(
            "bravo",
            now,
            {"B": Port((0.0, 0.0, -1.0), DOWN, "alpha"), "A": Port((0.0, 0.0, 1.0), UP, "station")},
            "station",
            "A",
            "S",
        ),
        "station": Dock("station", now, {"S": Port((0.0, 0.0, -6.0), DOWN, "bravo")}, station=True),
    }
    bodies = Bodies("alpha", 30.0)
    for dock in (docks | changes).values():
        bodies.take(dock)
    return bodies


@pytest.mark.requirement("XPDR-80")
@given(st.lists(st.floats(-1.0, 1.0), min_size=4, max_size=4).filter(lambda q: math.hypot(*q) > 0.1))
def test_bodies_of_a_chain_are_docked_wherever_the_own_body_is(turn):
    own = Own(np.array((5.0, -3.0, 2.0)), np.zeros(3), quaternion.matrix(np.array(turn) / np.linalg.norm(turn)))
    found = {one.name: one for one in chain().known(own, 10.5)}
    assert {name: (one.docked, one.station, one.age) for name, one in found.items()} == {
        "bravo": (True, False, 0.5),
        "station": (True, True, 0.5),
    }
    assert found["bravo"].position == pytest.approx(tuple(own.position + 2.0 * own.axes[:, 2]))
    assert found["station"].position == pytest.approx(tuple(own.position + 9.0 * own.axes[:, 2]))


@pytest.mark.requirement("XPDR-80")
@pytest.mark.parametrize(
    "bodies",
    [
        chain(alpha=Dock("alpha", 10.0, {"A": Port((0.0, 0.0, 1.0), UP)})),
        chain(bravo=Dock("bravo", 10.0, {"B": Port((0.0, 0.0, -1.0), DOWN)})),
        chain(alpha=Dock("alpha", 7.0, {"A": Port((0.0, 0.0, 1.0), UP, "bravo")}, "bravo", "A", "B")),
    ],
    ids=["the own end shows no docking", "the other end shows none", "the own state is old"],
)
def test_a_body_is_docked_where_both_ends_show_it_alone(bodies):
    assert bodies.assembly(10.0) == {}
    assert all(not one.docked for one in bodies.known(AT_ORIGIN, 10.0))


@pytest.mark.requirement("XPDR-80")
def test_a_body_in_sight_is_known_by_the_port_camera_and_forgotten():
    bodies, turn = Bodies("alpha", 30.0), quaternion.from_rotation_vector((0.0, 0.0, math.pi / 2.0))
    sight = Pose(np.array((0.0, 10.0, 0.0)), np.asarray(turn))
    bodies.see("station", "S", sight, AT_ORIGIN, 9.0)
    assert bodies.known(AT_ORIGIN, 9.0) == ()
    bodies.take(Dock("station", 10.0, {"S": Port((2.0, 0.0, 0.0), UP)}, station=True))
    (one,) = bodies.known(AT_ORIGIN, 10.0)
    assert all(map(math.isnan, one.position))
    bodies.see("station", "S", sight, AT_ORIGIN, 10.0)
    (one,) = bodies.known(AT_ORIGIN, 12.0)
    assert (one.position, one.age, one.docked) == (pytest.approx((0.0, 8.0, 0.0)), 2.0, False)
    assert bodies.known(AT_ORIGIN, 41.0) == ()
    bodies.take(Dock("station", 50.0, {"S": Port((2.0, 0.0, 0.0), UP)}, station=True))
    with pytest.raises(ValueError, match="orientation"):
        bodies.see("station", "S", Pose(np.zeros(3), np.zeros(4)), AT_ORIGIN, 50.0)
    for wrong in (((math.nan, 0.0, 0.0), UP), ((0.0, 0.0, 0.0), (0.0, 0.0, 2.0))):
        with pytest.raises(ValueError, match="allowed"):
            Port(*wrong)


@pytest.mark.requirement("XPDR-80")
def test_a_track_on_a_docked_body_is_no_contact_and_others_stay_ones():
    places = [(0.0, 0.0, 9.0), (0.0, 45.0, 0.0)]
    _, free = watched(places, np.zeros((2, 3)))
    assert all(not contact.docked for contact in free.contacts)
    watch, last = watched(places, np.zeros((2, 3)), docked={"station": np.array(places[0])})
    assert [one.docked for one in sorted(last.contacts, key=lambda one: one.range)] == ["station", ""]
    false = replace(last.picture, status=np.full(len(last.picture), Status.NEW, dtype=np.int8))
    assert docked_tracks(false, {"station": np.array(places[0])}, VEHICLE) == {}
    raised = {one.payload["track"] for one in watch.take_occurrences() if one.type == "guard.alert_raised"}
    assert raised == {one.track for one in last.contacts if not one.docked}


@pytest.mark.requirement("XPDR-82")
def test_markers_show_each_track_and_are_deleted_with_it():
    _, last = watched(
        [(0.0, 400.0, 0.0), (0.0, 0.0, 9.0)],
        [(0.0, -5.0, 0.0), (0.0, 0.0, 0.0)],
        docked={"station": np.array((0.0, 0.0, 9.0))},
    )
    now = last.picture.time
    made = world(last, at_rest(now), now, VEHICLE, body="alpha", radar_age=0.0)
    markers = TrackMarkers("alpha")
    first = markers.update(made).markers
    assert first[0].action == first[0].DELETEALL
    far, near = (one.track.id.removeprefix("alpha-") for one in sorted(made.tracks, key=lambda one: -one.track.range))
    shown = {(one.ns, one.id): one for one in first[1:]}
    assert {ns for ns, _ in shown} == {"tracks", "names", "velocities", "errors"}
    text = shown["names", int(far)].text
    assert text.startswith(f"alpha-{far} ")
    assert text.endswith(" m")
    assert "station" in shown["names", int(near)].text
    arrow = shown["velocities", int(far)].points
    assert arrow[1].y - arrow[0].y == pytest.approx(10.0 * last.picture.state[last.picture.row(int(far)), 4])
    ellipsoid = shown["errors", int(far)]
    lengths = sorted((ellipsoid.scale.x, ellipsoid.scale.y, ellipsoid.scale.z))
    spread = np.linalg.eigvalsh(last.picture.covariance[last.picture.row(int(far)), :3, :3])
    assert lengths == pytest.approx((4.0 * np.sqrt(spread)).tolist())
    lost = carried(last, AT_ORIGIN, now + TRACKING.stale + 1.0, VEHICLE)
    second = markers.update(world(lost, at_rest(now), lost.picture.time, VEHICLE, body="alpha", radar_age=6.0)).markers
    gone = {(one.ns, one.id) for one in second if one.action == one.DELETE}
    assert {ns for ns, _ in gone} == {"errors"}
    third = markers.update(replace(made, tracks=())).markers
    assert {(one.ns, one.id) for one in third if one.action == one.DELETE} == set(shown) - gone
    assert markers.update(replace(made, tracks=())).markers == []
