"""Radio frames as bytes, in the shape of RFC 9575: claims, manifests that sign them, interrogations, answers.

A frame is `QX`, version, kind, then the fields little-endian. Times are nanoseconds of the common clock. Decoding is
strict: a frame of wrong length, with an id of other characters, or a number that is not finite, is refused.
"""

import hashlib
import math
import struct
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from qiki_vehicle.keys import IDENTITY

HASH_BYTES: Final = 16
NONCE_BYTES: Final = 16
LARGEST: Final = 1280
"""Bytes of a frame."""
MOST_HASHES: Final = 64
HMAC, SIGNATURE = 1, 2
"""Methods of an answer."""
PROOF_BYTES: Final = {HMAC: 32, SIGNATURE: 64}
FARTHEST: Final = 1e9
"""m and m/s, of a claim along each axis."""

_HEAD = struct.Struct("<2sBB")
_MAGIC, _VERSION = b"QX", 1


class FrameError(ValueError):
    """Bytes that are no radio frame."""


def digest(content: bytes) -> bytes:
    """Hash of a frame, as manifests list it."""
    return hashlib.sha256(content).digest()[:HASH_BYTES]


@dataclass(frozen=True)
class Claim:
    """Unverified statement of a transmitter about itself.

    Attributes:
        mode: number of `Mode`, as declared.
        position: m, world. velocity: m/s, world.
    """

    identity: str
    time: int
    sequence: int
    mode: int
    position: tuple[float, float, float]
    velocity: tuple[float, float, float]

    KIND: ClassVar[int] = 1
    _BODY: ClassVar = struct.Struct("<16sqIB6d")

    def encode(self) -> bytes:
        """The frame."""
        body = self._BODY.pack(
            _name(self.identity), self.time, self.sequence, self.mode, *self.position, *self.velocity
        )
        return _head(self.KIND) + body

    @classmethod
    def _decode(cls, body: bytes) -> "Claim":
        identity, time, sequence, mode, *numbers = cls._BODY.unpack(body)
        if not all(math.isfinite(x) and abs(x) <= FARTHEST for x in numbers):
            raise FrameError(f"claim {numbers}; allowed: finite, up to {FARTHEST:g}")
        if mode > 3:
            raise FrameError(f"mode {mode}; allowed: 0 to 3")
        x, y, z, vx, vy, vz = numbers
        return cls(_identity(identity), time, sequence, mode, (x, y, z), (vx, vy, vz))


@dataclass(frozen=True)
class Manifest:
    """Signed list of the claims of a time.

    Attributes:
        key: id of the signing key.
        valid_from, valid_until: for the receiver. covers_from: time of the oldest claim listed; covers to `valid_from`.
        previous: `present` of the manifest before; zeros: none.
        hashes: of the frames covered, in their order.
        signature: empty: not signed yet.
    """

    identity: str
    key: bytes
    covers_from: int
    valid_from: int
    valid_until: int
    previous: bytes
    hashes: tuple[bytes, ...]
    signature: bytes = b""

    KIND: ClassVar[int] = 2
    _BODY: ClassVar = struct.Struct("<16s8sqqq16sB")

    @property
    def content(self) -> bytes:
        """Signed part: everything before the signature, the own hash included."""
        return self._unhashed + self.present

    @property
    def present(self) -> bytes:
        """Hash of this manifest."""
        return digest(self._unhashed)

    @property
    def _unhashed(self) -> bytes:
        times = (self.covers_from, self.valid_from, self.valid_until)
        body = self._BODY.pack(_name(self.identity), self.key, *times, self.previous, len(self.hashes))
        return _head(self.KIND) + body + b"".join(self.hashes)

    def encode(self) -> bytes:
        """The frame."""
        return self.content + self.signature

    def signed(self, signature: bytes) -> "Manifest":
        """The same with its signature."""
        return replace(self, signature=signature)

    @classmethod
    def _decode(cls, body: bytes) -> "Manifest":
        size = cls._BODY.size
        if len(body) < size:
            raise FrameError(f"manifest of {len(body)} bytes; allowed: at least {size}")
        identity, key, covers_from, valid_from, valid_until, previous, count = cls._BODY.unpack_from(body)
        end = size + count * HASH_BYTES
        if count > MOST_HASHES or len(body) != end + HASH_BYTES + PROOF_BYTES[SIGNATURE]:
            raise FrameError(f"manifest of {count} hashes and {len(body)} bytes; allowed: as many as it says")
        hashes = tuple(body[at : at + HASH_BYTES] for at in range(size, end, HASH_BYTES))
        times = (covers_from, valid_from, valid_until)
        made = cls(_identity(identity), key, *times, previous, hashes, body[end + HASH_BYTES :])
        if made.present != body[end : end + HASH_BYTES]:
            raise FrameError("manifest: its own hash differs; allowed: that of its content")
        return made


@dataclass(frozen=True)
class Interrogation:
    """Question for proof of identity.

    Attributes:
        nonce: of NONCE_BYTES, used once.
        method: HMAC or SIGNATURE.
    """

    sender: str
    target: str
    time: int
    nonce: bytes
    method: int

    KIND: ClassVar[int] = 3
    _BODY: ClassVar = struct.Struct("<16s16sq16sB")

    def encode(self) -> bytes:
        """The frame."""
        body = self._BODY.pack(_name(self.sender), _name(self.target), self.time, self.nonce, self.method)
        return _head(self.KIND) + body

    @classmethod
    def _decode(cls, body: bytes) -> "Interrogation":
        sender, target, time, nonce, method = cls._BODY.unpack(body)
        return cls(_identity(sender), _identity(target), time, nonce, _method(method))


@dataclass(frozen=True)
class Answer:
    """Proof of identity.

    Attributes:
        question: hash of the interrogation's frame.
        key: id of the key used.
    """

    identity: str
    nonce: bytes
    time: int
    question: bytes
    key: bytes
    method: int
    proof: bytes = b""

    KIND: ClassVar[int] = 4
    _BODY: ClassVar = struct.Struct("<16s16sq16s8sB")

    @property
    def content(self) -> bytes:
        """Part that the proof covers."""
        numbers = (self.nonce, self.time, self.question, self.key, self.method)
        return _head(self.KIND) + self._BODY.pack(_name(self.identity), *numbers)

    def encode(self) -> bytes:
        """The frame."""
        return self.content + self.proof

    def proven(self, proof: bytes) -> "Answer":
        """The same with its proof."""
        return replace(self, proof=proof)

    @classmethod
    def _decode(cls, body: bytes) -> "Answer":
        size = cls._BODY.size
        if len(body) < size:
            raise FrameError(f"answer of {len(body)} bytes; allowed: at least {size}")
        identity, nonce, time, question, key, method = cls._BODY.unpack_from(body)
        proof = body[size:]
        if len(proof) != PROOF_BYTES[_method(method)]:
            raise FrameError(f"proof of {len(proof)} bytes; allowed: {PROOF_BYTES[method]}")
        return cls(_identity(identity), nonce, time, question, key, method, proof)


Frame = Claim | Manifest | Interrogation | Answer
_KINDS: Final = {kind.KIND: kind for kind in (Claim, Manifest, Interrogation, Answer)}


def decode(content: bytes) -> Frame:
    """A frame from its bytes.

    Raises:
        FrameError: they are none.
    """
    if not _HEAD.size <= len(content) <= LARGEST:
        raise FrameError(f"{len(content)} bytes; allowed: {_HEAD.size} to {LARGEST}")
    magic, version, number = _HEAD.unpack_from(content)
    kind = _KINDS.get(number)
    if magic != _MAGIC or version != _VERSION or kind is None:
        raise FrameError(
            f"head {content[: _HEAD.size].hex()}; allowed: QX, version {_VERSION}, kind 1 to {len(_KINDS)}"
        )
    try:
        return kind._decode(content[_HEAD.size :])
    except struct.error as error:
        raise FrameError(f"{kind.__name__} of {len(content)} bytes: {error}") from error


def _head(kind: int) -> bytes:
    return _HEAD.pack(_MAGIC, _VERSION, kind)


def checked_identity(identity: str) -> str:
    """An id that a frame can carry.

    Raises:
        ValueError: it is none.
    """
    if not IDENTITY.fullmatch(identity):
        raise ValueError(f"identity {identity!r}; allowed: 1 to 16 of A-Z, 0-9, -, _")
    return identity


def _name(identity: str) -> bytes:
    return checked_identity(identity).encode("ascii")


def _identity(name: bytes) -> str:
    text = name.rstrip(b"\0")
    try:
        return checked_identity(text.decode("ascii"))
    except ValueError as error:
        raise FrameError(f"identity {name!r}; allowed: 1 to 16 of A-Z, 0-9, -, _") from error


def _method(method: int) -> int:
    if method not in PROOF_BYTES:
        raise FrameError(f"method {method}; allowed: {HMAC} (HMAC), {SIGNATURE} (signature)")
    return method
