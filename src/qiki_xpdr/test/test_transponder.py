"""Modes of the transponder, and what leaves the bot in them."""

import math

import pytest
from air import AT_REST, VEHICLE, friend, keys, observer
from hypothesis import given
from hypothesis import strategies as st

from qiki_xpdr import FalseIdentity, Mode, Motion, Reason, Transponder
from qiki_xpdr.frames import HMAC, SIGNATURE, Claim, Manifest, decode

FALSE = FalseIdentity("ALLY-FFFFFF", (50.0, 0.0, 0.0))
WHY = {"user": "operator", "reason": "test"}
kinds = st.sampled_from(("frames", "answer", "power", "arm", "garbage"))
steps = st.lists(st.tuples(kinds, st.floats(0.0, 3.0), st.binary(max_size=40)), max_size=40)


def run(mode, script):
    """Bytes that leave a bot in a mode, and then, after ON, those of two seconds more."""
    xpdr = friend(mode=mode, false=FALSE, code=lambda: 7)
    asked, now, left = observer(), 100.0, []
    for kind, wait, content in script:
        now += wait
        if kind == "frames":
            left += xpdr.frames(AT_REST, now)
        elif kind == "power":
            xpdr.power(len(content) % 2 == 0)
        elif kind == "arm":
            xpdr.arm(now=now, **WHY)
        else:
            question = asked.interrogate(xpdr.identity, now, HMAC if len(content) % 2 else SIGNATURE)
            # The nonce differs from run to run: it must not show in bytes that are compared.
            question = question[:-17] + bytes(16) + question[-1:]
            left += [xpdr.answer(content if kind == "garbage" else question, now)[0] or b""]
    xpdr.power(True)
    xpdr.set_mode(Mode.ON, now=now, **WHY)
    later = [xpdr.frames(AT_REST, now + n / 10) for n in range(25)]
    return [one for one in left if one], later


@pytest.mark.requirement("XPDR-3")
@given(steps)
def test_silent_leaves_the_bytes_of_off_then_and_afterwards(script):
    silent, off = run(Mode.SILENT, script), run(Mode.OFF, script)
    assert silent == off
    assert silent[0] == []


@pytest.mark.requirement("XPDR-3")
def test_only_a_transmitter_draws_power():
    watts = VEHICLE.avionics.loads["transponder"]
    assert [friend(mode=mode).draws(watts) for mode in (Mode.OFF, Mode.ON, Mode.SILENT)] == [0.0, watts, 0.0]


@pytest.mark.requirement("XPDR-3")
def test_claims_at_their_rate_and_a_manifest_once_a_second():
    xpdr = friend()
    sent = [(n, decode(one)) for n in range(301) for one in xpdr.frames(AT_REST, 50.0 + n / 100)]
    claims = [one for _, one in sent if isinstance(one, Claim)]
    manifests = [one for _, one in sent if isinstance(one, Manifest)]
    assert [n for n, one in sent if isinstance(one, Claim)] == list(range(0, 301, 10))
    assert {(one.identity, one.mode, one.position) for one in claims} == {(xpdr.identity, 1, AT_REST.position)}
    assert [len(one.hashes) for one in manifests] == [10, 10, 10]
    assert [one.previous for one in manifests[1:]] == [one.present for one in manifests[:-1]]


@pytest.mark.requirement("XPDR-3")
def test_without_a_known_position_nothing_is_claimed():
    xpdr = friend()
    assert xpdr.frames(Motion((math.nan, 0.0, 0.0), (0.0, 0.0, 0.0)), 1.0) == []
    assert xpdr.frames(AT_REST, math.nan) == []


@pytest.mark.requirement("XPDR-4")
def test_spoof_takes_two_steps_and_its_code():
    xpdr = friend(mode=Mode.OFF, false=FALSE, code=lambda: 4711)
    refused = [xpdr.set_mode(Mode.SPOOF, now=0.0, **WHY).reason]
    armed = xpdr.arm(now=1.0, **WHY)
    assert (armed.accepted, armed.code, armed.until) == (True, 4711, 11.0)
    assert xpdr.armed_until(5.0) == 11.0
    refused.append(xpdr.set_mode(Mode.SPOOF, now=2.0, code=4712, **WHY).reason)
    refused.append(xpdr.set_mode(Mode.SPOOF, now=2.0, code=4711, **WHY).reason)  # the wrong code ended it
    xpdr.arm(now=3.0, **WHY)
    refused.append(xpdr.set_mode(Mode.SPOOF, now=13.1, code=4711, **WHY).reason)
    assert refused == [Reason.NOT_ARMED, Reason.WRONG_CODE, Reason.NOT_ARMED, Reason.ARM_EXPIRED]
    assert friend(mode=Mode.OFF).arm(now=0.0, **WHY).reason is Reason.NO_FALSE_IDENTITY
    xpdr.arm(now=20.0, **WHY)
    assert xpdr.set_mode(Mode.SPOOF, now=21.0, code=4711, **WHY).accepted
    (claim,) = (decode(one) for one in xpdr.frames(AT_REST, 21.0))
    assert (claim.identity, claim.mode, claim.position) == ("ALLY-FFFFFF", 1, (150.0, 20.0, -5.0))
    sent = [decode(one) for n in range(30) for one in xpdr.frames(AT_REST, 21.1 + n / 10)]
    assert {type(one) for one in sent} == {Claim}  # no signature gives the bot away
    assert xpdr.answer(observer().interrogate("ALLY-FFFFFF", 24.0), 24.0) == (None, Reason.NOT_TRANSMITTING)


@pytest.mark.requirement("XPDR-4")
def test_each_change_and_each_refusal_is_audited():
    xpdr = friend(mode=Mode.OFF)
    xpdr.set_mode(Mode.ON, "ann", "traffic", 1.0)
    for user, reason in (("", "x"), ("ann", " "), ("ann", "x" * 201)):
        assert xpdr.set_mode(Mode.OFF, user, reason, 2.0).reason is Reason.WRONG_ORDER
    assert xpdr.set_mode(9, "ann", "x", 2.0).reason is Reason.WRONG_ORDER
    xpdr.power(False)
    events = xpdr.take_occurrences()
    assert [one.type for one in events] == ["xpdr.mode_changed", *["xpdr.mode_refused"] * 4, "xpdr.mode_changed"]
    assert events[0].payload == {
        "from": "OFF",
        "to": "ON",
        "effective_from": "OFF",
        "effective": "ON",
        "user": "ann",
        "reason": "traffic",
        "cause": "ORDER",
    }
    assert (events[-1].payload["cause"], events[-1].payload["effective"]) == ("SHED", "OFF")
    assert xpdr.take_occurrences() == []


@pytest.mark.requirement("XPDR-4")
@given(st.sampled_from((Mode.OFF, Mode.ON, Mode.SILENT)), st.sampled_from((Mode.OFF, Mode.ON, Mode.SILENT, None)))
def test_shedding_forces_off_and_restores(before, order):
    xpdr = friend(mode=before)
    xpdr.power(False)
    assert (xpdr.effective, xpdr.mode, xpdr.shed) == (Mode.OFF, before, True)
    assert xpdr.frames(AT_REST, 1.0) == []
    if order is not None:
        assert xpdr.set_mode(order, now=2.0, **WHY).reason is Reason.NO_POWER
        assert xpdr.effective is Mode.OFF
    xpdr.power(True)
    assert xpdr.effective is (before if order is None else order)


def test_what_a_transponder_cannot_be_made_of():
    own = keys("friend")
    for wrong, options in (
        ("ALLY-123456", {"keys": own}),
        (own.identity, {"false": FalseIdentity(own.identity)}),
        (own.identity, {"mode": Mode.SPOOF}),
        ("lower", {}),
    ):
        with pytest.raises(ValueError, match="allowed"):
            Transponder(VEHICLE.transponder, wrong, **options)


@pytest.mark.requirement("XPDR-3")
def test_interrogations_are_answered_at_a_bounded_rate():
    xpdr, asked = friend(), observer()
    answers = [xpdr.answer(asked.interrogate(xpdr.identity, 5.0), 5.0)[1] for _ in range(30)]
    assert answers == [Reason.ANSWERING] * 20 + [Reason.TOO_MANY] * 10
    assert xpdr.answer(asked.interrogate(xpdr.identity, 6.1), 6.1)[1] is Reason.ANSWERING
    assert xpdr.answer(asked.interrogate(xpdr.identity, 1.0), 7.0)[1] is Reason.STALE
    assert xpdr.answer(asked.interrogate("ALLY-ABCDEF", 7.0), 7.0)[1] is Reason.NOT_ADDRESSED
    plain = Transponder(VEHICLE.transponder, "SHIP-7", mode=Mode.ON)
    assert plain.answer(asked.interrogate("SHIP-7", 7.0), 7.0) == (None, Reason.NO_KEY)
