"""Passports of a docking: proven identities, and every other passport refused before the contacts close."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_core import docked, lying, offering, pair

from qiki_docking import Phase, Profile, Reason
from qiki_docking.passport import LENGTH, Passports, Terms
from qiki_vehicle.keys import KeyRing, OwnKeys, Secret, key_id

pytestmark = pytest.mark.requirement("DOCK-33")


@dataclass
class Held:
    """Keys in memory."""

    own: OwnKeys | None = None
    ring: KeyRing = field(default_factory=KeyRing)


OWN = {body: OwnKeys.fresh() for body in ("alpha", "station", "mallory")}


def ring(*bodies, revoked=(), named=True):
    members = {OWN[body].identity: tuple(key.public for key in OWN[body].keys) for body in bodies}
    names = {OWN[body].identity: body for body in bodies} if named else {}
    return KeyRing(members=members, revoked=revoked, bodies=names)


def holders(**change):
    """Options of `pair`: both ends with keys that trust each other; change: keys of a body."""
    held = {body: Held(OWN[body], ring("alpha", "station")) for body in ("alpha", "station")} | change
    return {"alpha": {"passports": Passports(held["alpha"])},
            "station": {"active": False, "passports": Passports(held["station"])}}  # fmt: skip


TERMS = Terms("station", "A", "alpha", "B", Profile.FULL, 32.0, 10.0, "11" * 16, "22" * 16)
PASSPORT = Passports(Held(OWN["station"])).issue(TERMS, 0.0)
JUDGE = Passports(Held(ring=ring("alpha", "station")))


def test_a_whole_passport_proves_the_id_and_costs_one_check():
    assert len(PASSPORT) == LENGTH
    assert JUDGE.judge(PASSPORT, TERMS, 0.0).identity == OWN["station"].identity
    assert JUDGE.judge(PASSPORT, TERMS, 0.0).accepted


@given(at=st.integers(0, LENGTH - 1), bits=st.integers(1, 255))
def test_an_altered_passport_is_refused(at, bits):
    altered = bytearray(PASSPORT)
    altered[at] ^= bits
    verdict = JUDGE.judge(bytes(altered), TERMS, 0.0)
    assert not verdict.accepted
    assert verdict.identity == ""


@given(st.one_of(st.binary(max_size=2 * LENGTH), st.integers(0, LENGTH - 1).map(lambda n: PASSPORT[:n]),
                 st.binary(min_size=1, max_size=64).map(lambda more: PASSPORT + more)))  # fmt: skip
def test_a_cut_or_longer_passport_and_garbage_are_refused(passport):
    assert not JUDGE.judge(passport, TERMS, 0.0).accepted


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "body": st.sampled_from(["alpha", "mallory"]),
            "port": st.text(max_size=3).filter(lambda text: text != "A"),
            "partner": st.sampled_from(["station", "bravo", ""]),
            "partner_port": st.text(max_size=3).filter(lambda text: text != "B"),
            "profile": st.sampled_from([None, Profile.DATA, Profile.POWER]),
            "volts_max": st.floats(0.0, 31.9),
            "current_max": st.floats(10.1, 1e9),
            "nonce": st.text(max_size=33).filter(lambda text: text != TERMS.nonce),
            "echo": st.text(max_size=33).filter(lambda text: text != TERMS.echo),
        },
    )
)
def test_a_passport_of_another_docking_or_of_other_terms_is_refused(change):
    verdict = JUDGE.judge(PASSPORT, replace(TERMS, **change), 0.0)
    assert verdict.accepted is (not change)
    if {"nonce", "echo"} & change.keys() and "body" not in change:
        assert verdict.reason is Reason.PASSPORT_REPLAYED
    elif change and "body" not in change:
        assert verdict.reason is Reason.PASSPORT_TERMS


def spoiled(name, body):
    """Keys of a body that prove nothing, the ring of the other end, and the reason of the refusal there."""
    own, both = OWN[body], ring("alpha", "station")
    over = OwnKeys(identity=own.identity, keys=(Secret(secret=own.keys[0].secret, valid_from=0.0, valid_until=50.0),))
    members = both.members | {own.identity: (over.public(0),)}
    revoked = (key_id(own.public(0).raw).hex(),)
    return {
        "unsigned": (Held(None, both), both, Reason.PASSPORT_UNSIGNED),
        "no key in time": (Held(over, both), both, Reason.PASSPORT_UNSIGNED),
        "unknown": (Held(OWN["mallory"], both), both, Reason.PASSPORT_KEY),
        "of another body": (Held(OWN["mallory"], both), ring("alpha", "station", "mallory"), Reason.PASSPORT_KEY),
        "out of time": (Held(own, both), KeyRing(members=members), Reason.PASSPORT_KEY_OUT_OF_TIME),
        "revoked": (Held(own, both), ring("alpha", "station", revoked=revoked), Reason.PASSPORT_KEY_REVOKED),
    }[name]


BAD = ("unsigned", "no key in time", "unknown", "of another body", "out of time", "revoked")


@pytest.mark.parametrize("name", BAD)
def test_a_bad_key_of_the_partner_keeps_the_contacts_open(name):
    held, trusted, reason = spoiled(name, "station")
    rig = docked(pair(**holders(station=held, alpha=Held(OWN["alpha"], trusted))))
    assert rig.cores["alpha"].state.reason is reason
    assert not rig.joints[0].main
    assert rig.outputs["alpha"].state.partner_identity == ""


@pytest.mark.parametrize("name", BAD)
def test_a_bad_key_of_the_end_that_docks_is_refused_by_the_other(name):
    held, trusted, reason = spoiled(name, "alpha")
    rig = docked(pair(**holders(alpha=held, station=Held(OWN["station"], trusted))))
    assert rig.cores["alpha"].state.reason is Reason.PASSPORT_REFUSED
    offer = rig.outputs["station"].state.offer("A")
    assert offer.holder_refusal is reason
    assert offer.holder_identity == ""
    assert not rig.joints[0].main
    assert not rig.joints[0].data["station"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda rig: offering(rig, passport=PASSPORT), Reason.PASSPORT_REPLAYED),
        (lambda rig: offering(rig, passport=b""), Reason.PASSPORT_UNSIGNED),
        (lambda rig: offering(rig, holder_refusal=Reason.PASSPORT_KEY), Reason.PASSPORT_REFUSED),
        (lambda rig: lying(rig, volts_max=33.0), Reason.PASSPORT_TERMS),
    ],
)
def test_a_passport_that_does_not_fit_the_messages_keeps_the_contacts_open(spoil, reason):
    rig = pair(**holders())
    spoil(rig)
    docked(rig)
    assert rig.cores["alpha"].state.reason is reason
    assert not rig.joints[0].main


def test_both_ends_show_the_proven_ids_and_a_restart_keeps_bridge_and_data():
    rig = docked(pair(**holders()))
    for _ in range(10):
        rig.step()
    assert rig.outputs["alpha"].state.partner_identity == OWN["station"].identity
    assert rig.outputs["station"].state.offer("A").holder_identity == OWN["alpha"].identity
    assert rig.outputs["station"].state.partner_identity == OWN["alpha"].identity
    for body in ("station", "alpha"):
        rig.restart(body)
        for _ in range(30):
            rig.step()
            assert rig.joints[0].main
            assert rig.joints[0].data == {"alpha": True, "station": True}
        assert rig.outputs["station"].state.offer("A").holder_identity == OWN["alpha"].identity


def test_without_keys_a_passport_proves_nothing_and_is_shown_as_unverified():
    rig = docked(pair())
    assert rig.cores["alpha"].phase is Phase.BRIDGE
    assert rig.outputs["alpha"].state.partner_identity == rig.outputs["alpha"].state.passport.decode() == ""
    assert Passports().judge(PASSPORT, TERMS, 0.0) == Passports(Held()).judge(b"", TERMS, 0.0)
