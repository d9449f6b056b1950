"""A backup made by `EventStore.backup` becomes a store again."""

import os
import shutil
from pathlib import Path
from typing import Final

from qiki_eventstore.errors import StoreCorrupt
from qiki_eventstore.files import new_file, sync_folder
from qiki_eventstore.retention import log
from qiki_eventstore.sqlite.location import url_of
from qiki_eventstore.sqlite.store import SqliteStore
from qiki_eventstore.store import Verification

_BESIDE: Final = (".heads", ".pub")
"""Signed heads and public keys. The private key is in no backup: the store makes a new one."""

_TAKEN: Final = ("", "-wal", "-shm", "-journal", ".segments", *_BESIDE)


def restore(backup: Path, path: Path) -> Verification:
    """Copy a backup of a SQLite store, with its signed heads and segments, to where a store is wanted.

    The backup is verified before, the copy after; then an event of the store's own stream records it. A store from
    which retention had dropped segments needs their files only to read what is in them: they are copied if the backup
    has them beside it (`<backup>.segments`). Without them, `verify` names what is missing.

    Args:
        backup: the database file that the backup is.
        path: the new store's database.

    Returns:
        What was found in the copy: always ok.

    Raises:
        FileNotFoundError: there is no such backup.
        FileExistsError: the path, or a file that would belong to it, is there already; nothing was written.
        StoreCorrupt: the backup does not verify; nothing was written. Or the copy does not: it was removed again.
        StoreFull: no room for the copy; nothing is left of it.
    """
    if not backup.is_file():
        raise FileNotFoundError(f"{backup}: there is no such backup")
    for suffix in _TAKEN:
        taken = _beside(path, suffix)
        if os.path.lexists(taken):
            raise FileExistsError(f"{taken} is there already: a restore overwrites nothing, give another path")
    _verified(backup, "the backup does not verify")
    made: list[Path] = []
    try:
        segments = _beside(backup, ".segments")
        if segments.is_dir():
            folder = _beside(path, ".segments")
            folder.mkdir()
            made.append(folder)
            for segment in sorted(segments.iterdir()):
                with segment.open("rb") as file, new_file(folder / segment.name) as copy:
                    shutil.copyfileobj(file, copy)
            sync_folder(folder)
        # The database last: a store is there when all that belongs to it is.
        for suffix in (*_BESIDE, ""):
            source = _beside(backup, suffix)
            if source.is_file():
                with source.open("rb") as file, new_file(_beside(path, suffix)) as copy:
                    made.append(_beside(path, suffix))
                    shutil.copyfileobj(file, copy)
        found = _verified(path, "the copy does not verify")
        with SqliteStore.open(url_of(path), reserve_bytes=0) as store:
            store.record(lambda _connection: (None, [log.restored(store.store_id, found.head)]))
        return found
    except BaseException:
        for one in reversed(made):
            shutil.rmtree(one) if one.is_dir() else one.unlink(missing_ok=True)
        raise


def _verified(path: Path, failure: str) -> Verification:
    with SqliteStore.open(url_of(path, read_only=True)) as store:
        found = store.verify() if _beside(path, ".segments").is_dir() else store.verify_alone()
    if not found.ok:
        raise StoreCorrupt(f"{path}: {failure}: {found.reason}", found.first_bad)
    return found


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
