"""Identification: a friend is verified, and no replayed, altered, cut or borrowed message is."""

import pytest
from air import AT_REST, GROUP, VEHICLE, Ear, friend, keys, listen, observer, ring, timed
from hypothesis import given
from hypothesis import strategies as st

from qiki_vehicle.keys import key_id
from qiki_xpdr import Allegiance, Iff, Mode, Motion, Reason, SpoofState, Transponder
from qiki_xpdr.checks import CheckQueue
from qiki_xpdr.frames import HMAC, SIGNATURE, Claim, Manifest, decode, digest

FRIEND = keys("friend").identity


@pytest.mark.requirement("XPDR-5")
def test_a_friend_is_verified_within_a_second_and_stays_it():
    ear, xpdr = Ear(observer()), friend()
    listen(xpdr, ear, 100.0, 1.0)
    assert ear.iff.standing(1, FRIEND, 101.0).result is Allegiance.UNKNOWN
    end = listen(xpdr, ear, 101.0, 10.0)
    assert set(ear.reasons()) == {Reason.MANIFEST}
    assert ear.iff.standing(1, FRIEND, end).result is Allegiance.FRIEND
    assert ear.iff.standing(2, FRIEND, end).result is Allegiance.UNKNOWN  # elsewhere it proves nothing
    assert ear.iff.standing(1, FRIEND, end, SpoofState.SPOOF).result is Allegiance.FOE
    assert ear.iff.standing(1, FRIEND, end + 4.0).result is Allegiance.UNKNOWN


@pytest.mark.requirement("XPDR-5")
def test_a_plain_id_is_shown_as_unverified():
    ear = Ear(observer())
    end = listen(Transponder(VEHICLE.transponder, "SHIP-7", mode=Mode.ON), ear, 0.0, 6.0)
    assert set(ear.reasons()) == {Reason.UNSIGNED}
    standing = ear.iff.standing(1, "SHIP-7", end)
    assert (standing.result, standing.reason) == (Allegiance.UNKNOWN, Reason.UNSIGNED)


@pytest.mark.requirement("XPDR-6")
@given(st.integers(0, 10**9), st.integers(0, 7), st.sampled_from(("claim", "manifest")))
def test_an_altered_message_is_never_verified(at, bit, kind):
    ear = Ear(observer())

    def change(frames):
        altered = []
        for frame in frames:
            if isinstance(decode(frame), Manifest if kind == "manifest" else Claim):
                place = at % len(frame)
                altered.append(frame[:place] + bytes([frame[place] ^ 1 << bit]) + frame[place + 1 :])
            else:
                altered.append(frame)
        return altered

    end = listen(friend(), ear, 100.0, 4.2, change=change)
    assert Reason.MANIFEST not in ear.reasons()
    assert ear.iff.standing(1, FRIEND, end).result is not Allegiance.FRIEND


@pytest.mark.requirement("XPDR-6")
@given(st.floats(0.0, 60.0), st.booleans())
def test_a_replayed_message_is_never_verified(delay, genuine):
    """From another source, with and without the friend on the air."""
    ear, xpdr, ghost = Ear(observer()), friend(), []
    for step in range(30):
        now = 100.0 + step / 10
        frames = xpdr.frames(AT_REST, now)
        ghost.append((now + delay, frames))
        if genuine:
            ear.take(frames, now, source=1)
            ear.check(now)
            ear.take([one for at, late in ghost if abs(at - now) < 0.05 for one in late], now, source=2)
    for at, frames in ghost:
        if at > 102.95 or not genuine:
            ear.take(frames, at, source=2)
            ear.check(at)
    late = delay > VEHICLE.iff.claim_age + VEHICLE.iff.skew
    if genuine or late:
        assert not [one for one in ear.reasons(2) if one.verified]
        assert ear.iff.standing(2, FRIEND, 103.0 + delay).result is not Allegiance.FRIEND
    if late:
        assert {Reason.STALE} <= set(ear.reasons(2)) <= {Reason.STALE, Reason.REPLAY, Reason.UNMATCHED}


@pytest.mark.requirement("XPDR-6")
def test_a_clone_without_the_key_is_unlisted_and_the_friend_keeps_its_standing():
    ear, xpdr = Ear(observer()), friend()
    clone = Transponder(VEHICLE.transponder, FRIEND, mode=Mode.ON)
    for step in range(40):
        now = 100.0 + step / 10
        ear.take(xpdr.frames(AT_REST, now), now, source=1)
        clone_motion = Motion((0.0, 400.0, 0.0), (0.0, 0.0, 0.0))
        ear.take(clone.frames(clone_motion, now), now, source=2)
        ear.check(now)
    assert set(ear.reasons(1)) == {Reason.MANIFEST}
    assert set(ear.reasons(2)) == {Reason.UNLISTED}
    assert ear.iff.standing(1, FRIEND, 104.0).result is Allegiance.FRIEND
    assert ear.iff.standing(2, FRIEND, 104.0).reason is Reason.UNLISTED


@pytest.mark.requirement("XPDR-6")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("unknown", Reason.KEY_UNKNOWN),
        ("other id", Reason.ID_NOT_BOUND),
        ("revoked", Reason.KEY_REVOKED),
        ("expired", Reason.KEY_OUT_OF_TIME),
        ("not yet", Reason.KEY_OUT_OF_TIME),
        ("other content", Reason.SIGNATURE),
        ("late", Reason.STALE),
        ("early", Reason.FUTURE),
        ("no message", Reason.UNMATCHED),
        ("broken chain", Reason.CHAIN_BROKEN),
        ("long life", Reason.LIFE),
    ],
)
def test_each_reason(name, reason):
    own, wrong = keys("friend"), keys("wrong")
    members, revoked = [own], []
    if name == "other id":
        members.append(wrong)
    if name == "revoked":
        revoked = [key_id(own.public(0).raw).hex()]
    if name in ("expired", "not yet"):
        spans = {"expired": (0.0, 90.0), "not yet": (200.0, 300.0)}
        public = own.public(0).model_dump() | dict(zip(("valid_from", "valid_until"), spans[name], strict=True))
        members = []
    iff = Iff(VEHICLE.iff, "ALLY-000000", ring(*members, revoked=revoked), GROUP)
    if not members:
        iff.use(type(ring()).model_validate({"members": {own.identity: [public]}}))
    ear = Ear(iff)

    def change(frames):
        changed = []
        for frame in frames:
            one = decode(frame)
            if name == "no message" and isinstance(one, Claim):
                continue
            if isinstance(one, Manifest):
                fields, signer = dict(vars(one)), own
                if name in ("unknown", "other id"):
                    fields["key"], signer = key_id(wrong.public(0).raw), wrong
                if name in ("late", "early"):
                    shift = {"late": -60, "early": 60}[name] * 10**9
                    fields |= {n: fields[n] + shift for n in ("covers_from", "valid_from", "valid_until")}
                if name == "broken chain":
                    fields["previous"] = b"x" * 16
                if name == "long life":
                    fields["valid_until"] += 100 * 10**9
                made = Manifest(**fields)
                signature = bytes(64) if name == "other content" else signer.sign(0, made.content)
                changed.append(made.signed(signature).encode())
            else:
                changed.append(frame)
        return changed

    end = listen(friend(own), ear, 100.0, 3.2, change=change)
    assert ear.iff.refusals[reason] >= 1
    assert reason in ear.reasons()
    if name != "broken chain":  # whose first manifest follows on none
        assert ear.iff.standing(1, own.identity, end).result is Allegiance.UNKNOWN
        assert not [one for one in ear.reasons() if one.verified]
    assert reason.meaning


@pytest.mark.requirement("XPDR-6")
def test_the_own_id_from_outside_is_a_forgery():
    ear = Ear(Iff(VEHICLE.iff, FRIEND, ring(keys("friend")), GROUP))
    end = listen(friend(), ear, 100.0, 2.2)
    assert set(ear.reasons()) == {Reason.OWN_ID}
    assert ear.iff.standing(1, FRIEND, end).result is Allegiance.UNKNOWN


@pytest.mark.requirement("XPDR-7")
def test_rotation_with_overlap_and_revocation():
    own = timed("turning", (0.0, 104.0), (102.0, 200.0))
    ear, xpdr = Ear(observer(own)), friend(own)
    end = listen(xpdr, ear, 100.0, 8.0)
    assert set(ear.reasons()) == {Reason.MANIFEST}
    used = key_id(own.public(1).raw).hex()
    ear.iff.use(ring(own, revoked=[used]))
    standing = ear.iff.standing(1, own.identity, end)
    assert (standing.result, standing.reason) == (Allegiance.UNKNOWN, Reason.KEY_REVOKED)
    end = listen(xpdr, ear, end, 3.0)
    assert ear.iff.refusals[Reason.KEY_REVOKED] >= 2
    assert ear.iff.standing(1, own.identity, end).result is Allegiance.UNKNOWN


@pytest.mark.requirement("XPDR-8")
@pytest.mark.parametrize(("method", "good"), [(HMAC, Reason.GROUP_ANSWER), (SIGNATURE, Reason.SIGNED_ANSWER)])
def test_an_interrogation_is_answered_once(method, good):
    ear, xpdr = Ear(observer()), friend()
    answer, _ = xpdr.answer(ear.iff.interrogate(FRIEND, 10.0, method), 10.0)
    ear.take([answer], 10.1)
    ear.check(10.1)
    assert ear.reasons() == [good]
    assert ear.iff.standing(1, FRIEND, 10.1).result is Allegiance.FRIEND
    ear.take([answer], 10.2, source=2)
    ear.check(10.2)
    assert ear.reasons(2) == [Reason.NOT_ASKED]
    late, _ = xpdr.answer(ear.iff.interrogate(FRIEND, 11.0, method), 11.0)
    ear.take([late], 12.6, source=3)
    assert ear.reasons(3) == [Reason.STALE]


@pytest.mark.requirement("XPDR-8")
@given(st.integers(0, 10**9), st.integers(0, 7), st.sampled_from((HMAC, SIGNATURE)))
def test_an_altered_answer_is_never_verified(at, bit, method):
    ear, xpdr = Ear(observer()), friend()
    answer, _ = xpdr.answer(ear.iff.interrogate(FRIEND, 10.0, method), 10.0)
    place = at % len(answer)
    ear.take([answer[:place] + bytes([answer[place] ^ 1 << bit]) + answer[place + 1 :]], 10.0)
    ear.check(10.0)
    assert not [one for one in ear.reasons() if one.verified]


@pytest.mark.requirement("XPDR-9")
def test_a_flood_of_manifests_is_queued_counted_and_displaces_itself():
    ear, xpdr = Ear(observer()), friend()
    listen(xpdr, ear, 100.0, 2.0)
    checks = VEHICLE.iff.checks_per_frame
    for step in range(30):
        now = 102.0 + step / 10
        frames = xpdr.frames(AT_REST, now)
        ear.take(frames, now, source=1)
        claim = next(decode(one) for one in frames if isinstance(decode(one), Claim))
        for n in range(120):
            forged = Manifest(
                FRIEND,
                key_id(keys("friend").public(0).raw),
                claim.time,
                claim.time + 1 + n,
                claim.time + 10**9,
                bytes(16),
                (digest(claim.encode()),),
                bytes(64),
            )
            ear.take([forged.encode()], now, source=None)
        before = ear.iff.queued
        ear.check(now)
        assert before - ear.iff.queued <= checks
    assert ear.iff.dropped > 500
    assert ear.iff.refusals[Reason.SHED] > 500
    assert set(ear.reasons(1)) == {Reason.MANIFEST}
    assert ear.iff.standing(1, FRIEND, 105.0).result is Allegiance.FRIEND


@pytest.mark.requirement("XPDR-9")
@given(st.lists(st.binary(max_size=60), max_size=50), st.sampled_from((None, 1, "x")))
def test_garbage_is_refused_and_counted(contents, source):
    ear = Ear(observer())
    ear.take(contents, 5.0, source)
    assert set(ear.reasons()) <= {Reason.MALFORMED}
    assert ear.iff.refusals.total() == len(contents)


@pytest.mark.requirement("XPDR-9")
def test_receptions_beyond_the_frames_budget_are_dropped_unread():
    ear = Ear(observer())
    claims = [Claim(f"X-{n}", 10**9, n, 1, (0.0,) * 3, (0.0,) * 3).encode() for n in range(3000)]
    ear.take(claims, 1.0, source=None)
    assert ear.iff.refusals[Reason.SHED] == 3000 - VEHICLE.iff.receptions_per_frame // 2
    listen(friend(), ear, 1.0, 2.3)
    assert ear.iff.standing(1, FRIEND, 3.2).result is Allegiance.FRIEND


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=200))
def test_the_queue_is_fair_and_loses_nothing_uncounted(script):
    queue, put, got = CheckQueue(10, 4), 0, 0
    for adds, lane in script:
        if adds:
            put += queue.put(lane, lane) is None
        elif queue.take() is not None:
            got += 1
        assert len(queue) <= 10
    left = []
    while (item := queue.take()) is not None:
        left.append(item)
    assert got + len(left) == put  # one in for one out
    turns = left[: len(set(left))]
    assert len(set(turns)) == len(turns)  # each lane once before any is taken twice
