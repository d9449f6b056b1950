"""Key files of a bot, read again when they change; the own id stays until a restart."""

from pathlib import Path
from typing import Any, Final

from qiki_vehicle.files import ConfigurationError
from qiki_vehicle.keys import GroupKeys, KeyRing, OwnKeys

_Mark = tuple[int, int, int] | None
_FILES: Final = ("own.yaml", "group.yaml", "ring.yaml")


class KeyFiles:
    """Keys of a folder; a file that is missing holds none.

    Args:
        folder: None: no keys.

    Attributes:
        trouble: reason why a changed file is not in force; empty: it is.

    Raises:
        ConfigurationError: a file is refused.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._marks = self._look()
        self.own, self.group, self.ring = self._read()
        self.trouble = ""

    @property
    def summary(self) -> dict[str, Any]:
        """Ids of members, of revoked keys and of foes, and whether there is a secret of the group; no secrets."""
        ring = self.ring
        lists = {"members": list(ring.members), "revoked": list(ring.revoked), "foes": list(ring.foes)}
        return {**lists, "group": bool(self.group.keys)}

    def changed(self) -> bool:
        """Read files that have changed; true: other keys are in force. Those of before stay where one is refused."""
        marks = self._look()
        if marks == self._marks:
            return False
        self._marks = marks
        try:
            found = self._read()
            identities = [None if own is None else own.identity for own in (found[0], self.own)]
            if identities[0] != identities[1]:
                raise ConfigurationError(f"own.yaml: id {identities[0]}; allowed until a restart: {identities[1]}")
        except ConfigurationError as error:
            self.trouble = str(error)
            return False
        different = found != (self.own, self.group, self.ring)
        self.own, self.group, self.ring = found
        self.trouble = ""
        return different

    def _read(self) -> tuple[OwnKeys | None, GroupKeys, KeyRing]:
        own, group, ring = (self._path(name) for name in _FILES)
        return (
            None if own is None else OwnKeys.from_file(own),
            GroupKeys() if group is None else GroupKeys.from_file(group),
            KeyRing() if ring is None else KeyRing.from_file(ring),
        )

    def _path(self, name: str) -> Path | None:
        """Path of a file; None: it is missing. A broken link is there, and refused by its reader."""
        path = None if self._folder is None else self._folder / name
        return path if path is not None and (path.exists() or path.is_symlink()) else None

    def _look(self) -> tuple[_Mark, ...]:
        return tuple(self._mark(name) for name in _FILES)

    def _mark(self, name: str) -> _Mark:
        try:
            found = (self._folder or Path()).joinpath(name).lstat() if self._folder else None
        except OSError:
            return None
        return None if found is None else (found.st_mtime_ns, found.st_size, found.st_ino)
