"""Key files of one bot, and problems that show beside those of the others."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from qiki_vehicle import ConfigurationError
from qiki_vehicle.keys import GroupKeys, KeyRing, OwnKeys, Public, key_id

OWN, GROUP, RING = "own.yaml", "group.yaml", "ring.yaml"
FILES: Final = (OWN, GROUP, RING)
_T = TypeVar("_T", OwnKeys, GroupKeys, KeyRing)


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
        return [] if self.own is None else ids_of(key.public for key in self.own.keys)


def read_holding(place: Path) -> Holding:
    """Files of a bot's folder, with their problems by themselves."""
    problems = list[str]()

    def read(path: Path, kind: type[_T]) -> _T | None:
        try:
            return kind.from_file(path)
        except ConfigurationError as error:
            problems.extend(str(error).splitlines())
            return None

    group = read(place / GROUP, GroupKeys) if os.path.lexists(place / GROUP) else GroupKeys()
    return Holding(place.name, read(place / OWN, OwnKeys), group, read(place / RING, KeyRing), tuple(problems))


def compared(holdings: Sequence[Holding]) -> tuple[Holding, ...]:
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
                problems += [f"{OWN}: key {id} is not so in the ring of {bot}" for id in ids_of(missing)]
            if identities[one.own.identity] > 1:
                problems.append(f"{OWN}: id {one.own.identity} is that of another bot too")
        if one.bot in groups:
            other, secrets = next(iter(groups.items()))
            if one.group != secrets:
                problems.append(f"{GROUP}: other secrets than those of {other}")
        made.append(replace(one, problems=tuple(problems)))
    return tuple(made)


def ids_of(keys: Iterable[Public]) -> list[str]:
    """Ids of keys, in their order."""
    return [key_id(key.raw).hex() for key in keys]
