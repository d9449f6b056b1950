"""All that the key files of a group of bots hold together, and changes of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qiki_vehicle import ConfigurationError
from qiki_vehicle.keys import MOST_KEYS, GroupKeys, OwnKeys, Public, Secret
from qiki_xpdr.holdings import Holding, ids_of


@dataclass
class Group:
    """Content of the files of a group, by bot or by id."""

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
        return {identity for identity, keys in self.members.items() if set(ids_of(keys)) <= set(self.revoked)}

    def own(self, bot: str) -> OwnKeys:
        """Own keys of a bot.

        Raises:
            ConfigurationError: it has none.
        """
        if bot not in self.owns:
            raise ConfigurationError(f"bot: {bot!r}; allowed: {', '.join(self.owns) or 'none yet'}")
        return self.owns[bot]

    def ids(self, name: str) -> list[str]:
        """Ids of the keys that the name of a bot, an id or the id of a key stands for.

        Raises:
            ConfigurationError: it is none of these.
        """
        if name in self.owns:
            name = self.owns[name].identity
        listed = {identity: ids_of(keys) for identity, keys in self.members.items()}
        if name in listed:
            return listed[name]
        if any(name in ids for ids in listed.values()):
            return [name]
        raise ConfigurationError(f"name: {name!r}; allowed: a bot, an id or the id of a key that is in a ring")


def together(holdings: Sequence[Holding]) -> Group:
    """Content of the files of all bots, which have no problems by themselves."""
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
    group = Group(owns, foes, bodies, members, list(revoked), GroupKeys())
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


def turned(owner: str, keys: Sequence[Secret], fresh: Secret, overlap: float, keep: int) -> tuple[Secret, ...]:
    """Keys with a further one. Of the old ones those that are over leave, but for the first `keep`.

    Raises:
        ConfigurationError: one begins later, or too many are valid.
    """
    at = fresh.valid_from
    newest = max((key.valid_from for key in keys), default=-math.inf)
    if newest >= at:
        raise ConfigurationError(f"at: {at:g}; allowed: after {newest:g} s, when the newest key of {owner} begins")
    old = [key for row, key in enumerate(keys) if row < keep or key.valid_until >= at]
    if len(old) >= MOST_KEYS:
        raise ConfigurationError(f"keys of {owner}: {len(old)} are valid; allowed: {MOST_KEYS - 1} beside a new one")
    end = at + overlap
    return (*(key.model_copy(update={"valid_until": min(key.valid_until, end)}) for key in old), fresh)
