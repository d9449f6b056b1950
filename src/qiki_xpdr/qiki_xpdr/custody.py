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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from qiki_vehicle import ConfigurationError
from qiki_vehicle.files import Section
from qiki_vehicle.keys import ALWAYS, GroupKeys, KeyRing, OwnKeys, Secret
from qiki_xpdr.holdings import FILES, GROUP, OWN, RING, Holding, compared, read_holding
from qiki_xpdr.key_group import Group, together, turned

_BOT = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)


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
        there = (one for one in self.root.iterdir() if any(os.path.lexists(one / name) for name in FILES))
        return tuple(sorted(one.name for one in there if _BOT.fullmatch(one.name)))

    def holdings(self) -> tuple[Holding, ...]:
        """Files of all bots, by name."""
        return compared([read_holding(self.root / bot) for bot in self.bots])

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
                own = group.own(bot)
                fresh = Secret.fresh(at, valid_until)
                group.owns[bot] = OwnKeys(identity=own.identity, keys=turned(bot, own.keys, fresh, overlap, 1))
            if secret:
                fresh = Secret.fresh(at, valid_until)
                group.secrets = GroupKeys(keys=turned("the group", group.secrets.keys, fresh, overlap, 0))
        return self.holdings()

    def revoke(self, names: Iterable[str]) -> tuple[Holding, ...]:
        """Revoke all keys of a bot or an id, or one key by its id.

        The secret of the group is known to one whose last key is revoked: the others get another one, at once.
        """
        with self._changing() as group:
            before = group.out
            for name in names:
                for one in group.ids(name):
                    if one not in group.revoked:
                        group.revoked.append(one)
            if group.out > before and group.secrets.keys:
                group.secrets = GroupKeys(keys=(Secret.fresh(),))
        return self.holdings()

    @contextmanager
    def _changing(self) -> Iterator[Group]:
        """The group, of which all files are written at the end. One process at a time."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            holdings = [read_holding(self.root / bot) for bot in self.bots]
            bad = [line for one in holdings for line in one.problems]
            if bad:
                raise ConfigurationError("\n".join(bad))
            group = together(holdings)
            yield group
            self._write(group)
        finally:
            os.close(descriptor)

    def _write(self, group: Group) -> None:
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
