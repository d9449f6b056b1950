"""Opening of files that another program may have replaced by a pipe or device, which could block for ever."""

import errno
import os
import stat
from pathlib import Path


def open_regular(path: str | Path, flags: int = os.O_RDONLY, mode: int = 0o644) -> int:
    """`os.open` that refuses everything but a regular file, or a link to one, at once.

    Raises:
        OSError: nothing is there, it cannot be opened, or it is something else.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    return descriptor


def read_regular(path: Path) -> bytes:
    """Content of such a file; raises as `open_regular`."""
    with open(open_regular(path), "rb") as file:
        return file.read()
