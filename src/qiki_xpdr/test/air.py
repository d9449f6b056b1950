"""A friend with keys, an observer with a key ring, and frames between them."""

import hashlib
from functools import cache
from pathlib import Path

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from qiki_vehicle import Vehicle
from qiki_vehicle.keys import own_identity
from qiki_xpdr import GroupKeys, Iff, KeyRing, Mode, Motion, OwnKeys, Transponder

VEHICLE = Vehicle.from_file(Path(__file__).resolve().parents[3] / "launch/config/vehicles/dodecahedron.yaml")
AT_REST = Motion((100.0, 20.0, -5.0), (0.0, 0.0, 0.0))
GROUP = GroupKeys.model_validate({"keys": [{"secret": "11" * 32}]})


def secret(name):
    return hashlib.sha256(name.encode()).hexdigest()


@cache
def keys(name, *more, **times):
    """Own keys made from names; the first one gives the id."""
    raw = bytes.fromhex(secret(name))
    identity = own_identity(Ed25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw())
    return OwnKeys.model_validate(
        {"identity": identity, "keys": [{"secret": secret(one)} for one in (name, *more)]} | times
    )


def timed(name, *spans):
    """Keys `name 0`, `name 1`, …, valid from and until."""
    own = keys(*(f"{name} {number}" for number in range(len(spans))))
    listed = [
        {"secret": key.secret, "valid_from": first, "valid_until": last}
        for key, (first, last) in zip(own.keys, spans, strict=True)
    ]
    return OwnKeys.model_validate({"identity": own.identity, "keys": listed})


def ring(*members, revoked=(), foes=()):
    public = {own.identity: [own.public(n).model_dump() for n in range(len(own.keys))] for own in members}
    return KeyRing.model_validate({"members": public, "revoked": list(revoked), "foes": list(foes)})


def write_private(path, content):
    """A new file of keys that only the owner reads."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(0o600, exist_ok=False)
    path.write_text(yaml.safe_dump(content.model_dump(mode="json")))


def friend(own=None, mode=Mode.ON, **options):
    own = own or keys("friend")
    return Transponder(VEHICLE.transponder, own.identity, keys=own, group=GROUP, mode=mode, **options)


def observer(*members, **options):
    return Iff(VEHICLE.iff, "ALLY-000000", ring(*(members or (keys("friend"),)), **options), GROUP)


class Ear:
    """Receptions of an `Iff`, numbered, and their outcomes."""

    def __init__(self, iff):
        self.iff, self.number, self.outcomes = iff, 0, []

    def take(self, frames, now, source=1):
        for frame in frames:
            self.number += 1
            self.outcomes += self.iff.receive(self.number, frame, source, now)[1]

    def check(self, now):
        self.outcomes += self.iff.check(now)

    def reasons(self, source=None):
        return [one.reason for one in self.outcomes if source is None or one.source == source]


def listen(xpdr, ear, start, seconds, *, change=None):
    """A friend on the air for a time at 10 Hz; `change` alters the frames on their way."""
    for step in range(round(seconds * 10)):
        now = start + step / 10
        frames = xpdr.frames(AT_REST, now)
        ear.take(frames if change is None else change(frames), now)
        ear.check(now)
    return start + seconds
