"""Identification by cryptography: outcome of each reception, standing of each id at each source.

A claim is unsigned; a manifest, once a second, signs the hashes of the claims since the one before. Verification is
therefore retroactive: `receive` gives outcomes that are cheap to find, `check`, once in a radar frame, those that a
signature decides.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from qiki_vehicle.keys import GroupKeys, KeyRing, key_id, seconds, verify
from qiki_vehicle.radio import Iff as Settings
from qiki_xpdr.chains import Chains, Waiting
from qiki_xpdr.checks import CheckQueue
from qiki_xpdr.frames import HMAC, Answer, Claim, FrameError, Interrogation, Manifest, decode, digest
from qiki_xpdr.modes import Allegiance, SpoofState
from qiki_xpdr.questions import Coded, Questions, group_proof
from qiki_xpdr.reasons import Reason
from qiki_xpdr.standing import Outcome, Source, Standing, Standings


@dataclass
class _Memory:
    """Set of the newest N, with the oldest forgotten."""

    largest: int
    items: OrderedDict[bytes, None] = field(default_factory=OrderedDict)

    def add(self, item: bytes) -> bool:
        """Remember; false: it is there already."""
        if item in self.items:
            return False
        self.items[item] = None
        if len(self.items) > self.largest:
            self.items.popitem(last=False)
        return True


class Iff:
    """Verification of receptions against a key ring.

    Args:
        identity: own id, under which interrogations are sent.
        nonce: makes the nonces; other than the default only in tests.
    """

    def __init__(
        self,
        settings: Settings,
        identity: str,
        ring: KeyRing,
        group: GroupKeys | None = None,
        nonce: Callable[[], bytes] | None = None,
    ) -> None:
        self._settings, self._identity, self._ring = settings, identity, ring
        self._group = group or GroupKeys()
        self._seen_frames = _Memory(settings.replay_cache)
        self._chains = Chains(settings)
        self._received: Counter[Source] = Counter()
        self._read = 0
        self._queue: CheckQueue[tuple[int, Source, Manifest | Answer]] = CheckQueue(
            settings.queue_max, settings.queue_per_source
        )
        self._questions = Questions(identity, settings.interrogation_timeout, settings.queue_max, nonce)
        self._standings = Standings(settings.replay_cache, settings.friend_valid)

    @property
    def identity(self) -> str:
        """Own id."""
        return self._identity

    @property
    def refusals(self) -> Counter[Reason]:
        """Receptions that were not verified, by reason."""
        return self._standings.refusals

    @property
    def queued(self) -> int:
        """Signatures that wait."""
        return len(self._queue)

    @property
    def dropped(self) -> int:
        """Signatures that were dropped unchecked."""
        return self._queue.dropped.total()

    def use(self, ring: KeyRing, group: GroupKeys | None = None) -> None:
        """Take another key ring, as after a rotation. Ids of revoked keys, or no longer in it, lose their standing."""
        revoked = set(ring.revoked) - set(self._ring.revoked)
        lost = {found[0] for id in revoked if (found := self._ring.find(bytes.fromhex(id)))}
        self._ring, self._group = ring, group or self._group
        self._standings.revoke(lost, ring.members)

    def receive(self, number: int, frame: bytes, source: Source, now: float) -> tuple[Claim | None, list[Outcome]]:
        """Take a reception.

        Args:
            number: of the reception, for its outcomes. source: track to which direction and round trip assign it.
            now: s, of the common clock.

        Returns:
            The claim, if it is one that is neither stale nor a replay, and the outcomes known at once.
        """
        if not self._room(source):
            self.refusals[Reason.SHED] += 1
            return None, [Outcome(number, source, "", Reason.SHED)]
        try:
            message = decode(frame)
        except FrameError:
            self.refusals[Reason.MALFORMED] += 1
            return None, [Outcome(number, source, "", Reason.MALFORMED)]
        if isinstance(message, Interrogation):
            return None, []
        if message.identity == self._identity:
            return None, [self._out(number, source, message.identity, Reason.OWN_ID, now)]
        if isinstance(message, Claim):
            return self._claim(number, frame, message, source, now)
        if isinstance(message, Manifest):
            outcomes = self._manifest(number, message, source, now)
        else:
            outcomes = self._answer(number, message, source, now)
        return None, outcomes

    def check(self, now: float) -> list[Outcome]:
        """Check signatures that wait, at most `checks_per_frame`; claims without a manifest end unsigned."""
        outcomes: list[Outcome] = []
        self._received.clear()
        self._read = 0
        for _ in range(self._settings.checks_per_frame):
            item = self._queue.take()
            if item is None:
                break
            number, source, message = item
            outcomes += self._checked(number, source, message, now)
        for one in self._chains.expired(now):
            outcomes.append(self._out(one.number, one.source, one.claim.identity, Reason.UNSIGNED, now))
        return outcomes

    def interrogate(self, target: str, now: float, method: int = HMAC) -> bytes:
        """The frame of a new interrogation.

        Raises:
            ValueError: target or method is none.
        """
        return self._questions.ask(target, now, method)

    def standing(self, source: Source, identity: str, now: float, spoof: SpoofState = SpoofState.UNKNOWN) -> Standing:
        """Identification of an id at a source: FRIEND by proof, FOE by the ring's list or by evidence, else UNKNOWN.

        A forged message of the same source within `friend_valid` outweighs a proof.
        """
        return self._standings.of(source, identity, now, spoof, self._ring.foes)

    def may_be_proven(self, source: Source, identity: str, now: float) -> bool:
        """True for an id that is proven at a source, or a member's whose first claims there wait for a manifest."""
        standing = self.standing(source, identity, now)
        waits = standing.reason is Reason.NONE and identity in self._ring.members
        return waits or standing.result is Allegiance.FRIEND

    def member(self, message: Coded, now: float) -> Reason:
        """Result of a message's code by the group: GROUP_ANSWER for one of the ring whose keys are not revoked."""
        keys = self._ring.members.get(message.identity, ())
        if keys and all(key_id(key.raw).hex() in self._ring.revoked for key in keys):
            return Reason.KEY_REVOKED
        return group_proof(message, self._group, self._ring, now, self._settings.skew)

    def _room(self, source: Source) -> bool:
        """Count a reception; false: there were too many since the last `check`."""
        self._received[source] += 1
        self._read += 1
        most = self._settings.receptions_per_frame
        own = most // 2 if source is None else self._settings.queue_per_source
        if self._read <= most and self._received[source] <= own:
            return True
        self._read -= 1
        return False

    def _claim(
        self, number: int, frame: bytes, claim: Claim, source: Source, now: float
    ) -> tuple[Claim | None, list[Outcome]]:
        reason = self._timely(claim.time, claim.time, now, self._settings.claim_age)
        frame_hash = digest(frame)
        if reason is None and (not self._seen_frames.add(frame_hash) or self._chains.waits(frame_hash)):
            reason = Reason.REPLAY
        reason = reason or self._chains.add(frame_hash, Waiting(number, source, claim, now))
        if reason is None:
            return claim, []
        believable = claim if reason in (Reason.MANIFEST, Reason.SHED) else None
        return believable, [self._out(number, source, claim.identity, reason, now)]

    def _manifest(self, number: int, manifest: Manifest, source: Source, now: float) -> list[Outcome]:
        """Cheap checks, in the order of their cost; what passes waits for the check of its signature."""
        covered = manifest.covers_from <= manifest.valid_from < manifest.valid_until
        life = seconds(manifest.valid_until - manifest.covers_from)
        reason: Reason | None = None if covered and life <= 60.0 else Reason.LIFE
        reason = reason or self._timely(manifest.valid_from, manifest.valid_until, now, 0.0)
        reason = reason or self._bound(manifest.identity, manifest.key, now)
        if reason is None and self._chains.old(manifest):
            reason = Reason.REPLAY
        if reason is None and not any(map(self._chains.waits, manifest.hashes)):
            reason = Reason.UNMATCHED
        if reason is None and not self._seen_frames.add(digest(manifest.encode())):
            reason = Reason.REPLAY
        if reason is not None:
            return [self._out(number, source, manifest.identity, reason, now)]
        return self._enqueue(number, manifest, source, now)

    def _answer(self, number: int, answer: Answer, source: Source, now: float) -> list[Outcome]:
        reason = self._questions.fits(answer, now)
        reason = reason or self._timely(answer.time, answer.time, now, self._settings.interrogation_timeout)
        if reason is None and answer.method == HMAC:
            reason = group_proof(answer, self._group, self._ring, now, self._settings.skew)
            if reason is Reason.GROUP_ANSWER:
                self._questions.close(answer)
        reason = reason or self._bound(answer.identity, answer.key, now)
        if reason is None:
            return self._enqueue(number, answer, source, now)
        return [self._out(number, source, answer.identity, reason, now)]

    def _checked(self, number: int, source: Source, message: Manifest | Answer, now: float) -> list[Outcome]:
        identity = message.identity
        # The ring may have changed while it waited.
        reason = self._bound(identity, message.key, now)
        found = self._ring.find(message.key)
        proof = message.signature if isinstance(message, Manifest) else message.proof
        if reason is None and (found is None or not verify(found[1].raw, proof, message.content)):
            reason = Reason.SIGNATURE
        if isinstance(message, Answer):
            if reason is None and not self._questions.close(message):
                reason = Reason.NOT_ASKED
            return [self._out(number, source, identity, reason or Reason.SIGNED_ANSWER, now)]
        reason = reason or self._chains.link(message)
        if reason is not None:
            return [self._out(number, source, identity, reason, now)]
        return [
            self._out(one.number, one.source, identity, outcome, now) for one, outcome in self._chains.listed(message)
        ]

    def _enqueue(self, number: int, message: Manifest | Answer, source: Source, now: float) -> list[Outcome]:
        dropped = self._queue.put((source, message.key), (number, source, message))
        if dropped is None:
            return []
        at, where, lost = dropped
        return [self._out(at, where, lost.identity, Reason.SHED, now)]

    def _timely(self, first: int, last: int, now: float, age: float) -> Reason | None:
        """Refusal of a time that has not begun, or is over for more than `age`, beyond the skew of clocks."""
        if seconds(first) > now + self._settings.skew:
            return Reason.FUTURE
        if seconds(last) < now - age - self._settings.skew:
            return Reason.STALE
        return None

    def _bound(self, identity: str, key: bytes, now: float) -> Reason | None:
        """Refusal of a key for an id."""
        found = self._ring.find(key)
        if found is None:
            return Reason.KEY_UNKNOWN
        if found[0] != identity:
            return Reason.ID_NOT_BOUND
        if key.hex() in self._ring.revoked:
            return Reason.KEY_REVOKED
        return None if found[1].valid(now, self._settings.skew) else Reason.KEY_OUT_OF_TIME

    def _out(self, number: int, source: Source, identity: str, reason: Reason, now: float) -> Outcome:
        return self._standings.record(Outcome(number, source, identity, reason), now)
