"""Hold on the file of a store: one writer per file, whatever its names, and whether it is still under its name.

SQLite guards its files by POSIX locks, and all POSIX locks of a process on a file end when the process closes any
descriptor of it. So this process opens each database once for all of its stores, and closes that descriptor with the
last of them.
"""

import errno
import fcntl
import os
import stat
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from qiki_eventstore.errors import StoreFull, StoreUnavailable
from qiki_eventstore.sqlite.location import beside

Identity: TypeAlias = tuple[int, int]
"""Device and inode."""

# One byte far beyond those that SQLite locks (from 1 GiB on). An open file description lock excludes every other
# descriptor, also of this process, ends with the last copy of its own, and works on NFS.
_LOCKED_BYTE: Final = 1 << 62
_LOCK: Final = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, _LOCKED_BYTE, 1, 0)
_UNLOCK: Final = struct.pack("hhqqi", fcntl.F_UNLCK, os.SEEK_SET, _LOCKED_BYTE, 1, 0)


_HEAD: Final = 100
"""Bytes of a database's header (https://sqlite.org/fileformat.html#the_database_header)."""


@dataclass
class _File:
    """A database that stores of this process have open."""

    stores: int = 0
    descriptor: int = -1
    written: bool = False
    kept: list[int] = field(default_factory=list)

    def descriptors(self) -> list[int]:
        return self.kept if self.descriptor < 0 else [self.descriptor, *self.kept]


_files: dict[Identity, _File] = {}
_guard = threading.Lock()


class FileHold:
    """The hold of one store on its database.

    Args:
        path: as `location.resolved` gives it.
        write: be the only one that writes; the file is made if it is not there.

    Raises:
        StoreUnavailable: another writer has the file, it has a second name, or it cannot be opened.
        StoreFull: no room to make it.
    """

    def __init__(self, path: Path, *, write: bool) -> None:
        self._path, self._write = path, write
        self._note = _Note(path) if write else None
        try:
            with _guard:
                self.identity = self._take()
        except BaseException:
            if self._note is not None:
                self._note.release()
            raise
        self._names = {str(path): self.identity}
        self._head, self._changes = (0, 0), 0
        self._released = False

    def _take(self) -> Identity:
        found = _look(self._path)
        if found is None and not self._write:
            raise StoreUnavailable(f"{self._path} cannot be opened: there is no such store")
        file = _files.get(found) if found is not None else None
        if not self._write:
            assert found is not None
            _files.setdefault(found, _File()).stores += 1
            return found
        if file is not None and file.written:
            raise StoreUnavailable(f"{self._path} is held by another store of this process: use or close that one")
        descriptor = file.descriptor if file is not None else -1
        if descriptor < 0:
            descriptor = _open(self._path)
        try:
            identity = _only_name(self._path, os.fstat(descriptor))
            _lock(self._path, descriptor)
        except BaseException:
            if file is None:
                os.close(descriptor)
            else:  # see above: readers of this process need it open
                file.descriptor = descriptor
            raise
        file = _files.setdefault(identity, _File())
        file.stores, file.descriptor, file.written = file.stores + 1, descriptor, True
        return identity

    def know_log(self) -> None:
        """Take note of SQLite's log and its index, which belong to the database from now on."""
        for suffix in ("-wal", "-shm"):
            name = beside(self._path, suffix)
            try:
                self._names[str(name)] = _identity(name.stat())
            except OSError as error:
                raise StoreUnavailable(f"{name} cannot be opened: {error.strerror}") from error

    def open_index(self) -> int:
        """A descriptor of the index of SQLite's log, to be read only, which ends with the last store of the database.

        As that of the database, it must not be closed before.
        """
        name = beside(self._path, "-shm")
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise StoreUnavailable(f"{name} cannot be opened: {error.strerror}") from error
        _files[self.identity].kept.append(descriptor)
        return descriptor

    def displaced(self) -> str:
        """Reason for which the files under the store's names are not its own any more; empty if they are."""
        for name, identity in self._names.items():
            try:
                found = Path(name).stat()
            except FileNotFoundError:
                return f"{name} was moved or removed while the store had it open"
            except OSError as error:
                return f"{name} cannot be reached any more ({error.strerror})"
            if _identity(found) != identity:
                return f"{name} was replaced by another file while the store had it open"
            if self._write and found.st_nlink > 1:
                return f"{name} got another name (hard link) while the store had it open"
        return ""

    def in_place(self) -> bool:
        """True if the database is still under its name, and that is its only one; for every commit."""
        try:
            found = os.stat(self._path)  # noqa: PTH116
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self.identity and found.st_nlink == 1

    def overwritten(self) -> bool:
        """True if another program wrote another content into the file; one that writes by SQLite is none.

        Change counter and schema cookie of a database never fall, its size only where `VACUUM` raises the cookie, and
        it stays in WAL mode, unlike a backup.
        """
        descriptor = _files[self.identity].descriptor
        head, size = os.pread(descriptor, _HEAD, 0), os.fstat(descriptor).st_size
        if size < _HEAD:
            return self._head[1] > 0
        if head[:16] != b"SQLite format 3\0" or head[18:20] != b"\2\2":
            return True
        # During a checkpoint after `VACUUM` the head is new already and the file not yet cut: the smaller size counts.
        page = int.from_bytes(head[16:18], "big")
        size = min(size, int.from_bytes(head[28:32], "big") * (65536 if page == 1 else page))
        found = int.from_bytes(head[40:44], "big"), size
        changes = int.from_bytes(head[24:28], "big")
        fallen = found < self._head or changes < self._changes
        self._changes = changes
        self._head = found
        return fallen

    def release(self) -> None:
        """Let another writer in; all connections of the store are closed."""
        if self._released:
            return
        self._released = True
        with _guard:
            file = _files.get(self.identity)
            if file is not None:  # else this process is a fork
                file.stores -= 1
                if self._write:
                    file.written = False
                    fcntl.fcntl(file.descriptor, fcntl.F_OFD_SETLK, _UNLOCK)
                if not file.stores:
                    for descriptor in file.descriptors():
                        os.close(descriptor)
                    del _files[self.identity]
        if self._note is not None:
            self._note.release()


class _Note:
    """The file `events.db.lock`: process that writes, under the lock that earlier versions take."""

    def __init__(self, path: Path) -> None:
        file = beside(path, ".lock")
        try:
            self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise _failed(file, error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            holder = os.read(self._descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise StoreUnavailable(_held(path, f"process {holder}")) from error
        except OSError as error:
            os.close(self._descriptor)
            raise _failed(file, error) from error
        _notes.add(self._descriptor)

    def release(self) -> None:
        # The file stays: removing it could free a lock that somebody just took.
        if self._descriptor in _notes:
            _notes.discard(self._descriptor)
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)


_notes: set[int] = set()


def _after_fork() -> None:
    """A child does not write: it must not keep the locks when its parent ends."""
    global _guard  # noqa: PLW0603
    _guard = threading.Lock()
    for descriptor in [*_notes, *(one for file in _files.values() for one in file.descriptors())]:
        os.close(descriptor)
    _notes.clear()
    _files.clear()


os.register_at_fork(after_in_child=_after_fork)


def _look(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failed(path, error) from error
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
        raise StoreUnavailable(f"{path} cannot be opened: it is {kind}")
    return _identity(found)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise _failed(path, error) from error


def _only_name(path: Path, found: os.stat_result) -> Identity:
    if found.st_nlink > 1:
        raise StoreUnavailable(
            f"{path} has {found.st_nlink} names (hard links): SQLite's log goes by the name, so that a writer under"
            " another one would destroy the store; copy it with `qiki events backup`, or remove the other names"
        )
    return _identity(found)


def _lock(path: Path, descriptor: int) -> None:
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _LOCK)
    except BlockingIOError as error:
        raise StoreUnavailable(_held(path, "reached by another name of the file")) from error
    except OSError as error:
        if error.errno == errno.EACCES:  # POSIX allows this for a lock that is held
            raise StoreUnavailable(_held(path, "reached by another name of the file")) from error
        raise StoreUnavailable(f"{path}: its file system takes no locks ({error.strerror}): use another one") from error


def _held(path: Path, holder: str) -> str:
    return f"{path} is held by another writer, {holder}: end it, or open the store with ?mode=ro"


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino


def _failed(path: Path, error: OSError) -> StoreUnavailable | StoreFull:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull(f"{path} cannot be made: {error.strerror}: free space and open the store again")
    return StoreUnavailable(f"{path} cannot be opened: {error.strerror}")
