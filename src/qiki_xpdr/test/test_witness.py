"""A second witness: ghosts fall by it, honest bodies do not, and a bad witness does no harm."""

import math
from dataclasses import replace

import numpy as np
import pytest
from air import GROUP, VEHICLE, friend, keys, ring
from hypothesis import given
from hypothesis import strategies as st
from sky import frame
from test_guard import RULES

from qiki_vehicle import quaternion
from qiki_vehicle.keys import key_id
from qiki_xpdr import (
    Allegiance,
    GroupKeys,
    GuardTable,
    Iff,
    Mode,
    Motion,
    Reason,
    Reception,
    SpoofState,
    Transponder,
    Watch,
)
from qiki_xpdr.change import Fault
from qiki_xpdr.channels import free_space_loss
from qiki_xpdr.frames import Claim
from qiki_xpdr.geometry import Lines, Own, spherical, unit
from qiki_xpdr.returns import View
from qiki_xpdr.ros.witness import sighting_message, sighting_of
from qiki_xpdr.witness import Heard, Returned, Sighting, contradicts, sightings

ALPHA, BRAVO, FRIEND = keys("alpha"), keys("bravo"), keys("friend")
HERE, THERE = np.zeros(3), np.array((400.0, 200.0, 0.0))
PLACE, BEYOND = (0.0, 200.0, 0.0), (0.0, 300.0, 0.0)
REST = (0.0, 0.0, 0.0)
KEY = GROUP.keys[0]
OTHER = GroupKeys.model_validate({"keys": [{"secret": "22" * 32}]}).keys[0]


class Post:
    """A bot at rest, with its watch."""

    def __init__(self, own, place, rng, **options):
        self.identity, self.rng, self.number = own.identity, rng, 0
        self.own = Own(place, np.zeros(3), np.eye(3))
        self.watch = Watch(
            VEHICLE, Iff(VEHICLE.iff, own.identity, ring(ALPHA, BRAVO, FRIEND, **options), GROUP), GuardTable(RULES)
        )

    def receive(self, content, origin, gain=0.0):
        """A reception from a place, `gain` dB stronger than there."""
        lines = Lines.to(np.array([origin], dtype=float), np.zeros((1, 3)), self.own)
        noise = self.rng.normal(size=2) * VEHICLE.radio.direction
        signal = lines.sight[0] + noise[0] * lines.east[0] + noise[1] * lines.up[0]
        _, bearing, elevation = spherical(signal)
        loss = float(free_space_loss(lines.range, VEHICLE.radio.frequency)[0])
        strength = VEHICLE.transponder.eirp - loss + gain + self.rng.normal() * VEHICLE.radio.strength
        self.number += 1
        return Reception(self.number, content, float(bearing), float(elevation), math.nan, strength)

    def cycle(self, now, places, receptions):
        places = np.array(places, dtype=float).reshape(-1, 3)
        rows, _ = frame(self.rng, places, np.zeros_like(places), own=self.own, clutter=VEHICLE.radar.clutter)
        self.last = self.watch.frame(now, rows, self.own, receptions)
        return self.last


class Sky:
    """Alpha and bravo; a body claims PLACE. A ghost transmits from BEYOND, and alpha's radar is shown a phantom."""

    def __init__(self, xpdr, seed=1, *, ghost=False, **options):
        rng = np.random.default_rng(seed)
        self.here, self.there = Post(ALPHA, HERE, rng, **options), Post(BRAVO, THERE, rng)
        self.xpdr, self.ghost, self.now, self.alerts = xpdr, ghost, 100.0, []

    def run(self, seconds, *, bad=lambda made: made):
        """`bad` changes bravo's sightings on their way."""
        gain = 20.0 * math.log10(BEYOND[1] / PLACE[1]) if self.ghost else 0.0
        origin, seen = (BEYOND, []) if self.ghost else (PLACE, [PLACE])
        for _ in range(round(seconds * 10)):
            self.now = round(self.now + 0.1, 6)
            frames = self.xpdr.frames(Motion(PLACE, REST), self.now)
            there = self.there.cycle(self.now, seen, [self.there.receive(one, origin) for one in frames])
            made = sightings(there.heard, there.view, VEHICLE, identity=BRAVO.identity, key=KEY)
            for one in bad(made):
                self.here.watch.witnesses.take(one, self.now)
            last = self.here.cycle(self.now, [PLACE], [self.here.receive(one, origin, gain) for one in frames])
            self.alerts += [alert.rule for alert in last.alerts]
        return self

    @property
    def known(self):
        """Identity of alpha's track at PLACE."""
        picture = self.here.last.picture
        held = np.isin(picture.status, (2, 4))
        near = np.linalg.norm(picture.state[held, :3] - PLACE, axis=1).argmin()
        return self.here.last.identified[int(picture.number[held][near])]


def plain():
    return Transponder(VEHICLE.transponder, "SHIP-7", mode=Mode.ON)


def denying(made):
    return [replace(one, returned=Returned.EMPTY, direction=(0.0, 0.0, 1.0)).proven(KEY) for one in made]


@pytest.mark.requirement("XPDR-70")
@pytest.mark.parametrize("seed", [1, 2])
def test_a_ghost_with_a_phantom_return_falls_by_the_witness_alone(seed):
    alone = Sky(plain(), seed, ghost=True).run(3.0, bad=lambda _: [])
    assert (alone.known.identity, alone.known.spoof) == ("SHIP-7", SpoofState.UNVERIFIED)
    sky = Sky(plain(), seed, ghost=True).run(3.0)
    assert sky.known.spoof is SpoofState.SPOOF
    assert sky.known.standing.result is Allegiance.FOE
    assert [one.channel for one in sky.known.evidence] == ["witness"]
    assert "SPOOFING_DETECTED" in sky.alerts


@pytest.mark.requirement("XPDR-70")
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("xpdr", "state"), [(plain, SpoofState.UNVERIFIED), (friend, SpoofState.TRUSTED)])
def test_an_honest_body_that_both_see_never_falls(seed, xpdr, state):
    sky = Sky(xpdr(), seed).run(5.0)
    assert sky.known.spoof is state
    assert sky.known.evidence == ()
    assert "SPOOFING_DETECTED" not in sky.alerts
    assert sky.here.watch.witnesses.refused.total() == 0


@pytest.mark.requirement("XPDR-71")
def test_the_word_of_a_liar_takes_no_friend_down_and_a_second_witness_outweighs_it():
    sky = Sky(friend()).run(4.0, bad=denying)
    assert "SPOOFING_DETECTED" not in sky.alerts
    assert (sky.known.spoof, sky.known.standing.result) == (SpoofState.TRUSTED, Allegiance.FRIEND)
    sky = Sky(plain()).run(
        5.0, bad=lambda made: [*denying(made), *(replace(one, identity=FRIEND.identity).proven(KEY) for one in made)]
    )
    assert sky.known.spoof is SpoofState.UNVERIFIED
    # Its documented weight: an unproven id, with no other witness.
    assert Sky(plain()).run(5.0, bad=denying).known.spoof is SpoofState.SPOOF


@pytest.mark.requirement("XPDR-71")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda one: replace(one, proof=b""), Reason.SIGNATURE),
        (lambda one: replace(one, proof=bytes(32)), Reason.SIGNATURE),
        (lambda one: replace(one, returned=Returned.EMPTY), Reason.SIGNATURE),
        (lambda one: replace(one, position=(0.0, 0.0, 1.0)), Reason.SIGNATURE),
        (lambda one: replace(one, direction=(0.0, 0.0, 1.0)), Reason.SIGNATURE),
        (lambda one: replace(one, claim=bytes(16)), Reason.SIGNATURE),
        (lambda one: replace(one, claimed="SHIP-8"), Reason.SIGNATURE),
        (lambda one: replace(one, identity=FRIEND.identity), Reason.SIGNATURE),
        (lambda one: replace(one, time=one.time + 1), Reason.SIGNATURE),
        (lambda one: replace(one, key=bytes(8)), Reason.KEY_UNKNOWN),
        (lambda one: one.proven(OTHER), Reason.KEY_UNKNOWN),
        (lambda one: replace(one, identity="SHIP-9").proven(KEY), Reason.KEY_UNKNOWN),
        (lambda one: replace(one, claimed=one.identity).proven(KEY), Reason.ID_NOT_BOUND),
        (lambda one: replace(one, time=one.time - 2_000_000_000).proven(KEY), Reason.STALE),
        (lambda one: replace(one, time=one.time + 2_000_000_000).proven(KEY), Reason.FUTURE),
        (lambda one: replace(one, position=(math.nan, 0.0, 0.0)).proven(KEY), Reason.MALFORMED),
        (lambda one: replace(one, direction_sigma=-1.0).proven(KEY), Reason.MALFORMED),
        (lambda one: replace(one, identity=ALPHA.identity).proven(KEY), Reason.OWN_ID),
    ],
)
def test_a_sighting_that_is_not_proven_or_cannot_be_does_not_count(change, reason):
    sky = Sky(plain())
    (one,) = made(sky.there, sky.xpdr.frames(Motion(PLACE, REST), 100.0)[0])
    witnesses = sky.here.watch.witnesses
    assert witnesses.take(one, 100.0) is Reason.GROUP_ANSWER
    assert witnesses.take(change(one), 100.0) is reason
    assert witnesses.refused.total() == (reason is not Reason.OWN_ID)


@pytest.mark.requirement("XPDR-71")
def test_a_member_whose_keys_are_revoked_and_a_group_without_keys_count_for_nothing():
    sky = Sky(plain(), revoked=[key_id(BRAVO.public(0).raw).hex()])
    (one,) = made(sky.there, sky.xpdr.frames(Motion(PLACE, REST), 100.0)[0])
    assert sky.here.watch.witnesses.take(one, 100.0) is Reason.KEY_REVOKED
    without = Iff(VEHICLE.iff, ALPHA.identity, ring(BRAVO))
    assert without.member(one, 100.0) is Reason.KEY_UNKNOWN


def made(post, content):
    """Bravo's sightings of one frame from PLACE."""
    return sightings(
        post.cycle(100.0, [PLACE], [post.receive(content, PLACE)]).heard,
        post.last.view,
        VEHICLE,
        identity=BRAVO.identity,
        key=KEY,
    )


@pytest.mark.requirement("XPDR-71")
@given(st.integers(-2, 8), st.integers(1, 5), st.booleans())
def test_each_witness_counts_once_for_a_claim_whenever_it_comes(delay, copies, wrong):
    """`delay`: frames of 0.1 s from the own reception, before it if negative."""
    sky = Sky(plain())
    content = sky.xpdr.frames(Motion(PLACE, REST), 100.0)[0]
    (one,) = made(sky.there, content)
    one = (denying if wrong else list)([one])[0]
    claim = sky.there.last.heard[0].claim
    witnesses, pair = sky.here.watch.witnesses, (4, "SHIP-7")
    found = []
    for step in range(-2, 12):
        now = 100.0 + 0.1 * step
        if step == delay:
            for _ in range(copies):
                witnesses.take(one, now)
        if step == 0:
            witnesses.heard([Heard(4, claim, content, np.full(3, math.nan))], now)
        found += witnesses.verdicts({pair}, now).items()
        assert witnesses.verdicts({(5, "SHIP-7")}, now) == {}
    assert found == [(pair, float(wrong))]


@pytest.mark.requirement("XPDR-72")
def test_faults_of_honest_claims_are_as_rare_as_the_weights_say():
    """Errors of both positions, of attitude, direction and radar; all as large as they are stated."""
    rng = np.random.default_rng(7)
    weight, count, faults, blur, turn = VEHICLE.spoofing.faults.witness, 1000, 0, 3.0, 0.05
    post = Post(BRAVO, THERE, rng)
    for _ in range(count):
        place = rng.uniform(-1.0, 1.0, 3) * 300.0 + (0.0, 0.0, 400.0)
        claimed = place + rng.normal(size=3) * VEHICLE.spoofing.claim_position
        claim = Claim("SHIP-7", 100_000_000_000, 1, 1, tuple(claimed), REST)
        rows, _ = frame(rng, [place], [REST], own=post.own, clutter=VEHICLE.radar.clutter)
        one = post.receive(claim.encode(), place)
        axes = quaternion.matrix(quaternion.from_rotation_vector(rng.normal(size=3) * turn))
        arrival = axes @ unit(np.array(one.bearing), np.array(one.elevation))
        moved = Own(THERE + rng.normal(size=3) * blur, np.zeros(3), axes)
        view = replace(View.of(100.0, moved, rows), position=blur, turn=turn)
        (seen,) = sightings([Heard(4, claim, one.frame, arrival)], view, VEHICLE, identity=BRAVO.identity, key=KEY)
        faults += contradicts(seen, claim, VEHICLE)
    assert 0.0 < faults / count < weight.honest
    # So many faults over 5 000 trials of 60 s reach no threshold.
    threshold = math.log(VEHICLE.spoofing.arl / weight.share)
    test = Fault(weight.honest, weight.forged, 1.25 * threshold, weight.cap * threshold, 5000)
    largest = 0.0
    for _ in range(600):
        test.look(np.arange(5000), (rng.random(5000) < 0.11).astype(float))
        largest = max(largest, float(test.statistic.max()))
    assert largest < threshold


@pytest.mark.requirement("XPDR-72")
def test_a_witness_too_near_or_too_uncertain_says_nothing():
    sky = Sky(plain())
    (one,) = made(sky.there, sky.xpdr.frames(Motion(PLACE, REST), 100.0)[0])
    claim = sky.there.last.heard[0].claim
    unseen = replace(one, returned=Returned.UNKNOWN)
    assert contradicts(unseen, claim, VEHICLE) == 0.0
    for vague in (
        replace(unseen, direction=(math.nan,) * 3),
        replace(unseen, direction=(0.0, 0.0, 0.0)),
        replace(unseen, direction_sigma=1.0),
        replace(unseen, position_sigma=500.0),
        replace(unseen, position=PLACE),
        replace(one, direction=(math.nan,) * 3, position=(9e5, 0.0, 0.0), returned=Returned.EMPTY),
    ):
        assert math.isnan(contradicts(vague, claim, VEHICLE))
    with pytest.raises(ValueError, match="allowed"):
        Sighting(**{**vars(one), "claimed": "ship"})


names = st.from_regex(r"[A-Z0-9][A-Z0-9_-]{0,15}", fullmatch=True)
number = st.floats(-1e9, 1e9)
triples = st.tuples(number, number, number)


@pytest.mark.requirement("XPDR-62")
@given(
    st.builds(
        Sighting,
        identity=names,
        claimed=names,
        claim=st.binary(min_size=16, max_size=16),
        time=st.integers(0, 2**31 * 10**9 - 1),
        position=triples,
        position_sigma=number,
        direction=triples,
        direction_sigma=number,
        returned=st.sampled_from(Returned),
    )
)
def test_a_sighting_passes_its_message_without_loss(one):
    proven = one.proven(KEY)
    again = sighting_of(sighting_message(proven))
    assert again == proven
    assert again.content == proven.content
