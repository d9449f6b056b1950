"""One `./qiki` at a time per concern, across processes."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workspace.progress import say


@contextmanager
def exclusive(path: Path, concern: str) -> Iterator[None]:
    """Hold the file lock `path`. While another process holds it: name that process and wait.

    The kernel frees the lock with its holder, so a killed process leaves nothing to clean up.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "?"
            say(f"waiting for another ./qiki (process {holder}) to finish {concern} …")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
