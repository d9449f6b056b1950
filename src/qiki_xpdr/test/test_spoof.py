"""Verdicts by evidence: what is found and how soon, what is left alone, states and their hysteresis."""

import dataclasses
import math

import numpy as np
import pytest
from air import VEHICLE
from claims import SPOOFING, truthful
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from qiki_xpdr import SpoofMonitor, SpoofState
from qiki_xpdr.channels import OFFSETS, residuals
from qiki_xpdr.geometry import AT_ORIGIN

PLACE, STILL = (300.0, 200.0, 50.0), (0.0, 0.0, 0.0)
FRIEND = "ALLY-000000"


def watch(change=None, *, seconds=4.0, before=10.0, seed=1, velocity=STILL, **options):
    """States of one pair at each look, and the monitor; `change` alters looks from `before` on."""
    rng, monitor, states = np.random.default_rng(seed), SpoofMonitor(VEHICLE), []
    for number in range(round((before + seconds) * 10)):
        now = number / 10.0
        place = np.array(PLACE) + now * np.array(velocity)
        looks = truthful(rng, place, velocity, now, **options)
        if change is not None and now >= before:
            looks = change(looks, now)
        if looks is not None:
            monitor.observe(now, looks, AT_ORIGIN)
        states.append(monitor.state(1, FRIEND))
    return states, monitor


def altered(**values):
    return lambda looks, _: dataclasses.replace(looks, **{n: np.full(1, float(v)) for n, v in values.items()})


def moved(vector):
    return lambda looks, _: dataclasses.replace(looks, position=looks.position + vector)


def manifests(count, **values):
    """Forged receptions come to light once a second."""

    def change(looks, now):
        faults = count if abs(now - round(now)) < 0.01 else math.nan
        return dataclasses.replace(looks, signature=np.full(1, float(faults)), verified=np.full(1, False), **values)

    return change


ATTACKS = {
    "position": moved((0.0, 0.0, 40.0)),
    "doppler": lambda looks, _: dataclasses.replace(looks, velocity=looks.velocity + np.array((1.0, 0.0, 0.0))),
    "round_trip": lambda looks, _: dataclasses.replace(looks, round_trip=looks.round_trip + 200e-9),
    "direction": lambda looks, _: dataclasses.replace(looks, arrival=looks.arrival + 0.2),
    "strength": lambda looks, _: dataclasses.replace(looks, strength=looks.strength + 10.0),
    "signature": manifests(10),
    "freshness": altered(freshness=1.0),
    "no_return": altered(no_return=1.0),
    "kinematics": lambda looks, _: dataclasses.replace(looks, velocity=looks.velocity + np.array((0.0, 0.0, 150.0))),
}


@pytest.mark.requirement("XPDR-33")
@pytest.mark.parametrize("channel", ATTACKS)
def test_each_channel_is_found_within_two_seconds_and_listed(channel):
    states, monitor = watch(ATTACKS[channel], seconds=2.0)
    assert SpoofState.SUSPECT not in states[:100]
    assert states[99] is SpoofState.TRUSTED
    assert states[-1] is SpoofState.SPOOF
    evidence = monitor.evidence(1, FRIEND)
    assert channel in [one.channel for one in evidence]
    assert evidence[0].statistic >= evidence[0].threshold
    (event,) = [one for one in monitor.take_occurrences() if one.payload["to"] == "SPOOF"]
    assert event.payload["evidence"][0]["text"]
    assert monitor.evidence(2, FRIEND) == ()


@pytest.mark.requirement("XPDR-33")
def test_a_wrong_key_is_found_with_its_second_manifest():
    states, _ = watch(manifests(1), seconds=2.0)
    assert states[-1] is SpoofState.SPOOF
    assert states[108] is not SpoofState.SPOOF


@pytest.mark.requirement("XPDR-34")
def test_benign_residuals_are_standard_normal():
    rng = np.random.default_rng(8)
    places, velocities = rng.uniform(-900.0, 900.0, (600, 3)), rng.normal(0.0, 2.0, (600, 3))
    found = residuals(truthful(rng, places, velocities, 1.0), AT_ORIGIN, 1.0, VEHICLE)
    parts, excuse = found.shifts, found.excuse
    assert excuse.shape == (600, 3)
    assert set(parts) == set(OFFSETS) - {"jump"}
    for name, dimensions in OFFSETS.items() - {("jump", 3)}:
        assert parts[name].shape == (600, dimensions)
        squared = np.einsum("ij,ij->i", parts[name], parts[name])
        assert kstest(squared, "chi2", args=(dimensions,)).pvalue > 0.01, name


@pytest.mark.requirement("XPDR-34")
@given(st.integers(0, 2**32 - 1), st.floats(-1.0, 1.0))
def test_an_honest_friend_with_a_late_clock_is_trusted(seed, share):
    shift = share * SPOOFING.skew * np.array((3.0, -2.0, 1.0))
    late = moved(shift)
    states, _ = watch(late, seconds=4.0, before=0.5, seed=seed, velocity=(3.0, -2.0, 1.0))
    assert set(states) <= {SpoofState.TRUSTED, SpoofState.SUSPECT}


@pytest.mark.requirement("XPDR-35")
@pytest.mark.parametrize("missing", ["claims", "returns", "signals"])
def test_silence_and_dropouts_end_unverified(missing):
    rng, monitor, states = np.random.default_rng(4), SpoofMonitor(VEHICLE), []
    for number in range(250):
        now = number / 10.0
        looks = truthful(rng, PLACE, STILL, now, verified=now < 5.0)
        gone = np.full((1, 4), math.nan)
        if now >= 5.0 and missing == "claims":
            looks = looks.pick(np.zeros(0, dtype=int))
        elif now >= 5.0 and missing == "returns":
            looks = dataclasses.replace(looks, measured=gone)
        elif now >= 5.0:
            looks = dataclasses.replace(looks, arrival=gone[:, :2], strength=gone[:, 0], round_trip=gone[:, 0])
        monitor.observe(now, looks, AT_ORIGIN)
        states.append(monitor.state(1, FRIEND))
    assert SpoofState.SPOOF not in states
    assert states[-1] is SpoofState.UNVERIFIED
    for number in range(250, 400):
        monitor.observe(number / 10.0, looks.pick(np.zeros(0, dtype=int)), AT_ORIGIN)
    if missing == "claims":
        assert (monitor.state(1, FRIEND), len(monitor)) == (SpoofState.UNKNOWN, 0)


@pytest.mark.requirement("XPDR-36")
def test_a_verdict_is_held_and_released_step_by_step():
    def jammed(looks, now):
        return ATTACKS["direction"](looks, now) if now < 12.0 else looks

    states, monitor = watch(jammed, seconds=46.0)
    order = [int(state) for index, state in enumerate(states) if index == 0 or state is not states[index - 1]]
    assert order[-3:] == [SpoofState.SPOOF, SpoofState.SUSPECT, SpoofState.TRUSTED]
    held = [index / 10.0 for index, state in enumerate(states) if state is SpoofState.SPOOF]
    assert held[-1] - 12.0 >= SPOOFING.release_time - 0.2
    assert [one.payload["to"] for one in monitor.take_occurrences()][-2:] == ["SUSPECT", "TRUSTED"]


def both(seed, seconds, *, proven):
    """A friend at 60 m, and from 5 s on a clone of its id at 400 m; states of both at the end."""
    rng, monitor, states = np.random.default_rng(seed), SpoofMonitor(VEHICLE), []
    places = [(60.0, 0.0, 0.0), (0.0, 400.0, 0.0)]
    for number in range(round(seconds * 10)):
        now = number / 10.0
        looks = truthful(
            rng, places, np.zeros((2, 3)), now, names=[FRIEND] * 2, verified=False, strength=np.full(2, math.nan)
        )
        looks = dataclasses.replace(looks, verified=np.array((proven, False)))
        monitor.observe(now, looks if now >= 5.0 else looks.pick([0]), AT_ORIGIN)
        states.append((monitor.state(1, FRIEND), monitor.state(2, FRIEND)))
    return states


@pytest.mark.requirement("XPDR-37")
def test_the_clone_of_a_proven_id_falls_within_two_seconds_and_the_friend_stays_trusted():
    states = both(3, 7.0, proven=True)
    assert {one for one, _ in states} == {SpoofState.TRUSTED}
    assert states[-1][1] is SpoofState.SPOOF


@pytest.mark.requirement("XPDR-37")
def test_of_two_unproven_rivals_both_are_suspect_and_neither_more():
    assert both(3, 20.0, proven=False)[-1] == (SpoofState.SUSPECT, SpoofState.SUSPECT)


@pytest.mark.requirement("XPDR-37")
def test_a_track_that_changes_its_id():
    rng, monitor = np.random.default_rng(5), SpoofMonitor(VEHICLE)
    for number in range(100):
        now = number / 10.0
        names = [FRIEND] if now < 5.0 or number % 2 else ["ALLY-ABCDEF"]
        looks = truthful(rng, PLACE, STILL, now, names=names, verified=names == [FRIEND])
        monitor.observe(now, looks, AT_ORIGIN)
    assert monitor.state(1, "ALLY-ABCDEF") is SpoofState.SPOOF
    assert monitor.state(1, FRIEND) is SpoofState.TRUSTED


@pytest.mark.requirement("XPDR-38")
def test_two_ids_that_change_places_fall_both():
    rng, monitor = np.random.default_rng(6), SpoofMonitor(VEHICLE)
    for number in range(70):
        now = number / 10.0
        looks = truthful(rng, [(300.0, 0.0, 0.0), (300.0, 40.0, 0.0)], np.zeros((2, 3)), now)
        if now >= 5.0:
            looks = dataclasses.replace(looks, position=looks.position[::-1], velocity=looks.velocity[::-1])
        monitor.observe(now, looks, AT_ORIGIN)
    assert set(monitor.states.values()) == {SpoofState.SPOOF}


@pytest.mark.requirement("XPDR-38")
def test_one_reply_put_to_the_wrong_track_is_no_spoof():
    rng, monitor = np.random.default_rng(7), SpoofMonitor(VEHICLE)
    for number in range(100):
        now = number / 10.0
        looks = truthful(rng, [(300.0, 0.0, 0.0), (300.0, 40.0, 0.0)], np.zeros((2, 3)), now)
        if number in (50, 51):
            looks = dataclasses.replace(looks, identity=looks.identity[::-1], position=looks.position[::-1])
        monitor.observe(now, looks, AT_ORIGIN)
    assert SpoofState.SPOOF not in monitor.states.values()
    assert monitor.state(1, FRIEND) is SpoofState.TRUSTED


@pytest.mark.requirement("XPDR-33")
def test_pairs_without_a_track_give_way_to_tracks():
    rng, monitor, most = np.random.default_rng(9), SpoofMonitor(VEHICLE), SPOOFING.pairs_max
    places = rng.uniform(-900.0, 900.0, (most, 3))
    names = [f"X-{n}" for n in range(most)]
    monitor.observe(0.0, truthful(rng, places, 0.0 * places, 0.0, names=names, tracks=np.full(most, -1)), AT_ORIGIN)
    assert (len(monitor), monitor.refused) == (most, 0)
    monitor.observe(0.1, truthful(rng, places[:10], 0.0 * places[:10], 0.1), AT_ORIGIN)
    assert (len(monitor), monitor.refused) == (most, 0)
    assert sum(track >= 0 for track, _ in monitor.states) == 10
    more = [f"Y-{n}" for n in range(5)]
    monitor.observe(0.2, truthful(rng, places[:5], 0.0 * places[:5], 0.2, names=more, tracks=np.full(5, -1)), AT_ORIGIN)
    assert (len(monitor), monitor.refused) == (most, 5)
    tracks = np.arange(most + 20)
    places = rng.uniform(-900.0, 900.0, (most + 20, 3))
    monitor.observe(0.3, truthful(rng, places, 0.0 * places, 0.3, tracks=100 + tracks), AT_ORIGIN)
    assert len(monitor) == most
    assert all(track >= 0 for track, _ in monitor.states)


numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(st.lists(numbers, min_size=15, max_size=15), min_size=1, max_size=8))
def test_garbage_of_numbers_raises_nothing_and_is_forgotten(rows):
    rng, monitor = np.random.default_rng(1), SpoofMonitor(VEHICLE)
    for number, row in enumerate(rows):
        with np.errstate(all="ignore"):
            looks = truthful(rng, PLACE, STILL, number / 10.0)
            given_up = {
                "measured": np.array([row[:4]]),
                "position": np.array([row[4:7]]),
                "velocity": np.array([row[7:10]]),
                "arrival": np.array([row[10:12]]),
                "round_trip": np.array(row[12:13]),
                "strength": np.array(row[13:14]),
                "time": np.array(row[14:15]),
            }
            monitor.observe(number / 10.0, dataclasses.replace(looks, **given_up), AT_ORIGIN)
    assert np.isfinite(monitor.score()).all()


def test_looks_of_other_sizes_and_a_pair_named_twice_are_refused():
    looks = truthful(np.random.default_rng(1), [PLACE, PLACE], np.zeros((2, 3)), 0.0, names=[FRIEND] * 2, tracks=[1, 1])
    with pytest.raises(ValueError, match="named twice"):
        SpoofMonitor(VEHICLE).observe(0.0, looks, AT_ORIGIN)
    with pytest.raises(ValueError, match="allowed: one size"):
        dataclasses.replace(looks, time=np.zeros(3))
