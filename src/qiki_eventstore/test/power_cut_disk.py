"""A disk for SQLite that can lose its power or be full, as a VFS below the very code of the store.

Files are real ones in one folder, for as long as the power is on. Beside them the disk remembers what a real disk would
hold: what was synced, and what was only written. When the power is cut, every further operation fails, and `restart`
puts back what would be found then: everything that was synced, and of the rest whatever a random choice leaves, torn
at sectors. Names of files are lost like contents, unless the folder was synced. What SQLite relies on is granted: a
sync is obeyed, and a write harms no byte that it does not write ("powersafe overwrite").
"""

# ruff: noqa: N802 - SQLite names the methods

import gc
import itertools
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, TypeAlias

import apsw

SECTOR: Final = 512

_SYNC_FOLDER: Final = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL
"""Kinds of files whose first sync also syncs the folder, as SQLite does on Unix."""

_KINDS: Final = (".db", "-wal", "-journal")
"""How the names of the files end that are kept."""

Write: TypeAlias = tuple[int, bytes | None]
"""Offset and bytes, or new size and None."""


@dataclass(slots=True, eq=False)
class _Content:
    """Of one file: what is synced, what was done since, and the size that programs see."""

    synced: bytearray = field(default_factory=bytearray)
    since: list[Write] = field(default_factory=list)
    size: int = 0

    def sync(self) -> None:
        for offset, data in self.since:
            _apply(self.synced, offset, data)
        self.since.clear()

    def after_cut(self, random: Random) -> bytes:
        """What a power cut leaves."""
        content = bytearray(self.synced)
        parts = [part for write in self.since for part in _sectors(*write)]
        if random.random() < 0.5:  # written in order, up to some sector
            kept = parts[: random.randint(0, len(parts))]
        else:  # in any order
            share = random.choice((0.0, 0.2, 0.5, 0.9, 1.0))
            kept = [part for part in parts if random.random() < share]
        for offset, data in kept:
            _apply(content, offset, data)
        return bytes(content)


class PowerCutDisk(apsw.VFS):
    """The disk of one folder; SQLite uses it for every database while it is `installed`.

    Args:
        folder: of the databases. What it holds at first counts as synced.

    Attributes:
        dead: the power is off.
        cut_in: operations that change the disk (writes, truncations, syncs, deletions, new files) until the power is
            cut; None: never.
        capacity: bytes that fit on the disk; None: any number.
        operations: that changed the disk so far.
    """

    def __init__(self, folder: Path) -> None:
        self.name = f"power-cut-{next(_numbers)}"
        super().__init__(self.name, "unix")
        self.folder = folder.absolute()
        self.dead = False
        self.cut_in: int | None = None
        self.capacity: int | None = None
        self.operations = 0
        self._lock = threading.RLock()
        self._load()

    def restart(self, random: Random) -> None:
        """Cut the power if it is still on, and put into the folder what is found after it. All files must be closed."""
        with self._lock:
            names = dict(self._synced_names)
            for name, content in self._names_since[: random.randint(0, len(self._names_since))]:
                _set(names, name, content)
            self._begin_with({name: content.after_cut(random) for name, content in names.items()})
            if names and random.random() < 0.5:  # the index of the log is never synced: anything may be in it
                Path(min(names, key=len) + "-shm").write_bytes(random.randbytes(random.choice((100, 32768))))

    def go_on(self) -> None:
        """The process was killed, but the power stayed on: everything that was written is there."""
        with self._lock:
            for content in self._names.values():
                content.sync()
            self._begin_with({name: bytes(content.synced) for name, content in self._names.items()})

    # What SQLite calls ----------------------------------------------------------------------------------------------

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None or Path(path).parent != self.folder:
            return apsw.VFSFile("unix", name, flags)
        return _File(self, path, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        with self._lock:
            self._count()
            super().xDelete(filename, False)
            self._rename(filename, None)
            if syncdir:
                self._sync_folder()

    # What the files call --------------------------------------------------------------------------------------------

    def knows(self, path: str) -> bool:
        return path in self._names

    def opened(self, path: str, new: bool) -> _Content:
        with self._lock:
            if new:
                self._count()
                self._rename(path, _Content())
            return self._names[path]

    def written(self, content: _Content, offset: int, data: bytes | None) -> None:
        end = offset + len(data) if data is not None else offset
        with self._lock:
            grown = max(0, end - content.size)
            if grown and self.capacity is not None and self._used() + grown > self.capacity:
                raise apsw.FullError("the disk is full")
            if self.dead:
                raise apsw.IOError("no power")
            # Before the cut is counted: the operation during which the power is cut may be done in part.
            content.since.append((offset, data))
            content.size = end if data is None else max(content.size, end)
            self._count()

    def synced(self, content: _Content, folder: bool) -> None:
        with self._lock:
            self._count()
            content.sync()
            if folder:
                self._sync_folder()

    # Inside ---------------------------------------------------------------------------------------------------------

    def _begin_with(self, files: Mapping[str, bytes]) -> None:
        for file in self._databases("-shm", *_KINDS):
            file.unlink()
        for name, data in files.items():
            Path(name).write_bytes(data)
        self._load()
        self.dead, self.cut_in = False, None

    def _load(self) -> None:
        self._names: dict[str, _Content] = {}
        for file in self._databases(*_KINDS):
            data = file.read_bytes()
            self._names[str(file)] = _Content(bytearray(data), size=len(data))
        self._synced_names = dict(self._names)
        self._names_since: list[tuple[str, _Content | None]] = []

    def _databases(self, *kinds: str) -> list[Path]:
        """Files of SQLite; what else is in the folder was not written through it."""
        return [file for file in self.folder.iterdir() if file.name.endswith(kinds)]

    def _count(self) -> None:
        if self.cut_in is not None and not self.dead:
            self.cut_in -= 1
            self.dead = self.cut_in <= 0
        if self.dead:
            raise apsw.IOError("no power")
        self.operations += 1

    def _rename(self, path: str, content: _Content | None) -> None:
        _set(self._names, path, content)
        self._names_since.append((path, content))

    def _sync_folder(self) -> None:
        self._synced_names = dict(self._names)
        self._names_since.clear()

    def _used(self) -> int:
        return sum(content.size for content in self._names.values())


class _File(apsw.VFSFile):
    """A file of the disk. Reading, locking and shared memory are those of the real file."""

    def __init__(self, disk: PowerCutDisk, path: str, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        new = not disk.knows(path)  # the store makes it empty, to lock it
        if new and disk.dead:
            raise apsw.CantOpenError("no power")
        self._sync_folder = bool(flags[0] & apsw.SQLITE_OPEN_CREATE and flags[0] & _SYNC_FOLDER)
        super().__init__("unix", name, flags)
        self._disk = disk
        self._content = disk.opened(path, new)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.written(self._content, offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._disk.written(self._content, newsize, None)
        super().xTruncate(newsize)

    def xSync(self, _flags: int) -> None:
        self._disk.synced(self._content, self._sync_folder)
        self._sync_folder = False


@contextmanager
def passed_by() -> Iterator[None]:
    """Let SQLite open real files meanwhile: faster, for reading."""
    before = apsw.vfs_names()[0]
    apsw.set_default_vfs("unix")
    try:
        yield
    finally:
        apsw.set_default_vfs(before)


@contextmanager
def installed(folder: Path) -> Iterator[PowerCutDisk]:
    """A disk for the databases of a folder; nothing in the store knows of it."""
    disk = PowerCutDisk(folder)
    told = sys.unraisablehook

    def tell(problem: "sys.UnraisableHookArgs") -> None:
        if not isinstance(problem.exc_value, apsw.IOError):  # a connection that closes without power
            told(problem)

    sys.unraisablehook = tell
    apsw.set_default_vfs(disk.name)
    try:
        yield disk
    finally:
        apsw.set_default_vfs("unix")
        gc.collect()  # connections that failed to open hold files
        disk.unregister()
        sys.unraisablehook = told


def _sectors(offset: int, data: bytes | None) -> Iterator[Write]:
    if data is None:
        yield offset, None
        return
    end = offset + len(data)
    while offset < end:
        until = min(end, (offset // SECTOR + 1) * SECTOR)
        yield offset, data[: until - offset]
        offset, data = until, data[until - offset :]


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        size = offset
        content[size:] = bytes(max(0, size - len(content)))
        return
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _set(names: dict[str, _Content], name: str, content: _Content | None) -> None:
    if content is None:
        names.pop(name, None)
    else:
        names[name] = content


_numbers = itertools.count()
