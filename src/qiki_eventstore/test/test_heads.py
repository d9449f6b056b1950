"""Signed heads: what they prove, and what is said of those that prove nothing."""

import json
import stat
from pathlib import Path

import pytest

from qiki_eventstore import Event, StoreUnavailable, Verification, open_store
from qiki_eventstore.heads import HeadSigner, SignedHead, public_keys_file, read_heads

STORE = bytes(range(16))
HASH = bytes(range(32))


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    return tmp_path / "events.db.heads"


@pytest.fixture
def signer(heads: Path, tmp_path: Path) -> HeadSigner:
    return HeadSigner(heads, tmp_path / "events.db.key", STORE)


def test_what_was_signed_is_read(signer: HeadSigner, heads: Path, tmp_path: Path) -> None:
    signer.sign(5, HASH, -1)
    signer.sign(9, HASH, 2**62)
    assert list(read_heads(heads)) == [SignedHead(1, STORE, 5, HASH, -1), SignedHead(2, STORE, 9, HASH, 2**62)]
    assert signer.position == 9
    assert HeadSigner(heads, tmp_path / "events.db.key", STORE).position == 9
    assert HeadSigner(heads, tmp_path / "events.db.key", bytes(16)).position == 0


def test_no_file_is_no_heads(heads: Path) -> None:
    assert list(read_heads(heads)) == []


def test_the_private_key_is_its_owners_alone(signer: HeadSigner, heads: Path, tmp_path: Path) -> None:
    signer.sign(1, HASH, 0)
    assert stat.S_IMODE((tmp_path / "events.db.key").stat().st_mode) == 0o600
    assert public_keys_file(heads).name == "events.db.pub"
    assert b"PRIVATE" not in public_keys_file(heads).read_bytes()


@pytest.mark.requirement("EVENT-5a")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("position", 6),
        ("recorded", 1),
        ("hash", bytes(32).hex()),
        ("store", "00000000-0000-0000-0000-000000000000"),
        ("signature", bytes(64).hex()),
    ],
)
def test_a_changed_head_does_not_hold(signer: HeadSigner, heads: Path, field: str, value: object) -> None:
    signer.sign(5, HASH, 0)
    heads.write_text(json.dumps({**json.loads(heads.read_text()), field: value}) + "\n")
    (head,) = read_heads(heads)
    assert head.problem == "has a signature that does not hold"


@pytest.mark.parametrize("line", ["", "5", "{}", '{"store": 1}', "no JSON", '{"store": "x", "hash": ""}'])
def test_a_line_that_is_no_head_says_so(signer: HeadSigner, heads: Path, line: str) -> None:
    signer.sign(5, HASH, 0)
    heads.write_text(heads.read_text() + line + "\n")
    _, bad = read_heads(heads)
    assert bad.line == 2
    assert "is not a signed head" in bad.problem


def test_an_unknown_key_is_named(signer: HeadSigner, heads: Path) -> None:
    signer.sign(5, HASH, 0)
    public_keys_file(heads).unlink()
    (head,) = read_heads(heads)
    assert "not among the public keys" in head.problem


def test_a_new_key_leaves_the_old_heads_true(signer: HeadSigner, heads: Path, tmp_path: Path) -> None:
    signer.sign(5, HASH, 0)
    (tmp_path / "events.db.key").unlink()
    HeadSigner(heads, tmp_path / "events.db.key", STORE).sign(6, HASH, 0)
    assert [head.problem for head in read_heads(heads)] == ["", ""]


def test_a_torn_line_is_left_out_and_written_over(signer: HeadSigner, heads: Path) -> None:
    signer.sign(5, HASH, 0)
    whole = heads.read_bytes()
    heads.write_bytes(whole + whole[:50])
    assert [head.position for head in read_heads(heads)] == [5]
    signer.sign(6, HASH, 0)
    assert [(head.position, head.problem) for head in read_heads(heads)] == [(5, ""), (6, "")]


def test_a_key_that_is_none_is_refused(heads: Path, tmp_path: Path) -> None:
    key = tmp_path / "events.db.key"
    key.write_text("secret")
    with pytest.raises(StoreUnavailable, match=r"events\.db\.key"):
        HeadSigner(heads, key, STORE)


def test_the_file_stays_short_and_is_still_evident(signer: HeadSigner, heads: Path) -> None:
    for position in range(1, 1500):
        signer.sign(position, HASH, 0)
    positions = [head.position for head in read_heads(heads) if not head.problem]
    assert len(heads.read_bytes().splitlines()) < 1024
    assert positions[-512:] == list(range(988, 1500))
    assert positions[0] == 1
    assert len(positions) > 600


def test_a_long_file_of_an_earlier_version_is_read_in_part_and_made_short(
    signer: HeadSigner, heads: Path, tmp_path: Path
) -> None:
    signer.sign(1, HASH, 0)
    line = heads.read_bytes()
    heads.write_bytes(line * 5000)
    assert len(list(read_heads(heads))) <= 768
    again = HeadSigner(heads, tmp_path / "events.db.key", STORE)
    again.sign(2, HASH, 0)
    assert len(heads.read_bytes().splitlines()) <= 768
    assert list(read_heads(heads))[-1].position == 2


# With a store -------------------------------------------------------------------------------------------------------


def verified(folder: Path, heads: Path) -> Verification:
    with open_store(f"sqlite:///{folder}/events.db?mode=ro", heads=heads) as store:
        return store.verify()


def filled(folder: Path, heads: Path, **options: float) -> None:
    with open_store(f"sqlite:///{folder}/events.db", heads=heads, reserve_bytes=0, **options) as store:
        for number in range(20):
            store.append("alpha", [Event("test.began", {"number": number})])


@pytest.mark.requirement("EVENT-5a")
def test_heads_may_be_kept_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "alpha.heads"
    elsewhere.parent.mkdir()
    filled(tmp_path, elsewhere)
    assert sorted(file.name for file in elsewhere.parent.iterdir()) == ["alpha.heads", "alpha.pub"]
    verification = verified(tmp_path, elsewhere)
    assert (verification.ok, verification.signed) == (True, 20)


def test_heads_are_signed_while_events_come(tmp_path: Path, heads: Path) -> None:
    filled(tmp_path, heads, sign_events=5, sign_seconds=0.01)
    positions = [head.position for head in read_heads(heads)]
    assert positions[-1] == 20
    assert positions == sorted(set(positions))


def test_verify_tells_what_is_wrong_with_the_heads(tmp_path: Path, heads: Path) -> None:
    filled(tmp_path, heads)
    whole = heads.read_text()
    heads.write_text(whole.replace('"position": 20', '"position": 21'))
    verification = verified(tmp_path, heads)
    assert (verification.ok, verification.first_bad, verification.signed) == (False, None, None)
    assert "line 1 has a signature that does not hold" in verification.reason
    assert verification.checked == 20
    heads.unlink()
    HeadSigner(heads, tmp_path / "events.db.key", STORE).sign(20, HASH, 0)
    assert "is of another store" in verified(tmp_path, heads).reason
    heads.unlink()
    verification = verified(tmp_path, heads)
    assert (verification.ok, verification.signed) == (True, None)
