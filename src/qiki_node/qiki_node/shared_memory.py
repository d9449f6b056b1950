"""Shared memory that dead Fast DDS processes left behind.

Fast DDS keeps segments `<prefix>_<16 hex>` and ports `<prefix>_port<number>` in /dev/shm, each with a lock file (`_el`
exclusive, `_sl` shared) that its living owners hold locked, and a semaphore per port. A process killed with SIGKILL
leaves them, and the next one may fail to open a port and receive nothing from its peers. A file whose lock
can be taken has no living owner; the protected file is removed while the lock is held here, so that no starting process
can take it over meanwhile.

Writers keep a port mapped, and see the death of its reader by a mark in it that is set when the reader has not shown
itself while it waited or worked. A reader that is killed between the two never is missed: its writers then go on to
fill the removed port, and the next process of that port's number receives nothing from them. So the mark is set here.
"""

import fcntl
import os
import re
import struct
import time
from contextlib import nullcontext
from pathlib import Path
from typing import IO

FOLDER = Path("/dev/shm")
SETTLED = 1.0
"""s, least age of a lock file: between creating and locking it, its owner holds nothing yet."""
_PORT = struct.Struct("<IIIIIII")
"""Part of a port's node (`SharedMemGlobal::PortNode` of Fast DDS 2.14 and 3): its number, listeners, ms after which one
that is not seen is dead, ms of a wait (a third of it), capacity, waiting listeners; bits, of which the lowest says that
the port is in order."""
_LOCK = re.compile(r"(?P<base>(?:fastrtps|fastdds)_(?:(?P<port>port\d{1,5})|[0-9a-z]{16}))_[es]l\Z")


def remove_stale(folder: Path = FOLDER, settled: float = SETTLED) -> list[str]:
    """Remove segments and ports without a living owner; returns their names.

    Files of another user that cannot be opened are left alone.
    """
    removed = []
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    for lock in entries:
        match = _LOCK.match(lock.name)
        if match and _remove_if_unlocked(lock, match["base"], settled, match["port"]):
            removed.append(match["base"])
    return removed


def _remove_if_unlocked(lock: Path, base: str, settled: float, port: str | None) -> bool:
    path = lock.with_name(base)
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            status = os.fstat(file.fileno())
            if lock.stat().st_ino != status.st_ino or time.time() - status.st_mtime < settled:
                return False
            with path.open("r+b", buffering=0) if port and path.exists() else nullcontext() as shared:
                if port:
                    path.with_name(f"sem.{base}_mutex").unlink(missing_ok=True)
                path.unlink(missing_ok=True)
                lock.unlink(missing_ok=True)
                if port and shared:
                    _mark(shared, int(port.removeprefix("port")))
    except OSError:
        return False
    return True


def _mark(port: IO[bytes], number: int) -> None:
    """Let the writers of a removed port see it. Not before: who sees it makes a new port of that name, which stays."""
    content = port.read()
    for match in re.finditer(re.escape(struct.pack("<I", number)), content[: 4 - _PORT.size]):
        _, _, dead, wait, *_, bits = _PORT.unpack_from(content, match.start())
        if dead and wait == dead // 3:
            port.seek(match.start() + _PORT.size - 4)
            port.write(struct.pack("<I", bits & ~1))
