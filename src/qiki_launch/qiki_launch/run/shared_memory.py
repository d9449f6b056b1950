"""Shared memory that dead Fast DDS processes left behind.

Fast DDS keeps segments `<prefix>_<16 hex>` and ports `<prefix>_port<number>` in /dev/shm, each with a lock file (`_el`
exclusive, `_sl` shared) that its living owners hold locked, and a semaphore per port. A process killed with SIGKILL
leaves them, and the next one may fail to open a port and receive nothing from its peers. A file whose lock
can be taken has no living owner; the protected file is removed while the lock is held here, so that no starting process
can take it over meanwhile.
"""

import fcntl
import os
import re
import time
from pathlib import Path

FOLDER = Path("/dev/shm")
SETTLED = 1.0
"""s, least age of a lock file: between creating and locking it, its owner holds nothing yet."""
_LOCK = re.compile(r"(?P<base>(?:fastrtps|fastdds)_(?:(?P<port>port\d{1,5})|[0-9a-z]{16}))_[es]l\Z")


def remove_stale(folder: Path = FOLDER, settled: float = SETTLED) -> list[str]:
    """Remove segments and ports without a living owner; returns their names.

    Files of another user that cannot be opened are left alone.
    """
    removed = []
    try:
        entries = sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    for lock in entries:
        match = _LOCK.match(lock.name)
        if match and _remove_if_unlocked(lock, match["base"], settled, is_port=match["port"] is not None):
            removed.append(match["base"])
    return removed


def _remove_if_unlocked(lock: Path, base: str, settled: float, *, is_port: bool) -> bool:
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            status = os.fstat(file.fileno())
            if lock.stat().st_ino != status.st_ino or time.time() - status.st_mtime < settled:
                return False
            if is_port:
                lock.with_name(f"sem.{base}_mutex").unlink(missing_ok=True)
            lock.with_name(base).unlink(missing_ok=True)
            lock.unlink(missing_ok=True)
    except OSError:
        return False
    return True
