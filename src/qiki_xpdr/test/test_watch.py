"""All cores together: a friend and its clone, ghosts, plain ids, garbage."""

import math

import numpy as np
import pytest
from air import VEHICLE, friend, keys, observer
from hypothesis import given
from hypothesis import strategies as st
from sky import frame
from test_guard import RULES

from qiki_xpdr import Allegiance, GuardTable, Mode, Motion, Reception, SpoofState, Transponder, Watch
from qiki_xpdr.channels import free_space_loss
from qiki_xpdr.geometry import AT_ORIGIN, Lines, spherical
from qiki_xpdr.watch import fair

FRIEND = keys("friend").identity
RADIO = VEHICLE.radio


class Scene:
    """Bodies on straight courses with transponders, seen and received by one watch at rest."""

    def __init__(self, seed=1, **options):
        self.rng = np.random.default_rng(seed)
        self.watch = Watch(VEHICLE, observer(**options), GuardTable(RULES))
        self.now, self.number, self.alerts = 100.0, 0, []

    def run(self, seconds, bodies, *, ghosts=(), each=None):
        """`bodies`: (place, velocity, transponder or None); places at 100 s."""
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            places = np.array([np.array(p) + (self.now - 100.0) * np.array(v) for p, v, _ in bodies]).reshape(-1, 3)
            velocities = np.array([v for _, v, _ in bodies], dtype=float).reshape(-1, 3)
            rows, _ = frame(self.rng, places, velocities, clutter=VEHICLE.radar.clutter)
            receptions = []
            for place, velocity, (_, _, xpdr) in zip(places, velocities, bodies, strict=True):
                if xpdr is not None:
                    receptions += self.heard(xpdr.frames(Motion(tuple(place), tuple(velocity)), self.now), place)
            for place, origin, xpdr in ghosts:
                receptions += self.heard(xpdr.frames(Motion(place, (0.0, 0.0, 0.0)), self.now), origin)
            if each is not None:
                receptions = each(receptions)
            self.last = self.watch.frame(self.now, rows, AT_ORIGIN, receptions)
            self.alerts += [(alert.rule, alert.track, self.now) for alert in self.last.alerts]
        return self.last

    def heard(self, frames, origin):
        """Receptions of frames that are sent from a place."""
        lines = Lines.to(np.array([origin], dtype=float), np.zeros((1, 3)), AT_ORIGIN)
        noise = self.rng.normal(size=2) * RADIO.direction
        signal = lines.sight[0] + noise[0] * lines.east[0] + noise[1] * lines.up[0]
        distance = float(lines.range[0])
        made = []
        for content in frames:
            self.number += 1
            _, bearing, elevation = spherical(signal)
            loss = float(free_space_loss(np.array(distance), RADIO.frequency))
            strength = VEHICLE.transponder.eirp - loss + self.rng.normal() * RADIO.strength
            made.append(Reception(self.number, content, float(bearing), float(elevation), math.nan, strength))
        return made

    def at(self, place):
        """Track nearest to a place, and its identity."""
        picture = self.last.picture
        held = np.isin(picture.status, (2, 4))
        number = int(picture.number[held][np.linalg.norm(picture.state[held, :3] - place, axis=1).argmin()])
        return number, self.last.identified.get(number)


@pytest.mark.requirement("XPDR-50")
@pytest.mark.parametrize("seed", [1, 2])
def test_a_friend_passes_and_its_clone_falls_within_two_seconds(seed):
    scene = Scene(seed)
    passing = ((-20.0, 60.0, 5.0), (2.0, 0.0, 0.0), friend())
    scene.run(6.0, [passing])
    number, known = scene.at((-8.0, 60.0, 5.0))
    assert (known.identity, known.standing.result) == (FRIEND, Allegiance.FRIEND)
    assert known.spoof is SpoofState.TRUSTED
    raised = [rule for rule, _, _ in scene.alerts if rule != "UNKNOWN_CONTACT_CLOSE"]
    early = [now for _, _, now in scene.alerts]
    assert raised == []
    # Until its first manifest it is an unknown contact, and close.
    assert all(now < 102.0 for now in early)
    intruder = ((0.0, -400.0, 20.0), (0.0, 0.0, 0.0), None)
    scene.run(2.0, [passing, intruder])
    clone = Transponder(VEHICLE.transponder, FRIEND, mode=Mode.ON)
    begun = scene.now
    scene.run(2.0, [passing, (*intruder[:2], clone)])
    clone_track, fallen = scene.at((0.0, -400.0, 20.0))
    assert (fallen.identity, fallen.spoof) == (FRIEND, SpoofState.SPOOF)
    assert fallen.standing.result is Allegiance.FOE
    assert fallen.evidence
    assert [(rule, track) for rule, track, now in scene.alerts if now > begun] == [("SPOOFING_DETECTED", clone_track)]
    kinds = [one.type for one in scene.watch.take_occurrences()]
    assert {"track.confirmed", "spoof.state_changed", "guard.alert_raised"} <= set(kinds)
    again, known = scene.at((0.0, 60.0, 5.0))
    assert (again, known.standing.result, known.spoof) == (number, Allegiance.FRIEND, SpoofState.TRUSTED)


@pytest.mark.requirement("XPDR-51")
def test_a_ghost_without_a_return_is_a_spoof_of_no_track():
    scene = Scene(3)
    ghost = Transponder(VEHICLE.transponder, "SHIP-9", mode=Mode.ON)
    scene.run(
        2.0, [((300.0, 0.0, 0.0), (0.0, 0.0, 0.0), None)], ghosts=[((0.0, 250.0, 40.0), (0.0, 250.0, 40.0), ghost)]
    )
    assert scene.watch.monitor.state(-1, "SHIP-9") is SpoofState.SPOOF
    assert "no_return" in [one.channel for one in scene.watch.monitor.evidence(-1, "SHIP-9")]
    assert [known.identity for known in scene.last.identified.values()] == []


@pytest.mark.requirement("XPDR-51")
def test_a_plain_id_stays_unverified_and_a_silent_friend_becomes_it():
    scene, xpdr = Scene(4), friend()
    plain = Transponder(VEHICLE.transponder, "SHIP-7", mode=Mode.ON)
    bodies = [((300.0, 0.0, 0.0), (0.0, 1.0, 0.0), plain), ((0.0, 300.0, 30.0), (1.0, 0.0, 0.0), xpdr)]
    scene.run(5.0, bodies)
    _, known = scene.at((300.0, 5.0, 0.0))
    assert (known.standing.result, known.spoof) == (Allegiance.UNKNOWN, SpoofState.UNVERIFIED)
    _, known = scene.at((5.0, 300.0, 30.0))
    assert (known.standing.result, known.spoof) == (Allegiance.FRIEND, SpoofState.TRUSTED)
    xpdr.set_mode(Mode.SILENT, "operator", "emission control", scene.now)
    scene.run(6.0, bodies)
    number, known = scene.at((11.0, 300.0, 30.0))
    assert known is None
    assert scene.watch.monitor.state(number, FRIEND) is SpoofState.UNVERIFIED
    assert scene.alerts == []


@pytest.mark.requirement("XPDR-52")
def test_ten_thousand_replies_are_shed_and_the_track_stays():
    scene, xpdr = Scene(5), friend()
    body = [((0.0, 300.0, 30.0), (1.0, 0.0, 0.0), xpdr)]
    scene.run(3.0, body)

    def flooded(receptions):
        junk = Reception(0, b"QX\x01\x01" + bytes(85), 1.0, 0.5, math.nan, -50.0)
        return [*[junk] * 10_000, *receptions]

    scene.run(0.3, body, each=flooded)
    assert scene.watch.refused["shed"] >= 3 * (10_000 - VEHICLE.iff.receptions_per_frame)
    _, known = scene.at((3.0, 300.0, 30.0))
    assert known.standing.result is Allegiance.FRIEND


@pytest.mark.requirement("XPDR-52")
@given(st.lists(st.integers(0, 4), max_size=60), st.integers(1, 30))
def test_arrivals_are_shed_by_turns_over_directions(cells, most):
    kept = fair(np.array([(0.3 * cell + 0.01, 0.1, math.nan) for cell in cells]).reshape(-1, 3), most)
    assert len(kept) == min(len(cells), most)
    assert sorted(set(kept.tolist())) == kept.tolist()
    counts = [sum(cells[row] == cell for row in kept) for cell in set(cells)]
    whole = [cells.count(cell) for cell in set(cells)]
    assert all(count == full or count >= max(counts) - 1 for count, full in zip(counts, whole, strict=True))


wild = st.floats(allow_nan=True, allow_infinity=True)


@pytest.mark.requirement("XPDR-52")
@given(
    st.lists(st.lists(wild, min_size=5, max_size=5), max_size=6),
    st.lists(st.tuples(wild, wild, wild, wild), max_size=6),
)
def test_garbage_of_detections_and_receptions_raises_nothing(rows, signals):
    scene = Scene(6)
    frames = friend().frames(Motion((0.0, 300.0, 0.0), (0.0, 0.0, 0.0)), 1.0)
    for number in range(3):
        receptions = [Reception(n, frames[0][: 40 * n + 9], *signal) for n, signal in enumerate(signals)]
        with np.errstate(all="ignore"):
            made = scene.watch.frame(1.0 + number, np.array(rows).reshape(-1, 5), AT_ORIGIN, receptions)
        assert np.isfinite(made.picture.state).all()
    assert scene.watch.frame(math.nan, np.zeros((0, 5)), AT_ORIGIN).alerts == ()
