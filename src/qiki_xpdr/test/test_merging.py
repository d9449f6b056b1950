"""Bodies nearer to each other than the radar's resolution: one return, two tracks."""

import numpy as np
import pytest
from sky import RADAR, TRACKING, frame

from qiki_xpdr import Status, Tracker
from qiki_xpdr.assignment import NONE
from qiki_xpdr.geometry import AT_ORIGIN


def fly(seed, course, frames):
    """Fly two bodies; `course` gives places and velocities (2, 3) at a time.

    Returns the last picture, the events, and of the frames with one return: whose (2 bodies) detections were looks.
    """
    rng, tracker, looks = np.random.default_rng(seed), Tracker(RADAR, TRACKING), []
    for number in range(frames):
        places, velocities = course(0.1 * number)
        distance = np.linalg.norm(places, axis=1)
        angle = np.arccos(np.clip(places[0] @ places[1] / distance.prod(), -1.0, 1.0))
        merged = abs(distance[0] - distance[1]) < RADAR.range_resolution and angle < RADAR.angle_resolution
        if merged:
            places, velocities = places.mean(axis=0, keepdims=True), velocities.mean(axis=0, keepdims=True)
        rows, _ = frame(rng, places, velocities)
        picture = tracker.update(0.1 * number, rows, AT_ORIGIN)
        if merged and len(rows) and (picture.misses[picture.number <= 2] == 0).all():
            looks.append((picture.detection[picture.number <= 2] != NONE).any())
    return picture, [one.type for one in tracker.take_occurrences()], looks


@pytest.mark.requirement("XPDR-27")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_that_fly_as_one_for_long_are_both_kept(seed):
    """They come together within 8 s, and stay in one cell for more than 10 s: a track is lost after 5 s."""

    def course(now):
        place, beside, phase = np.array((60.0, 200.0, 10.0)), np.array((0.0, 12.0, 0.0)), np.pi * min(now / 8.0, 1.0)
        share, slope = 0.525 + 0.475 * np.cos(phase), -0.475 * np.pi / 8.0 * np.sin(phase)
        return np.stack((place, place + share * beside)), np.stack((0.0 * beside, slope * beside))

    picture, events, looks = fly(seed, course, 180)
    assert sorted(picture.number.tolist())[:2] == [1, 2]
    assert (picture.status[picture.number <= 2] == Status.TRACKED).all()
    assert "track.lost" not in events
    assert np.linalg.norm(picture.state[picture.number <= 2, :3] - course(17.9)[0], axis=1).max() < 4.0
    # A return of both is the raw measurement of neither.
    assert len(looks) > 60
    assert np.mean(looks) < 0.1


@pytest.mark.requirement("XPDR-27")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_that_pass_each_other_keep_their_tracks(seed):
    def course(now):
        speed = np.array(((1.5, 0.0, 0.0), (-1.5, 0.0, 0.0)))
        return np.array(((-9.0, 250.0, 0.0), (9.0, 250.3, 0.0))) + now * speed, speed

    picture, events, _ = fly(seed, course, 130)
    held = np.isin(picture.number, (1, 2))
    assert held.sum() == 2
    assert "track.lost" not in events
    assert np.sort(picture.state[held, 0]) == pytest.approx(np.sort(course(12.9)[0][:, 0]), abs=3.0)
