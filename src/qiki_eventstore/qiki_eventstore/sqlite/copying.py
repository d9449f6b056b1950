"""A consistent copy of a store while it is written to."""

import os
from pathlib import Path

import apsw

from qiki_eventstore.engine.heads import load_head
from qiki_eventstore.errors import StoreFull, StoreUnavailable
from qiki_eventstore.heads import public_keys_file, read_heads
from qiki_eventstore.sqlite.location import beside
from qiki_eventstore.sqlite.pool import Readers


def backup(readers: Readers, path: Path, heads: Path) -> None:
    """Copy the database, the signed heads that it reaches and the public keys, to `path` and the files beside it.

    Raises:
        FileExistsError: one of them exists.
        StoreFull: no room for the copy.
        StoreUnavailable: it cannot be written.
    """
    copies = (path, beside(path, ".heads"), beside(path, ".pub"))
    for file in copies:
        if os.path.lexists(file):
            raise FileExistsError(f"{file} exists: a backup overwrites nothing, give another path")
    draft = beside(path, f".{os.getpid()}.part")
    try:
        position = _copy(readers, draft)
        _copy_heads(heads, copies[1:], position)
        # A link fails if somebody made the file meanwhile; a rename would replace it.
        path.hardlink_to(draft)
        _sync(path.parent)
    except apsw.FullError as error:
        raise StoreFull(f"{path}: no room for a backup: give another disk") from error
    except apsw.CantOpenError as error:
        raise StoreUnavailable(f"{path}: cannot be written: {error}") from error
    finally:
        draft.unlink(missing_ok=True)


def _copy(readers: Readers, draft: Path) -> int:
    """Copy the database in one step, which is one moment of it; the position that it goes up to."""
    draft.unlink(missing_ok=True)
    with readers.connection() as source:
        target = apsw.Connection(str(draft))
        try:
            with target.backup("main", source, "main") as copy:
                copy.step(-1)
            position = load_head(target).position
            # One file, until somebody opens it as a store.
            target.execute("PRAGMA journal_mode = DELETE")
        finally:
            target.close()
    _sync(draft)
    return position


def _copy_heads(heads: Path, copies: tuple[Path, ...], position: int) -> None:
    to_heads, to_keys = copies
    lines = heads.read_bytes().splitlines(keepends=True) if heads.exists() else []
    kept = [line for line, head in zip(lines, read_heads(heads), strict=False) if head.position <= position]
    if kept:
        to_keys.write_bytes(public_keys_file(heads).read_bytes())
        to_heads.write_bytes(b"".join(kept))
        _sync(to_keys)
        _sync(to_heads)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
