"""Key files: permissions, binding of id and key, rotation."""

import os

import pytest
import yaml
from air import keys, ring, timed, write_private

from qiki_vehicle import ConfigurationError
from qiki_vehicle.keys import Secret, key_id, verify
from qiki_xpdr import GroupKeys, KeyRing, OwnKeys


@pytest.mark.requirement("XPDR-2")
def test_new_keys_come_back_from_their_files_and_sign(tmp_path):
    folder = tmp_path / "keys"
    own, group = OwnKeys.fresh(), GroupKeys(keys=(Secret.fresh(),))
    write_private(folder / "own.yaml", own)
    write_private(folder / "group.yaml", group)
    assert OwnKeys.from_file(folder / "own.yaml") == own
    assert GroupKeys.from_file(folder / "group.yaml") == group
    assert verify(own.public(0).raw, own.sign(0, b"content"), b"content")
    assert not verify(own.public(0).raw, own.sign(0, b"content"), b"other")
    assert not verify(b"\xff" * 32, own.sign(0, b"content"), b"content")


@pytest.mark.requirement("XPDR-2")
@pytest.mark.parametrize(
    ("name", "kind", "mode", "right"),
    [
        ("own.yaml", OwnKeys, 0o640, 0o600),
        ("own.yaml", OwnKeys, 0o604, 0o400),
        ("group.yaml", GroupKeys, 0o644, 0o600),
        ("ring.yaml", KeyRing, 0o664, 0o644),
        ("ring.yaml", KeyRing, 0o646, 0o600),
    ],
)
def test_files_that_others_may_read_or_write_are_refused(tmp_path, name, kind, mode, right):
    write_private(tmp_path / "own.yaml", OwnKeys.fresh())
    write_private(tmp_path / "group.yaml", GroupKeys(keys=(Secret.fresh(),)))
    (tmp_path / "ring.yaml").write_text(yaml.safe_dump(ring(keys("friend")).model_dump(mode="json")))
    path = tmp_path / name
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=rf"{name}: mode {mode:04o}; allowed: "):
        kind.from_file(path)
    path.chmod(right)
    assert kind.from_file(path)
    tmp_path.chmod(0o770)
    with pytest.raises(ConfigurationError, match="mode 0770; allowed: not writable by others"):
        kind.from_file(path)


@pytest.mark.requirement("XPDR-2")
def test_a_link_and_a_missing_file_are_refused(tmp_path):
    write_private(tmp_path / "real" / "own.yaml", OwnKeys.fresh())
    (tmp_path / "own.yaml").symlink_to(tmp_path / "real" / "own.yaml")
    with pytest.raises(ConfigurationError, match="allowed: a regular file"):
        OwnKeys.from_file(tmp_path / "own.yaml")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        OwnKeys.from_file(tmp_path / "none.yaml")
    os.mkfifo(tmp_path / "pipe.yaml", 0o600)
    with pytest.raises(ConfigurationError, match="allowed: a regular file"):
        OwnKeys.from_file(tmp_path / "pipe.yaml")


@pytest.mark.requirement("XPDR-2")
def test_an_id_is_bound_to_its_first_key():
    own, other = keys("friend"), keys("other")
    with pytest.raises(ValueError, match=f"allowed: {own.identity}"):
        OwnKeys(identity="ALLY-123456", keys=own.keys)
    listed = {own.identity: [other.public(0).model_dump()]}
    with pytest.raises(ValueError, match=f"allowed: {other.identity}"):
        KeyRing.model_validate({"members": listed})
    twice = {
        own.identity: [own.public(0).model_dump(), other.public(0).model_dump()],
        other.identity: [other.public(0).model_dump()],
    }
    with pytest.raises(ValueError, match="one id for each key"):
        KeyRing.model_validate({"members": twice})
    with pytest.raises(ValueError, match="allowed: one of both"):
        ring(own, foes=[own.identity])
    assert ring(own).find(key_id(own.public(0).raw)) == (own.identity, own.public(0))


@pytest.mark.requirement("XPDR-2")
def test_the_newest_valid_key_signs():
    own = timed("turning", (0.0, 20.0), (15.0, 40.0))
    assert [own.newest(now) for now in (-1.0, 5.0, 15.0, 30.0, 41.0)] == [None, 0, 1, 1, None]


@pytest.mark.requirement("XPDR-2")
def test_a_body_is_named_for_members_alone():
    known, member = ring(keys("friend")), keys("friend").identity
    assert KeyRing.model_validate({**known.model_dump(), "bodies": {member: "bravo"}}).bodies == {member: "bravo"}
    with pytest.raises(ValueError, match=r"bodies \['ALLY-000000'\]: no members; allowed: members"):
        KeyRing.model_validate({**known.model_dump(), "bodies": {"ALLY-000000": "bravo"}})
