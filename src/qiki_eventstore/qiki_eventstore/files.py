"""Files that are there whole and durably, or not at all."""

import contextlib
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name whole and durable when the block ends well.

    Raises:
        FileExistsError: the name is taken.
    """
    if path.exists():
        raise FileExistsError(f"{path} is there already: choose another name")
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
            sync(file)
        # Unlike a rename, a link does not replace a file that has come to be meanwhile.
        os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
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
