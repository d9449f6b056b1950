"""Signed heads: what the store's end was at some moments, kept outside the store.

A hash chain shows that something was changed, but not that the end was cut off, nor that everything was recomputed.
Signed heads (Ed25519) show both, as long as an attacker of the store can change neither this file nor the key: keep
the file, and a copy of the public key, on another disk or machine.

The file stays short: the newest heads are all kept, of older ones ever fewer. A head proves everything before it, so
that an old one only narrows down where a change begins.

The file has one JSON object a line: `store` (UUID), `position`, `hash` (hex), `recorded` (ns), `key` (which public key)
and `signature` (hex). The public keys stand in PEM form in the file of the same name that ends in `.pub`.
"""

import errno
import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from qiki_eventstore.errors import StoreCorrupt, StoreFull, StoreUnavailable
from qiki_eventstore.files import open_regular, read_regular, sync, sync_folder

_PURPOSE: Final = b"qiki event store head 1\0"
_FIXED: Final = struct.Struct(">16sqq32s")
_END: Final = b"-----END PUBLIC KEY-----"
_NEWEST: Final = 512
"""Heads that are all kept; of older ones at most as many."""

L = TypeVar("L")


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The store's end at a moment, and whether its signature holds.

    Attributes:
        line: line of the file, from 1.
        store: 16 bytes of the store's id.
        position: last position at that moment.
        hash: its hash, 32 bytes.
        recorded: its recording time, ns.
        problem: why it cannot be trusted; empty if it can.
    """

    line: int
    store: bytes
    position: int
    hash: bytes
    recorded: int
    problem: str = ""


def public_keys_file(heads: Path) -> Path:
    """File of the public keys of a file of signed heads: `events.db.heads` has `events.db.pub`."""
    return heads.with_suffix(".pub") if heads.suffix == ".heads" else heads.with_name(heads.name + ".pub")


class HeadSigner:
    """Signs heads and appends them to a file; used by one thread at a time.

    Args:
        path: file of signed heads; made when the first is signed.
        key: file of the private key in PEM form; made on first use, readable by its owner only.
        store: 16 bytes of the store's id.

    Raises:
        StoreUnavailable: the key cannot be read or made.
        StoreFull: no room to make it.
    """

    def __init__(self, path: Path, key: Path, store: bytes) -> None:
        self._path, self._store = path, store
        try:
            self._private = _load_or_make(key)
            self._name = _publish(self._private.public_key(), public_keys_file(path))
            lines = list(read_heads(path))
            heads = [head for head in lines if head.store != bytes(16)]
            self._file = _identity(path.stat()) if heads else None
        except OSError as error:
            reason = f"signed heads {path}, key {key}: {error}"
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StoreFull(f"{reason}: free space and open the store again") from error
            raise StoreUnavailable(reason) from error
        except ValueError as error:
            raise StoreUnavailable(f"signed heads {path}, key {key}: {error}") from error
        self._lines = lines[-1].line if lines else 0
        own = [head for head in heads if head.store == store]
        self.position = max((head.position for head in own), default=0)
        """Position of the newest head that was signed; 0 if none was."""
        self.newest = max((head for head in own if not head.problem), key=lambda head: head.position, default=None)
        """The newest own head whose signature holds."""
        self.foreign = next((head.store for head in reversed(heads) if head.store != store), None)
        """Store of the last head of another store."""

    def sign(self, position: int, hash: bytes, recorded: int) -> None:
        """Append a head, durably. If that fails (`OSError`), the next attempt signs what is newest then."""
        signature = self._private.sign(_signed(self._store, position, recorded, hash))
        line = json.dumps(
            {
                "store": str(UUID(bytes=self._store)),
                "position": position,
                "hash": hash.hex(),
                "recorded": recorded,
                "key": self._name,
                "signature": signature.hex(),
            }
        )
        fd = open_regular(self._path, os.O_RDWR | os.O_CREAT)
        try:
            os.ftruncate(fd, end := _end_of_last_line(fd))  # a crash may have left a torn line
            written = os.pwrite(fd, text := line.encode() + b"\n", end)
            if written < len(text):
                raise OSError(errno.ENOSPC, f"{self._path}: {os.strerror(errno.ENOSPC)}")
            os.fsync(fd)
            self._file = _identity(os.fstat(fd))
        finally:
            os.close(fd)
        if not end:
            sync_folder(self._path.parent)
        self.position = position
        self._lines += 1
        if self._lines >= 2 * _NEWEST:
            kept = _thinned(read_regular(self._path).splitlines(keepends=True))
            _write_new(self._path, b"".join(kept), 0o644)
            self._lines = len(kept)
            self._file = _identity(self._path.stat())

    def in_place(self) -> bool:
        """True if the file is the one that this store has signed into, not removed since, nor another store's."""
        try:
            return _identity(self._path.stat()) == self._file
        except OSError:
            return False

    def untouched(self) -> bool:
        """True if there was no such file at opening, and is none."""
        return self._file is None and not os.path.lexists(self._path)


def read_heads(path: Path) -> Iterator[SignedHead]:
    """The signed heads of a file, with what is wrong with each; none if there is no file. A torn last line is left out.

    Of a file that no program has thinned yet, those that it would keep.

    Raises:
        OSError: the file cannot be read.
    """
    lines, keys = _read(path)
    for number, line in lines if len(lines) < 2 * _NEWEST else _thinned(lines):
        yield _head(number, line, keys)


def _read(path: Path) -> tuple[list[tuple[int, bytes]], dict[str, Ed25519PublicKey]]:
    """Lines with their numbers, and the public keys."""
    text = _text(path)
    return list(enumerate(text.split(b"\n")[:-1], 1)), _public_keys(public_keys_file(path))


def _thinned(lines: list[L]) -> list[L]:
    """The newest lines, and so few of the older ones that each further time leaves ever fewer of them."""
    older = lines[:-_NEWEST]
    return older[:: -(-len(older) // (_NEWEST // 2)) or 1] + lines[-_NEWEST:]


def _head(number: int, line: bytes, keys: dict[str, Ed25519PublicKey]) -> SignedHead:
    try:
        fields = json.loads(line)
        store, hash = UUID(fields["store"]).bytes, bytes.fromhex(fields["hash"])
        position, recorded = int(fields["position"]), int(fields["recorded"])
        key, signature = keys.get(fields["key"]), bytes.fromhex(fields["signature"])
        signed = _signed(store, position, recorded, hash)
    except (KeyError, TypeError, ValueError, AttributeError, struct.error) as error:
        return SignedHead(number, bytes(16), 0, bytes(32), 0, f"is not a signed head ({error!r})")
    problem = ""
    if key is None:
        problem = f"was signed with key {fields['key']!r}, which is not among the public keys"
    else:
        try:
            key.verify(signature, signed)
        except InvalidSignature:
            problem = "has a signature that does not hold"
    return SignedHead(number, store, position, hash, recorded, problem)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _signed(store: bytes, position: int, recorded: int, hash: bytes) -> bytes:
    if len(hash) != 32:
        raise ValueError(f"a hash of {len(hash)} bytes instead of 32")
    return _PURPOSE + _FIXED.pack(store, position, recorded, hash)


def _end_of_last_line(fd: int) -> int:
    size = os.fstat(fd).st_size
    start = max(0, size - 4096)
    return start + os.pread(fd, size - start, start).rfind(b"\n") + 1


def _load_or_make(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(read_regular(path), password=None)
    except FileNotFoundError:
        made = Ed25519PrivateKey.generate()
        text = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write_new(path, text, 0o600)
        return made
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("the key is not an Ed25519 key")
    return key


def _publish(key: Ed25519PublicKey, path: Path) -> str:
    """Add a public key to the file unless it is there; its name."""
    name = _name(key)
    if name not in _public_keys(path):
        text = _text(path)
        _write_new(path, text + key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    return name


def _public_keys(path: Path) -> dict[str, Ed25519PublicKey]:
    keys: dict[str, Ed25519PublicKey] = {}
    text = _text(path)
    for part in text.split(_END)[:-1]:
        try:
            key = load_pem_public_key(part.strip() + b"\n" + _END + b"\n")
        except ValueError as error:
            raise StoreCorrupt(f"{path}: not a public key ({error}): put the exported copy back") from error
        if isinstance(key, Ed25519PublicKey):
            keys[_name(key)] = key
    return keys


def _text(path: Path) -> bytes:
    try:
        return read_regular(path)
    except FileNotFoundError:
        return b""


def _name(key: Ed25519PublicKey) -> str:
    return sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def _write_new(path: Path, text: bytes, mode: int) -> None:
    """Replace a file as a whole, so that no crash leaves half a key."""
    draft = path.with_name(path.name + ".new")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(text)
            sync(file)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
