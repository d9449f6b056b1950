"""Files that are there whole and durably, or not at all."""

import contextlib
import errno
import itertools
import os
import stat
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO, Final

import apsw

from qiki_eventstore.errors import StoreFull

_NO_LINKS: Final = frozenset(
    (errno.EPERM, errno.EACCES, errno.EINVAL, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
)
"""Errors of file systems that have no hard links, such as FAT and some network drives."""

_NO_ROOM: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))

_numbers: Final = itertools.count()


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name whole and durable when the block ends well.

    Raises:
        FileExistsError: the name is taken.
        StoreFull: no room for it.
    """
    with draft_of(path) as draft:
        with draft.open("wb") as file:
            yield file
            sync(file)
        publish(draft, path)


@contextlib.contextmanager
def draft_of(path: Path, *, replaces: bool = False) -> Iterator[Path]:
    """Name of a file for the block to fill and to `publish`; nothing of it is left afterwards.

    Raises:
        FileExistsError: the path is taken.
        FileNotFoundError: its folder does not exist.
        StoreFull: no room.
    """
    if not replaces and os.path.lexists(path):
        raise FileExistsError(f"{path} is there already: nothing is overwritten, give another path")
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(path.parent))
    draft = path.with_name(f"{path.name}.{os.getpid()}-{next(_numbers)}.part")
    try:
        with room_for(path):
            yield draft
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)


@contextlib.contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Raise errors of a full disk as `StoreFull` that names the file."""
    try:
        yield
    except apsw.FullError as error:
        raise StoreFull(f"{path}: no room for it ({error}): give another disk") from error
    except apsw.IOError as error:
        raise StoreFull(f"{path}: no room for it, or the disk failed ({error}): give another disk") from error
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise StoreFull(f"{path}: no room for it ({error.strerror}): give another disk") from error


def require_regular(path: Path) -> None:
    """See that a path is that of a regular file or a link to one: reading a pipe or a device might never end.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: it is something else.
    """
    if not path.is_file():
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        raise ValueError(f"{path}: is no regular file")


def read_regular(path: Path) -> bytes:
    """Content of a regular file, or of a link to one; never waits for a pipe or device.

    Raises:
        OSError: nothing is there, or it is something else.
    """
    with open(path, "rb", opener=open_regular) as file:
        return file.read()


def open_regular(path: str | Path, flags: int, mode: int = 0o644) -> int:
    """`os.open` that refuses everything but a regular file, and never waits for a pipe or device."""
    descriptor = os.open(path, flags | os.O_NONBLOCK, mode)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    return descriptor


def publish(draft: Path, path: Path) -> None:
    """Give a file that is whole and durable its name, durably.

    Raises:
        FileExistsError: the name is taken.
    """
    try:
        # Unlike a rename, a link does not replace a file that has come to be meanwhile.
        os.link(draft, path)
    except FileExistsError:
        raise FileExistsError(f"{path} is there already: nothing is overwritten, give another path") from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))  # take the name first
        try:
            draft.replace(path)
        except BaseException:
            path.unlink()
            raise
    draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync(file: IO[bytes]) -> None:
    """Make what was written to a file durable."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_of(path: Path) -> bytes:
    """SHA-256 of a file."""
    total = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.digest()
