"""Claims that wait for a manifest, and the chain of verified manifests of each id."""

from collections import Counter, OrderedDict
from dataclasses import dataclass

from qiki_vehicle.radio import Iff as Settings
from qiki_xpdr.frames import Claim, Manifest
from qiki_xpdr.reasons import Reason
from qiki_xpdr.standing import Source

_GAP = 1.5
"""Lengths of a manifest's cover, beyond which one between two was not received."""


@dataclass(frozen=True)
class Waiting:
    """A claim that arrived from a source at a time, s."""

    number: int
    source: Source
    claim: Claim
    arrived: float


@dataclass
class _Chain:
    """Newest verified manifest of an id. missing: hashes listed whose claims have not arrived."""

    manifest: Manifest
    missing: set[bytes]


class Chains:
    """Retroactive verification: a manifest decides on the claims of its time.

    chains.add(frame_hash, Waiting(…))      # of each claim: None while it waits, else its outcome
    chains.link(manifest)                   # of each manifest with a good signature: None, or why it is not believed
    chains.listed(manifest)                 # the claims that it decides on, with their outcomes
    chains.expired(now)                     # claims whose manifest has not come
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: OrderedDict[bytes, Waiting] = OrderedDict()
        self._waiting_of: Counter[Source] = Counter()
        self._chains: dict[str, _Chain] = {}

    def waits(self, frame_hash: bytes) -> bool:
        """True for the hash of a claim that waits."""
        return frame_hash in self._waiting

    def old(self, manifest: Manifest) -> bool:
        """True where one of the id that is as new has been verified."""
        chain = self._chains.get(manifest.identity)
        return chain is not None and manifest.valid_from <= chain.manifest.valid_from

    def add(self, frame_hash: bytes, claim: Waiting) -> Reason | None:
        """Let a new claim wait, within the limits of its source and of all; else its outcome."""
        reason = self._late(claim.claim, frame_hash)
        settings, source = self._settings, claim.source
        most = settings.queue_max if source is None else settings.queue_per_source
        if reason is None and (self._waiting_of[source] >= most or len(self._waiting) >= settings.replay_cache):
            reason = Reason.SHED
        if reason is None:
            self._waiting[frame_hash] = claim
            self._waiting_of[source] += 1
        return reason

    def expired(self, now: float) -> list[Waiting]:
        """Take the claims that have waited for too long, or arrived in the future of a clock that was set back."""
        found = []
        while self._waiting:
            frame_hash, one = next(iter(self._waiting.items()))
            if -self._settings.skew <= now - one.arrived <= self._settings.pending:
                break
            self._settle(frame_hash)
            found.append(one)
        return found

    def link(self, manifest: Manifest) -> Reason | None:
        """Take a manifest with a good signature as the newest of its id; else REPLAY or CHAIN_BROKEN."""
        if self.old(manifest):
            return Reason.REPLAY
        chain = self._chains.get(manifest.identity)
        self._chains[manifest.identity] = _Chain(manifest, set(manifest.hashes))
        if chain is None or manifest.previous == chain.manifest.present:
            return None
        before, cover = chain.manifest.valid_from, manifest.valid_from - manifest.covers_from
        if manifest.covers_from < before or manifest.valid_from - before <= _GAP * cover:
            # Two holders of one key: neither is believed before one follows on itself.
            return Reason.CHAIN_BROKEN
        return None

    def listed(self, manifest: Manifest) -> list[tuple[Waiting, Reason]]:
        """Take the claims that waited for a manifest, each with its outcome: MANIFEST, or UNLISTED."""
        missing, found = self._chains[manifest.identity].missing, []
        for frame_hash, one in list(self._waiting.items()):
            claim = one.claim
            if claim.identity != manifest.identity or not manifest.covers_from <= claim.time < manifest.valid_from:
                continue
            found.append((one, Reason.MANIFEST if frame_hash in missing else Reason.UNLISTED))
            missing.discard(frame_hash)
            self._settle(frame_hash)
        return found

    def _late(self, claim: Claim, frame_hash: bytes) -> Reason | None:
        """Outcome of a claim that arrives after the manifest of its time; None: it does not."""
        chain = self._chains.get(claim.identity)
        if chain is None or claim.time >= chain.manifest.valid_from:
            return None
        if frame_hash in chain.missing:
            chain.missing.discard(frame_hash)
            return Reason.MANIFEST
        if frame_hash in chain.manifest.hashes:
            return Reason.REPLAY
        return Reason.UNLISTED if claim.time >= chain.manifest.covers_from else Reason.STALE

    def _settle(self, frame_hash: bytes) -> None:
        source = self._waiting.pop(frame_hash).source
        self._waiting_of[source] -= 1
        if not self._waiting_of[source]:
            del self._waiting_of[source]
