"""Key files of a group: `Custody`, and the verb `qiki keys` on it."""

import json
import stat

import pytest
import yaml
from air import VEHICLE, Ear, friend, keys, listen, ring
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from qiki_vehicle import ConfigurationError
from qiki_vehicle.keys import key_id
from qiki_xpdr import GroupKeys, Iff, KeyRing, OwnKeys, Reason
from qiki_xpdr.cli.keys import keys as verb
from qiki_xpdr.custody import Custody

pytestmark = pytest.mark.requirement("XPDR-74")

BOTS = ("alpha", "bravo", "charlie")


def run(folder, *words):
    return CliRunner().invoke(verb, [words[0], "--folder", str(folder), *map(str, words[1:])])


def files(folder, bot):
    place = folder / bot
    return (
        OwnKeys.from_file(place / "own.yaml"),
        GroupKeys.from_file(place / "group.yaml"),
        KeyRing.from_file(place / "ring.yaml"),
    )


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*.yaml")}


def heard(folder, of, by, now):
    """Reasons with which one bot takes the claims and manifests of another for 2.5 s."""
    own, group, _ = files(folder, of)
    iff = Iff(VEHICLE.iff, "ALLY-000000", files(folder, by)[2], group)
    ear = Ear(iff)
    listen(friend(own), ear, now, 2.5)
    return set(ear.reasons())


def test_new_files_fit_each_other_and_are_the_owners_alone(tmp_path):
    folder = tmp_path / "xpdr"
    assert Custody(folder).holdings() == ()
    found = Custody(folder).create(["alpha", "bravo"])
    assert [(one.bot, one.problems) for one in found] == [("alpha", ()), ("bravo", ())]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder / "alpha").iterdir()}
    assert modes == {"own.yaml": 0o600, "group.yaml": 0o600, "ring.yaml": 0o644}
    assert Reason.MANIFEST in heard(folder, "alpha", "bravo", 10.0)
    alpha, group, known = files(folder, "alpha")
    assert known.bodies == {alpha.identity: "alpha", files(folder, "bravo")[0].identity: "bravo"}
    assert set(known.members) == set(known.bodies)
    assert group == files(folder, "bravo")[1]
    # A later bot joins: all know it, and no key of before has changed.
    Custody(folder).create(["charlie"], valid_until=500.0)
    assert files(folder, "alpha")[:2] == (alpha, group)
    assert Reason.MANIFEST in heard(folder, "charlie", "alpha", 10.0)
    assert Reason.MANIFEST not in heard(folder, "charlie", "alpha", 501.0)


@pytest.mark.parametrize("bots", [["alpha"], ["delta", "alpha"], [], ["x", "x"], ["../x"], ["x/y"], [""], ["a" * 65]])
def test_nothing_is_overwritten_and_names_are_names(tmp_path, bots):
    custody = Custody(tmp_path)
    custody.create(["alpha"])
    before = content(tmp_path)
    with pytest.raises(ConfigurationError, match=r"bots: .*; allowed: "):
        custody.create(bots)
    assert content(tmp_path) == before


def test_a_rotation_overlaps_and_keeps_the_id(tmp_path):
    custody = Custody(tmp_path)
    custody.create(BOTS)
    before = files(tmp_path, "alpha")
    custody.rotate(["alpha"], at=300.0, overlap=60.0, secret=True)
    own, group, _ = files(tmp_path, "alpha")
    assert own.identity == before[0].identity
    assert [own.newest(now) for now in (0.0, 299.0, 300.0, 400.0)] == [0, 0, 1, 1]
    assert [group.newest(now).secret == before[1].keys[0].secret for now in (299.0, 300.0)] == [True, False]
    for now in (100.0, 299.0, 340.0, 400.0):
        assert Reason.MANIFEST in heard(tmp_path, "alpha", "bravo", now)
    # One that has missed the rotation signs with the old key, which is good for the overlap and no longer.
    ring_of_bravo = files(tmp_path, "bravo")[2]
    old = ring_of_bravo.find(key_id(before[0].public(0).raw))[1]
    assert (old.valid(359.0), old.valid(361.0)) == (True, False)
    for at, overlap in ((300.0, 60.0), (299.0, 60.0), (float("nan"), 60.0), (900.0, -1.0)):
        with pytest.raises(ConfigurationError, match="allowed: "):
            custody.rotate(["alpha"], at=at, overlap=overlap)
    with pytest.raises(ConfigurationError, match="bot: 'zulu'; allowed: alpha, bravo, charlie"):
        custody.rotate(["zulu"], at=900.0, overlap=1.0)


def test_rotations_without_end_drop_the_keys_that_are_over(tmp_path):
    custody = Custody(tmp_path)
    custody.create(["alpha"])
    first = files(tmp_path, "alpha")[0].keys[0].secret
    for turn in range(1, 6):
        custody.rotate(["alpha"], at=100.0 * turn, overlap=10.0, secret=True)
    own, group, _ = files(tmp_path, "alpha")
    assert own.keys[0].secret == first, "the key that the id comes from"
    assert len(own.keys) <= 3
    assert len(group.keys) <= 2
    for turn in range(6, 20):
        custody.rotate(["alpha"], at=100.0 * turn, overlap=1e6)
    with pytest.raises(ConfigurationError, match="keys of alpha: 16 are valid; allowed: 15"):
        custody.rotate(["alpha"], at=2000.0, overlap=1e6)


def test_a_revoked_bot_is_out_of_the_group_until_it_gets_a_key(tmp_path):
    custody = Custody(tmp_path)
    custody.create(BOTS)
    secret = files(tmp_path, "bravo")[1]
    custody.revoke(["bravo"])
    assert all(one.problems == () for one in custody.holdings())
    assert Reason.MANIFEST not in heard(tmp_path, "bravo", "alpha", 10.0)
    assert files(tmp_path, "bravo")[1] == secret
    assert files(tmp_path, "alpha")[1].find(secret.keys[0].group_id) is None, "it knows the old one"
    assert files(tmp_path, "alpha")[1] == files(tmp_path, "charlie")[1]
    before = content(tmp_path)
    with pytest.raises(ConfigurationError, match="name: 'zulu'; allowed: a bot, an id or the id of a key"):
        custody.revoke(["alpha", "zulu"])
    assert content(tmp_path) == before
    custody.rotate(["bravo"], at=20.0, overlap=0.0)
    assert Reason.MANIFEST in heard(tmp_path, "bravo", "alpha", 20.0)
    assert files(tmp_path, "bravo")[1] == files(tmp_path, "alpha")[1]


def test_a_group_of_which_all_are_revoked_begins_again_with_another_secret(tmp_path):
    custody = Custody(tmp_path)
    custody.create(["alpha"])
    known = files(tmp_path, "alpha")[1].keys[0].group_id
    custody.revoke(["alpha"])
    custody.create(["bravo"])
    assert files(tmp_path, "bravo")[1].keys
    assert files(tmp_path, "bravo")[1].find(known) is None


def test_one_key_is_revoked_by_its_id_and_the_secret_stays(tmp_path):
    custody = Custody(tmp_path)
    custody.create(BOTS)
    custody.rotate(["alpha"], at=20.0, overlap=60.0)
    own, group, _ = files(tmp_path, "alpha")
    custody.revoke([key_id(own.public(0).raw).hex()])
    assert files(tmp_path, "bravo")[1] == group
    assert Reason.MANIFEST not in heard(tmp_path, "alpha", "bravo", 10.0)
    assert Reason.MANIFEST in heard(tmp_path, "alpha", "bravo", 20.0)
    custody.revoke([own.identity])
    assert Reason.MANIFEST not in heard(tmp_path, "alpha", "bravo", 20.0)


def test_what_an_interrupted_change_has_left_is_shown_and_mended_by_the_next(tmp_path):
    custody = Custody(tmp_path)
    custody.create(BOTS)
    place = tmp_path / "bravo"
    stale, secret = (place / "ring.yaml").read_text(), (place / "group.yaml").read_text()
    custody.revoke(["charlie"])
    (place / "ring.yaml").write_text(stale)
    (place / "group.yaml").write_text(secret)
    problems = {one.bot: one.problems for one in custody.holdings()}
    assert any("ring.yaml: members or revoked keys" in line for line in problems["bravo"])
    assert any("group.yaml: other secrets" in line for line in problems["bravo"])
    custody.rotate(["alpha"], at=10.0, overlap=1.0)
    assert all(one.problems == () for one in custody.holdings())
    known = GroupKeys.model_validate(yaml.safe_load(secret)).keys[0].group_id
    assert all(files(tmp_path, bot)[1].find(known) is None for bot in ("alpha", "bravo")), "charlie knows it"
    assert files(tmp_path, "bravo")[2].revoked


def test_members_and_foes_that_were_added_by_hand_stay(tmp_path):
    custody = Custody(tmp_path)
    custody.create(["alpha", "bravo"])
    path = tmp_path / "alpha" / "ring.yaml"
    edited = yaml.safe_load(path.read_text())
    other = keys("visitor")
    edited["members"] |= ring(other).model_dump(mode="json")["members"]
    edited["foes"] = ["SHIP-13"]
    path.write_text(yaml.safe_dump(edited))
    custody.rotate(["bravo"], at=10.0, overlap=1.0)
    assert other.identity in files(tmp_path, "bravo")[2].members
    assert [files(tmp_path, bot)[2].foes for bot in ("alpha", "bravo")] == [("SHIP-13",), ()]


@given(
    st.lists(
        st.tuples(st.sampled_from(["create", "rotate", "revoke"]), st.sampled_from(BOTS), st.floats(0.0, 90.0)),
        max_size=5,
    )
)
def test_any_sequence_leaves_files_that_fit(tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("keys")
    custody, trusted, at = Custody(folder), set(), 0.0
    for change, bot, overlap in changes:
        at += 100.0
        before = content(folder)
        try:
            if change == "create":
                custody.create([bot])
            elif change == "rotate":
                custody.rotate([bot], at=at, overlap=overlap)
            else:
                custody.revoke([bot])
        except ConfigurationError:
            assert (bot in custody.bots) == (change == "create")
            assert content(folder) == before
            continue
        trusted = trusted - {bot} if change == "revoke" else trusted | {bot}
        assert all(one.problems == () for one in custody.holdings())
        assert {one.bot for one in custody.holdings() if not one.revoked} == trusted
    groups = [files(folder, bot)[1] for bot in sorted(trusted)]
    assert all(group == groups[0] for group in groups)
    outside = [files(folder, bot)[1] for bot in set(custody.bots) - trusted]
    for group in outside if groups else ():
        assert all(groups[0].find(key.group_id) is None for key in group.keys)


def test_the_verb_makes_shows_and_refuses(tmp_path):
    assert "no key files" in run(tmp_path, "list").output
    made = run(tmp_path, "create", "alpha", "bravo", "--until", 1000)
    assert made.exit_code == 0, made.output
    assert run(tmp_path, "rotate", "alpha", "--at", 300, "--overlap", 30, "--group").exit_code == 0
    listed = run(tmp_path, "list", "--json", "--at", 310)
    assert listed.exit_code == 0
    first, second = map(json.loads, listed.output.splitlines())
    assert [(key["state"], key["valid_until"]) for key in first["keys"]] == [("VALID", 330.0), ("SIGNS", None)]
    assert [key["state"] for key in second["keys"]] == ["SIGNS"]
    assert run(tmp_path, "revoke", "bravo").exit_code == 0
    assert "REVOKED" in run(tmp_path, "list", "bravo", "--at", 2000).output
    assert "EXPIRED" in run(tmp_path, "list", "alpha", "--at", 400).output
    everything = "".join(path.read_text() for path in tmp_path.rglob("*.yaml"))
    shown = listed.output + made.output + run(tmp_path, "list").output
    secrets = {line.split()[-1] for line in everything.splitlines() if "secret:" in line}
    assert secrets
    assert not any(secret in shown for secret in secrets)
    for words, text in (
        (("create", "alpha"), "bots: alpha; allowed"),
        (("rotate", "--at", "9"), "BOT: none, and no --group"),
        (("rotate", "alpa", "--at", "900"), "allowed: alpha, bravo"),
        (("list", "alpha", "--at", "nan"), "'nan' is not allowed"),
        (("revoke", "zulu"), "name: 'zulu'; allowed"),
    ):
        refused = run(tmp_path, *words)
        assert refused.exit_code == 2, words
        assert text in refused.output
    (tmp_path / "alpha" / "own.yaml").chmod(0o640)
    bad = run(tmp_path, "list")
    assert bad.exit_code == 1
    assert "own.yaml: mode 0640; allowed: 0600 or less" in bad.output
    assert run(tmp_path, "create", "delta").exit_code == 2
