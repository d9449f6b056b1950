"""Life of tracks: confirmation, coasting, death, bands, one number for each body."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import chdtr
from sky import RADAR, TRACKING, frame, seen

from qiki_xpdr import Band, Status, Tracker
from qiki_xpdr.assignment import NONE, assign
from qiki_xpdr.geometry import AT_ORIGIN, Own

NOTHING = np.zeros((0, 5))
seeds = st.integers(0, 2**32 - 1)


def fresh(**changes):
    return Tracker(RADAR, TRACKING.model_copy(update=changes))


def fly(tracker, rng, positions, velocities, frames, *, start=0.0, own=AT_ORIGIN, **options):
    """Run frames at 10 Hz; returns the last picture and, of each track, the bodies that its detections were of."""
    positions, velocities, bodies = np.array(positions, float), np.array(velocities, float), {}
    for number in range(frames):
        now = start + number / 10.0
        rows, whose = frame(rng, positions + now * velocities, velocities, own=own, **options)
        picture = tracker.update(now, rows, own)
        for track, row in zip(picture.number, picture.detection, strict=True):
            if row != NONE:
                bodies.setdefault(int(track), []).append(int(whose[row]))
    return picture, bodies


@pytest.mark.requirement("XPDR-21")
@given(st.integers(0, 2**32 - 1))
def test_each_body_has_one_track_and_one_number(seed):
    rng = np.random.default_rng(seed)
    positions, velocities = rng.uniform(-1500.0, 1500.0, (30, 3)), rng.normal(0.0, 3.0, (30, 3))
    positions[:, 2] += 2000.0 * np.sign(positions[:, 2])  # none at the radar itself
    tracker = fresh()
    picture, bodies = fly(tracker, rng, positions, velocities, 25, clutter=RADAR.clutter)
    held = np.isin(picture.status, (Status.TRACKED, Status.COASTING))
    errors = picture.state[held, None, :3] - (positions + 2.4 * velocities)
    owner = np.linalg.norm(errors, axis=2).argmin(axis=1)
    assert sorted(set(owner)) == list(range(30))
    assert len(owner) == 30
    for number in picture.number[held]:
        assert len(set(bodies[int(number)])) <= 2  # the body, and clutter that fell into its gate


@pytest.mark.requirement("XPDR-21")
def test_errors_are_as_large_as_the_covariance_says():
    rng, squared = np.random.default_rng(5), []
    for _ in range(6):
        positions, velocities = rng.uniform(300.0, 1500.0, (40, 3)), rng.normal(0.0, 2.0, (40, 3))
        kicks = rng.normal(size=(60, 40, 3)) * TRACKING.acceleration * math.sqrt(0.1)
        tracker, place, speed = fresh(), positions.copy(), velocities.copy()
        for number, kick in enumerate(kicks):
            rows, whose = frame(rng, place, speed, detection=1.0)
            picture = tracker.update(number / 10.0, rows, AT_ORIGIN)
            truth, place = np.hstack((place, speed)), place + 0.1 * speed + 0.05 * kick
            speed = speed + kick
        held = (picture.status == Status.TRACKED) & (picture.detection != NONE)
        error = picture.state[held] - truth[whose[picture.detection[held]]]
        squared += [e @ np.linalg.solve(p, e) for e, p in zip(error, picture.covariance[held], strict=True)]
    # Chi squared with 6 degrees of freedom for each.
    assert 0.001 < chdtr(6.0 * len(squared), sum(squared)) < 0.999


@pytest.mark.requirement("XPDR-22")
def test_m_of_n_confirms_and_clutter_does_not():
    tracker, body = fresh(), seen((300.0, 400.0, 50.0), (0.0, 0.0, 0.0))
    hits = [True, False, True, False, True]
    status = []
    for number, hit in enumerate(hits):
        picture = tracker.update(number / 10.0, body if hit else NOTHING, AT_ORIGIN)
        status.append(picture.status.tolist())
    assert status == [[Status.NEW]] * 4 + [[Status.TRACKED]]
    assert [one.type for one in tracker.take_occurrences()] == ["track.confirmed"]
    tracker = fresh()
    counts = [
        len(tracker.update(number / 10.0, body if hit else NOTHING, AT_ORIGIN))
        for number, hit in enumerate([True, False, False, False, False, False])
    ]
    assert counts == [1, 1, 1, 0, 0, 0]
    rng, confirmed = np.random.default_rng(3), fresh()
    for number in range(300):
        rows, _ = frame(rng, np.zeros((0, 3)), np.zeros((0, 3)), clutter=RADAR.clutter)
        confirmed.update(number / 10.0, rows, AT_ORIGIN)
    assert confirmed.take_occurrences() == []


@pytest.mark.requirement("XPDR-22")
def test_coasting_lost_dead_and_the_same_number_after_a_gap():
    def run(gap):
        tracker, picture = fresh(), None
        speed = np.array((0.0, -2.0, 0.0))

        def body(now):
            return seen(np.array((0.0, 500.0, 0.0)) + now * speed, speed)

        for number in range(20):
            tracker.update(number / 10.0, body(number / 10.0), AT_ORIGIN)
        states = {}
        for number in range(20, 20 + round(gap * 10)):
            picture = tracker.update(number / 10.0, NOTHING, AT_ORIGIN)
            for status, quality in zip(picture.status, picture.quality, strict=True):
                states.setdefault(int(status), []).append((number, quality))
        now = 2.0 + gap
        back = tracker.update(now, body(now), AT_ORIGIN)
        return states, back, [one.type for one in tracker.take_occurrences()]

    states, back, events = run(20.0)
    assert len(states[Status.TRACKED]) == 2
    assert len(states[Status.COASTING]) in (46, 47)  # up to 5 s, by the last digit
    qualities = [q for s in (Status.TRACKED, Status.COASTING, Status.LOST) for _, q in states[s]]
    assert all(b < a for a, b in itertools.pairwise(qualities))
    assert (back.number.tolist(), back.status.tolist()) == ([1], [Status.TRACKED])
    assert back.state[0, 3:] == pytest.approx([0.0, -2.0, 0.0], abs=1.0)
    assert events == ["track.confirmed", "track.lost"]
    states, back, events = run(31.0)
    assert back.number.tolist() == [2]
    assert events == ["track.confirmed", "track.lost", "track.ended"]


@pytest.mark.requirement("XPDR-23")
def test_bands_change_with_hysteresis_and_the_track_stays():
    rng, tracker = np.random.default_rng(2), fresh()
    numbers, bands, events = set(), [], []
    for number in range(800):
        now = number / 10.0
        turn = 2.0 * math.pi / 80.0
        place, speed = 5000.0 - 100.0 * math.cos(turn * now), 100.0 * turn * math.sin(turn * now)
        rows, _ = frame(rng, [(0.0, place, 0.0)], [(0.0, speed, 0.0)])
        picture = tracker.update(now, rows, AT_ORIGIN)
        numbers |= set(picture.number.tolist())
        bands += picture.band.tolist()
        events += [one.type for one in tracker.take_occurrences()]
    assert numbers == {1}
    assert events == ["track.confirmed", "track.left_sr", "track.entered_sr"]
    assert [band for band, _ in itertools.groupby(bands)] == [Band.SR, Band.LR, Band.SR]


@pytest.mark.requirement("XPDR-21")
@given(st.integers(0, 2**32 - 1))
def test_own_turns_and_own_flight_do_not_move_a_track(seed):
    rng, tracker = np.random.default_rng(seed), fresh()
    place, flight, rate = np.array((400.0, -300.0, 200.0)), rng.normal(0.0, 2.0, 3), rng.uniform(-0.5, 0.5)
    for number in range(40):
        now = number / 10.0
        c, s = math.cos(rate * now), math.sin(rate * now)
        own = Own(flight * now, flight, np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]))
        rows, _ = frame(rng, [place], [np.zeros(3)], own=own, detection=1.0)
        picture = tracker.update(now, rows, own)
    # A Doppler velocity along the line alone, and 40 frames of angles.
    assert picture.number[picture.status == Status.TRACKED].tolist() == [1]
    assert np.linalg.norm(picture.state[0, :3] - place) < 12.0
    assert np.linalg.norm(picture.state[0, 3:]) < 6.0


@pytest.mark.requirement("XPDR-28")
@given(seeds, st.floats(0.01, 1000.0), st.floats(100.0, 4000.0))
def test_the_cross_section_comes_from_strength_and_range(seed, area, distance):
    rng, tracker = np.random.default_rng(seed), fresh()
    strength = RADAR.reference_snr + 10.0 * np.log10(area) - 40.0 * np.log10(distance / RADAR.short_range)
    for number in range(8):
        row = seen((0.0, distance, 0.0), (0.0, 0.0, 0.0), snr=strength)
        row[:, 0] += 0.5 * rng.normal()
        if number == 5:
            row[:, 4] = math.nan
        picture = tracker.update(number / 10.0, row, AT_ORIGIN)
    assert picture.rcs[0] == pytest.approx(area, rel=0.1)
    assert math.isnan(fresh().update(0.0, seen((0.0, 9.0, 0.0), (0.0, 0.0, 0.0), snr=math.nan), AT_ORIGIN).rcs[0])


@pytest.mark.requirement("XPDR-24")
@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        (0, math.nan),
        (0, -1.0),
        (0, 0.0),
        (0, 20001.0),
        (0, math.inf),
        (1, 2.0 * math.pi),
        (1, -0.1),
        (1, math.nan),
        (2, 1.6),
        (2, -math.inf),
        (3, 101.0),
        (3, math.nan),
    ],
)
def test_a_detection_that_cannot_be_is_refused_and_counted(field, wrong):
    tracker, rows = fresh(), np.repeat(seen((300.0, 400.0, 50.0), (0.0, 0.0, 0.0)), 2, axis=0)
    rows[0, field] = wrong
    picture = tracker.update(0.0, rows, AT_ORIGIN)
    assert picture.detection.tolist() == [1]
    assert dict(tracker.refused) == {("range", "bearing", "elevation", "radial_velocity")[field]: 1}
    assert np.isfinite(picture.state).all()


@pytest.mark.requirement("XPDR-24")
def test_ten_thousand_detections_are_shed_to_the_nearest():
    tracker, rng = fresh(tracks_max=50), np.random.default_rng(1)
    rows, _ = frame(rng, rng.uniform(-9000.0, 9000.0, (10_000, 3)), np.zeros((10_000, 3)), detection=1.0)
    picture = tracker.update(0.0, rows, AT_ORIGIN)
    possible = int(((rows[:, 0] <= RADAR.range_max) & (np.abs(rows[:, 3]) <= 100.0)).sum())
    assert tracker.refused["shed"] == possible - RADAR.detections_max
    assert (len(picture), tracker.refused["tracks"]) == (50, RADAR.detections_max - 50)
    assert picture.range.max() <= np.sort(rows[:, 0])[60]


@pytest.mark.requirement("XPDR-24")
def test_a_frame_out_of_order_is_refused():
    tracker, body = fresh(), seen((300.0, 400.0, 50.0), (0.0, 0.0, 0.0))
    tracker.update(1.0, body, AT_ORIGIN)
    for now in (1.0, 0.5, math.nan, math.inf):
        assert tracker.update(now, body, AT_ORIGIN).time == 1.0
    assert tracker.refused["frame"] == 4
    with pytest.raises(ValueError, match="allowed"):
        tracker.update(2.0, np.zeros((3, 4)), AT_ORIGIN)


@given(
    st.integers(1, 7).flatmap(
        lambda n: st.lists(
            st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=n, max_size=n), min_size=1, max_size=5
        )
    )
)
def test_the_assignment_is_the_best_of_all(pairs):
    allowed = np.array([[ok for ok, _ in row] for row in pairs])
    costs = np.array([[float(cost) for _, cost in row] for row in pairs])
    found = assign(costs, allowed)
    picked = found[found != NONE]
    assert len(set(picked.tolist())) == len(picked)
    best = (0, 0.0)
    for choice in itertools.product(*([NONE, *np.flatnonzero(row)] for row in allowed)):
        used = [c for c in choice if c != NONE]
        if len(set(used)) == len(used):
            best = max(best, (len(used), -sum(costs[r, c] for r, c in enumerate(choice) if c != NONE)))
    assert (len(picked), -sum(costs[r, c] for r, c in enumerate(found) if c != NONE)) == best


@given(st.integers(0, 2**32 - 1))
def test_clusters_give_the_assignment_of_the_whole(seed):
    rng = np.random.default_rng(seed)
    allowed = rng.random((90, 100)) < 0.015
    costs = rng.random((90, 100))
    apart = assign(costs, allowed)
    halves = np.concatenate((assign(costs[:45], allowed[:45]), np.full(45, NONE)))
    rows = np.flatnonzero(apart != NONE)
    assert allowed[rows, apart[rows]].all()
    assert (apart != NONE).sum() >= (halves != NONE).sum()
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    most = maximum_bipartite_matching(csr_array(allowed), perm_type="column")
    assert (apart != NONE).sum() == (most != -1).sum()
