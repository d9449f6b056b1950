"""Key files of a group of bots: create, rotate, revoke, and their problems.

    custody = Custody(Path(".qiki/run/xpdr"))
    custody.create(["alpha", "bravo"])                  # alpha/own.yaml, group.yaml and ring.yaml, and those of bravo
    custody.rotate(["alpha"], at=300.0, overlap=60.0)   # the new key signs from 300 s on, the old one is valid to 360 s
    custody.revoke(["bravo"])
    custody.holdings()                                  # of each bot, with problems

Each change writes all rings, from the own keys of the bots and the members that are in a ring alone; revoked keys are
those of any ring. So a change also mends what an interrupted one has left.
"""

import fcntl
import math
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

import yaml

from qiki_vehicle import ConfigurationError
from qiki_vehicle.files import Section
from qiki_vehicle.keys import ALWAYS, MOST_KEYS, GroupKeys, KeyRing, OwnKeys, Public, Secret, key_id

OWN, GROUP, RING = "own.yaml", "group.yaml", "ring.yaml"
_FILES: Final = (OWN, GROUP, RING)
_T = TypeVar("_T", OwnKeys, GroupKeys, KeyRing)
_BOT = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)


@dataclass(frozen=True)
class Holding:
    """Key files of a bot; None: missing or refused.

    Attributes:
        problems: one line each; empty: the files fit each other, and those of the other bots.
    """

    bot: str
    own: OwnKeys | None = None
    group: GroupKeys | None = None
    ring: KeyRing | None = None
    problems: tuple[str, ...] = ()

    @property
    def revoked(self) -> bool:
        """The own ring has revoked each own key."""
        return self.own is not None and self.ring is not None and set(self.key_ids) <= set(self.ring.revoked)

    @property
    def key_ids(self) -> list[str]:
        """Ids of the own keys, in their order."""
        return [] if self.own is None else _ids(key.public for key in self.own.keys)


@dataclass
class _Group:
    """All that the files of a group hold together."""

    owns: dict[str, OwnKeys]
    foes: dict[str, tuple[str, ...]]
    bodies: dict[str, str]
    members: dict[str, tuple[Public, ...]]
    revoked: list[str]
    secrets: GroupKeys

    def list_owns(self) -> None:
        """Put the public keys of the bots among the members', and their names to their ids."""
        self.bodies.update({own.identity: bot for bot, own in self.owns.items()})
        self.members.update({own.identity: tuple(key.public for key in own.keys) for own in self.owns.values()})

    @property
    def out(self) -> set[str]:
        """Ids of which every key is revoked."""
        return {identity for identity, keys in self.members.items() if set(_ids(keys)) <= set(self.revoked)}


class Custody:
    """Key files below a folder, in a folder for each bot.

    Raises, of each change:
        ConfigurationError: naming field, value and what is allowed; nothing is changed.
        OSError: a file cannot be written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def bots(self) -> tuple[str, ...]:
        """Bots with a key file."""
        if not self.root.is_dir():
            return ()
        there = (one for one in self.root.iterdir() if any(os.path.lexists(one / name) for name in _FILES))
        return tuple(sorted(one.name for one in there if _BOT.fullmatch(one.name)))

    def holdings(self) -> tuple[Holding, ...]:
        """Files of all bots, by name."""
        return _compared([self._holding(bot) for bot in self.bots])

    def create(self, bots: Sequence[str], valid_until: float = ALWAYS) -> tuple[Holding, ...]:
        """Make the files of bots that have none; they join the group that is there. valid_until: s, of their keys."""
        wrong = [bot for bot in bots if not _BOT.fullmatch(bot)]
        if wrong or not bots or len(set(bots)) < len(bots):
            names = ", ".join(map(repr, wrong or bots)) or "none"
            raise ConfigurationError(f"bots: {names}; allowed: different names of letters, digits and _, at most 64")
        with self._changing() as group:
            there = sorted(set(bots) & set(self.bots))
            if there:
                raise ConfigurationError(f"bots: {', '.join(there)}; allowed: those without key files: none is lost")
            for bot in bots:
                group.owns[bot] = OwnKeys.fresh(valid_until)
        return self.holdings()

    def rotate(
        self,
        bots: Iterable[str],
        *,
        at: float,
        overlap: float,
        valid_until: float = ALWAYS,
        secret: bool = False,
    ) -> tuple[Holding, ...]:
        """Give bots a further key; those of before stay valid for an overlap. One that was revoked is back with it.

        Args:
            at: s of the common clock, from which the new key signs. overlap: s.
            secret: the group gets a further secret, too.
        """
        for name, value, low in (("at", at, -ALWAYS), ("overlap", overlap, 0.0), ("valid_until", valid_until, at)):
            if not (math.isfinite(value) and low <= value <= ALWAYS):
                raise ConfigurationError(f"{name}: {value}; allowed: {low:g} to {ALWAYS:g} s")
        with self._changing() as group:
            for bot in bots:
                own = _named(group, bot)
                fresh = Secret.fresh(at, valid_until)
                group.owns[bot] = OwnKeys(identity=own.identity, keys=_turned(bot, own.keys, fresh, overlap, 1))
            if secret:
                fresh = Secret.fresh(at, valid_until)
                group.secrets = GroupKeys(keys=_turned("the group", group.secrets.keys, fresh, overlap, 0))
        return self.holdings()

    def revoke(self, names: Iterable[str]) -> tuple[Holding, ...]:
        """Revoke all keys of a bot or an id, or one key by its id.

        The secret of the group is known to one whose last key is revoked: the others get another one, at once.
        """
        with self._changing() as group:
            before = group.out
            for name in names:
                for one in _keys_of(group, name):
                    if one not in group.revoked:
                        group.revoked.append(one)
            if group.out > before and group.secrets.keys:
                group.secrets = GroupKeys(keys=(Secret.fresh(),))
        return self.holdings()

    def _holding(self, bot: str) -> Holding:
        place, problems = self.root / bot, list[str]()

        def read(path: Path, kind: type[_T]) -> _T | None:
            try:
                return kind.from_file(path)
            except ConfigurationError as error:
                problems.extend(str(error).splitlines())
                return None

        group = read(place / GROUP, GroupKeys) if os.path.lexists(place / GROUP) else GroupKeys()
        return Holding(bot, read(place / OWN, OwnKeys), group, read(place / RING, KeyRing), tuple(problems))

    @contextmanager
    def _changing(self) -> Iterator[_Group]:
        """The group, of which all files are written at the end. One process at a time."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            holdings = [self._holding(bot) for bot in self.bots]
            bad = [line for one in holdings for line in one.problems]
            if bad:
                raise ConfigurationError("\n".join(bad))
            group = _together(holdings)
            yield group
            self._write(group)
        finally:
            os.close(descriptor)

    def _write(self, group: _Group) -> None:
        """Rings first: nobody signs with a key that is in no ring yet. Secrets go to those that are not revoked."""
        group.list_owns()
        out = group.out
        files: dict[Path, Section] = {}
        for bot in group.owns:
            foes = group.foes.get(bot, ())
            ring = {"members": group.members, "revoked": tuple(group.revoked)}
            ring |= {"foes": foes, "bodies": group.bodies}
            files[self.root / bot / RING] = KeyRing.model_validate(ring)
        if group.secrets.keys:
            files |= {
                self.root / bot / GROUP: group.secrets for bot, own in group.owns.items() if own.identity not in out
            }
        files |= {self.root / bot / OWN: own for bot, own in group.owns.items()}
        _replace_all(files)


def _together(holdings: Sequence[Holding]) -> _Group:
    members: dict[str, tuple[Public, ...]] = {}
    bodies: dict[str, str] = {}
    revoked: dict[str, None] = {}
    for one in holdings:
        if one.ring is not None:
            members |= one.ring.members
            bodies |= one.ring.bodies
            revoked |= dict.fromkeys(one.ring.revoked)
    owns = {one.bot: one.own for one in holdings if one.own is not None}
    foes = {one.bot: one.ring.foes for one in holdings if one.ring is not None}
    group = _Group(owns, foes, bodies, members, list(revoked), GroupKeys())
    group.list_owns()
    out = group.out
    group.secrets = _common([one.group for one in holdings if one.group and one.own and one.own.identity not in out])
    return group


def _common(groups: Sequence[GroupKeys]) -> GroupKeys:
    """Secrets that all have: another one may be known to a revoked bot. None in common: a new one."""
    if groups and not any(group.keys for group in groups):
        return GroupKeys()
    first = groups[0].keys if groups else ()
    shared = [key for key in first if all(group.find(key.group_id) is not None for group in groups)]
    return GroupKeys(keys=tuple(shared) or (Secret.fresh(),))


def _turned(owner: str, keys: Sequence[Secret], fresh: Secret, overlap: float, keep: int) -> tuple[Secret, ...]:
    """Keys with a further one. Of the old ones those that are over leave, but for the first `keep`."""
    at = fresh.valid_from
    newest = max((key.valid_from for key in keys), default=-math.inf)
    if newest >= at:
        raise ConfigurationError(f"at: {at:g}; allowed: after {newest:g} s, when the newest key of {owner} begins")
    old = [key for row, key in enumerate(keys) if row < keep or key.valid_until >= at]
    if len(old) >= MOST_KEYS:
        raise ConfigurationError(f"keys of {owner}: {len(old)} are valid; allowed: {MOST_KEYS - 1} beside a new one")
    end = at + overlap
    return (*(key.model_copy(update={"valid_until": min(key.valid_until, end)}) for key in old), fresh)


def _named(group: _Group, bot: str) -> OwnKeys:
    if bot not in group.owns:
        raise ConfigurationError(f"bot: {bot!r}; allowed: {', '.join(group.owns) or 'none yet'}")
    return group.owns[bot]


def _keys_of(group: _Group, name: str) -> list[str]:
    """Ids of the keys that a name of a bot, an id or the id of a key stands for."""
    if name in group.owns:
        name = group.owns[name].identity
    listed = {identity: _ids(keys) for identity, keys in group.members.items()}
    if name in listed:
        return listed[name]
    if any(name in ids for ids in listed.values()):
        return [name]
    raise ConfigurationError(f"name: {name!r}; allowed: a bot, an id or the id of a key that is in a ring")


def _ids(keys: Iterable[Public]) -> list[str]:
    return [key_id(key.raw).hex() for key in keys]


def _compared(holdings: Sequence[Holding]) -> tuple[Holding, ...]:
    """Add the problems that show beside the others."""
    rings = {one.bot: one.ring for one in holdings if one.ring is not None}
    groups = {one.bot: one.group for one in holdings if one.group is not None and not one.revoked}
    identities = Counter(one.own.identity for one in holdings if one.own is not None)
    made = []
    for one in holdings:
        problems = list(one.problems)
        if one.ring is not None:
            other, first = next(iter(rings.items()))
            if (one.ring.members, set(one.ring.revoked)) != (first.members, set(first.revoked)):
                problems.append(f"{RING}: members or revoked keys are others than those of {other}")
        if one.own is not None:
            for bot, ring in rings.items():
                listed = ring.members.get(one.own.identity, ())
                missing = [key.public for key in one.own.keys if key.public not in listed]
                problems += [f"{OWN}: key {id} is not so in the ring of {bot}" for id in _ids(missing)]
            if identities[one.own.identity] > 1:
                problems.append(f"{OWN}: id {one.own.identity} is that of another bot too")
        if one.bot in groups:
            other, secrets = next(iter(groups.items()))
            if one.group != secrets:
                problems.append(f"{GROUP}: other secrets than those of {other}")
        made.append(replace(one, problems=tuple(problems)))
    return tuple(made)


def _replace_all(files: Mapping[Path, Section]) -> None:
    """Write files beside their places, then move each to its place."""
    staged: list[tuple[Path, Path]] = []
    try:
        for path, content in files.items():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".", suffix=".new", dir=path.parent)
            staged.append((Path(name), path))
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), 0o644 if path.name == RING else 0o600)
                yaml.safe_dump(content.model_dump(mode="json"), file, sort_keys=False)
                file.flush()
                os.fsync(file.fileno())
        for fresh, path in staged:
            fresh.replace(path)
    finally:
        for fresh, _ in staged:
            fresh.unlink(missing_ok=True)
