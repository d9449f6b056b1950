"""Keys of identities: own ones that sign, the group's, the ring of trusted ids. Files of strict content and modes.

    folder/own.yaml      0600   id and own signing keys
    folder/group.yaml    0600   secrets of the group
    folder/ring.yaml     0644   public keys of each id, its body, revoked keys, ids of foes

`qiki_xpdr.custody` makes and keeps them for a group of bots; transponder and docking use them. Of several valid keys
the one valid from the latest time signs: a rotation adds a key whose time overlaps with that of the one before.
"""

import hashlib
import math
import os
import re
import secrets
import stat
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, model_validator

from qiki_vehicle.files import ConfigurationError, Number, Section, load

IDENTITY: Final = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,15}")
KEY_BYTES: Final = 8
"""Bytes of a key's id."""
_Hex = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_KeyId = Annotated[str, Field(pattern=f"^[0-9a-f]{{{2 * KEY_BYTES}}}$")]
_Identity = Annotated[str, Field(pattern=f"^{IDENTITY.pattern}$")]
_PREFIX = "ALLY-"
MOST_KEYS: Final = 16
"""Keys of an id, and secrets of a group."""
ALWAYS: Final = 1e12
"""s: a key valid from minus this, or until this, has no such bound."""


class Timed(Section):
    """Validity of a key on the common clock."""

    valid_from: Number = -ALWAYS  # s
    valid_until: Number = ALWAYS  # s

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.valid_until < self.valid_from:
            raise ValueError(f"valid_until {self.valid_until:g}; allowed: from {self.valid_from:g} s, its valid_from")
        return self

    def valid(self, now: float, skew: float = 0.0) -> bool:
        """True within its time, by a clock that may be off by `skew`."""
        return self.valid_from - skew <= now <= self.valid_until + skew


class Secret(Timed):
    """A secret key: 32 bytes."""

    secret: _Hex

    @classmethod
    def fresh(cls, valid_from: float = -ALWAYS, valid_until: float = ALWAYS) -> Self:
        """A new random key."""
        return cls(secret=secrets.token_hex(32), valid_from=valid_from, valid_until=valid_until)

    @property
    def raw(self) -> bytes:
        """Its bytes."""
        return bytes.fromhex(self.secret)

    @property
    def public(self) -> "Public":
        """Its public part, as a signing key."""
        raw = Ed25519PrivateKey.from_private_bytes(self.raw).public_key().public_bytes_raw()
        return Public(key=raw.hex(), valid_from=self.valid_from, valid_until=self.valid_until)

    @property
    def group_id(self) -> bytes:
        """Id of the group's key."""
        return hashlib.sha256(b"group" + self.raw).digest()[:KEY_BYTES]


class Public(Timed):
    """A public Ed25519 key: 32 bytes."""

    key: _Hex

    @property
    def raw(self) -> bytes:
        """Its bytes."""
        return bytes.fromhex(self.key)


def key_id(public: bytes) -> bytes:
    """Id of a public key, as frames carry it."""
    return hashlib.sha256(public).digest()[:KEY_BYTES]


def own_identity(public: bytes) -> str:
    """Id that follows from an id's first public key: `ALLY-` and six hexadecimal digits."""
    return _PREFIX + hashlib.sha256(public).hexdigest()[:6].upper()


class OwnKeys(Section):
    """Own id with its signing keys."""

    identity: _Identity
    keys: Annotated[tuple[Secret, ...], Field(min_length=1, max_length=MOST_KEYS)]

    @model_validator(mode="after")
    def _bound(self) -> Self:
        _check_binding(self.identity, self.public(0).raw)
        return self

    @classmethod
    def fresh(cls, valid_until: float = ALWAYS) -> Self:
        """A new id with its first key."""
        secret = Secret.fresh(valid_until=valid_until)
        return cls(identity=own_identity(secret.public.raw), keys=(secret,))

    def public(self, number: int) -> Public:
        """Public part of a key."""
        return self.keys[number].public

    def newest(self, now: float) -> int | None:
        """Number of the key that signs now; None: none is valid."""
        valid = [(key.valid_from, number) for number, key in enumerate(self.keys) if key.valid(now)]
        return max(valid)[1] if valid else None

    def sign(self, number: int, content: bytes) -> bytes:
        """Signature of 64 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.keys[number].raw).sign(content)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read own keys.

        Raises:
            ConfigurationError: others may read the file, or a field is refused.
        """
        check_private(path)
        return load(path, cls)


class GroupKeys(Section):
    """Secrets of the group."""

    keys: Annotated[tuple[Secret, ...], Field(max_length=MOST_KEYS)] = ()

    def newest(self, now: float) -> Secret | None:
        """The secret that answers now."""
        return max((key for key in self.keys if key.valid(now)), key=lambda key: key.valid_from, default=None)

    def find(self, id: bytes) -> Secret | None:
        """The secret of that id."""
        return next((key for key in self.keys if key.group_id == id), None)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read the group's secrets.

        Raises:
            ConfigurationError: others may read the file, or a field is refused.
        """
        check_private(path)
        return load(path, cls)


class KeyRing(Section):
    """Ids that are trusted, each with its public keys, oldest first."""

    members: dict[_Identity, Annotated[tuple[Public, ...], Field(min_length=1, max_length=MOST_KEYS)]] = Field(
        default={}
    )
    revoked: tuple[_KeyId, ...] = ()
    foes: tuple[_Identity, ...] = ()
    bodies: dict[_Identity, Annotated[str, Field(min_length=1, max_length=64)]] = Field(default={})
    """Name of the body of an id; one that is not listed may be any body."""

    @model_validator(mode="after")
    def _bound(self) -> Self:
        seen: dict[str, str] = {}
        for identity, keys in self.members.items():
            _check_binding(identity, keys[0].raw)
            for key in keys:
                if seen.setdefault(key.key, identity) != identity:
                    raise ValueError(f"members.{identity}: key of {seen[key.key]} too; allowed: one id for each key")
        both = sorted(set(self.foes) & self.members.keys())
        if both:
            raise ValueError(f"foes {both}: members too; allowed: one of both")
        strange = sorted(self.bodies.keys() - self.members.keys())
        if strange:
            raise ValueError(f"bodies {strange}: no members; allowed: members")
        return self

    def find(self, id: bytes) -> tuple[str, Public] | None:
        """Id of the member and key with that key id."""
        return self._by_id.get(id)

    @cached_property
    def _by_id(self) -> dict[bytes, tuple[str, Public]]:
        return {key_id(key.raw): (name, key) for name, keys in self.members.items() for key in keys}

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read a key ring.

        Raises:
            ConfigurationError: others may write the file, or a field is refused.
        """
        _check(path, stat.S_IWGRP | stat.S_IWOTH, "0644 or less")
        return load(path, cls)


def verify(public: bytes, signature: bytes, content: bytes) -> bool:
    """True for a good signature. Costs 0.3 ms of a core: callers keep a budget."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True


def check_private(path: Path) -> None:
    """Refuse a file of secrets that others than the owner may read or write.

    Raises:
        ConfigurationError: naming file, mode and what is allowed.
    """
    _check(path, stat.S_IRWXG | stat.S_IRWXO, "0600 or less")


def _check(path: Path, forbidden: int, allowed: str) -> None:
    try:
        found = path.lstat()
        folder = path.parent.stat()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(f"{path}: allowed: a regular file, no link")
    for name, one, bits, modes in (
        (path, found, forbidden, allowed),
        (path.parent, folder, stat.S_IWGRP | stat.S_IWOTH, "not writable by others"),
    ):
        if one.st_uid not in (os.geteuid(), 0):
            raise ConfigurationError(f"{name}: owner {one.st_uid}; allowed: {os.geteuid()}, root")
        if one.st_mode & bits:
            raise ConfigurationError(f"{name}: mode {stat.S_IMODE(one.st_mode):04o}; allowed: {modes}")


def _check_binding(identity: str, public: bytes) -> None:
    if identity.startswith(_PREFIX) and identity != own_identity(public):
        raise ValueError(f"identity {identity}; allowed: {own_identity(public)}, the hash of its first key")


def seconds(time: int) -> float:
    """Seconds of nanoseconds."""
    return time * 1e-9


def nanoseconds(time: float) -> int:
    """Seconds as whole nanoseconds.

    Raises:
        ValueError: no finite time.
    """
    if not math.isfinite(time):
        raise ValueError(f"time {time}; allowed: finite, s")
    return round(time * 1e9)
