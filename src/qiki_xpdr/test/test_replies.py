"""Replies to tracks by direction and round trip."""

import math

import numpy as np
import pytest
from air import VEHICLE
from hypothesis import given
from hypothesis import strategies as st
from sky import RADAR, TRACKING, seen

from qiki_xpdr import Tracker
from qiki_xpdr.assignment import NONE
from qiki_xpdr.geometry import AT_ORIGIN, LIGHT
from qiki_xpdr.replies import assign_replies


def picture(*places):
    tracker, still, places = Tracker(RADAR, TRACKING), np.zeros((len(places), 3)), np.reshape(places, (-1, 3))
    for number in range(20):
        found = tracker.update(number / 10.0, seen(places, still), AT_ORIGIN)
    return found


def arrivals(places, *, ranged=True):
    exact = seen(np.array(places, float), np.zeros((len(places), 3)))
    trips = 2.0 * exact[:, 0] / LIGHT if ranged else np.full(len(places), math.nan)
    return np.column_stack((exact[:, 1], exact[:, 2], trips))


def assigned(picture, rows):
    return assign_replies(picture, rows, AT_ORIGIN, VEHICLE)


@pytest.mark.requirement("XPDR-25")
@given(st.integers(0, 2**32 - 1))
def test_nearly_all_noisy_replies_go_to_their_track_and_to_no_other(seed):
    rng = np.random.default_rng(seed)
    places = [(300.0, 0.0, 0.0), (0.0, 300.0, 0.0), (-300.0, 0.0, 200.0), (0.0, 0.0, 300.0)]
    tracks = picture(*places)
    number = [int(tracks.number[np.linalg.norm(tracks.state[:, :3] - p, axis=1).argmin()]) for p in places]
    whose = rng.integers(0, len(places), 100)
    rows = arrivals([places[n] for n in whose])
    rows += rng.normal(size=rows.shape) * (VEHICLE.radio.direction, VEHICLE.radio.direction, VEHICLE.radio.round_trip)
    got = assigned(tracks, rows).track
    right = got == np.array(number)[whose]
    assert right.mean() >= 0.97
    assert (got[~right] == NONE).all()


@pytest.mark.requirement("XPDR-25")
def test_two_in_one_direction_are_told_apart_by_round_trip_alone():
    tracks = picture((0.0, 200.0, 0.0), (0.0, 400.0, 0.0))
    rows = arrivals([(0.0, 400.0, 0.0)])
    assert tracks.range[tracks.row(int(assigned(tracks, rows).track[0]))] == pytest.approx(400.0, abs=1.0)
    found = assigned(tracks, arrivals([(0.0, 400.0, 0.0)], ranged=False))
    assert (found.track.tolist(), found.ambiguous.tolist()) == ([NONE], [True])


@pytest.mark.requirement("XPDR-25")
def test_no_track_for_other_directions_late_replies_lost_and_far_tracks():
    tracks = picture((0.0, 400.0, 0.0), (5500.0, 0.0, 0.0))
    rows = np.vstack((arrivals([(400.0, 0.0, 0.0), (0.0, 430.0, 0.0), (5500.0, 0.0, 0.0)]), [[math.nan, 0.0, 0.0]]))
    assert assigned(tracks, rows).track.tolist() == [NONE] * 4
    assert assigned(picture(), rows).track.tolist() == [NONE] * 4
    assert len(assigned(tracks, np.zeros((0, 3))).track) == 0
