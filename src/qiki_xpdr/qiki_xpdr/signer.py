"""Chain of the own manifests: the claims sent are listed and signed once a period."""

from collections import deque

from qiki_vehicle.keys import OwnKeys, key_id, nanoseconds, seconds
from qiki_vehicle.radio import Transponder as Settings
from qiki_xpdr.frames import HASH_BYTES, MOST_HASHES, Manifest, digest


class Signer:
    """Manifests of the own claims."""

    def __init__(self, settings: Settings, keys: OwnKeys) -> None:
        self._period, self._life = settings.manifest_period, nanoseconds(settings.manifest_life)
        self._keys = keys
        self.begin_again()

    def use(self, keys: OwnKeys) -> None:
        """Sign with other keys of the same id; the chain goes on."""
        self._keys = keys

    def begin_again(self) -> None:
        """Begin a new chain, as after the clock was set back."""
        self._covers_from: int | None = None
        self._claims: deque[tuple[int, bytes]] = deque(maxlen=MOST_HASHES)
        self._previous = bytes(HASH_BYTES)

    def sent(self, time: int, frame: bytes) -> None:
        """Note a claim that is sent at that time, ns."""
        if self._covers_from is None:
            self._covers_from = time
        elif len(self._claims) == MOST_HASHES:
            self._covers_from = self._claims[1][0]
        self._claims.append((time, digest(frame)))

    def due(self, now: float) -> bytes | None:
        """The manifest of the claims since the last one, once it is due and a key is valid."""
        at, number = nanoseconds(now), self._keys.newest(now)
        if number is None or self._covers_from is None or seconds(at - self._covers_from) < self._period - 1e-6:
            return None
        # After a pause there are claims too old for a receiver to have kept.
        covers_from = max(self._covers_from, at - self._life)
        hashes = tuple(one for time, one in self._claims if time >= covers_from)
        key = key_id(self._keys.public(number).raw)
        identity = self._keys.identity
        blank = Manifest(identity, key, covers_from, at, at + self._life, self._previous, hashes)
        self._previous, self._covers_from = blank.present, at
        self._claims.clear()
        return blank.signed(self._keys.sign(number, blank.content)).encode()
