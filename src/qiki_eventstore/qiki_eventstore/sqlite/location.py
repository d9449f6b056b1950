"""Location of a store, and the lock of the process that may write to it."""

import fcntl
import os
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from qiki_eventstore.errors import StoreUnavailable


def parse_url(url: str) -> tuple[Path, bool]:
    """Path of the database and whether it is only read, from `sqlite:///path?mode=ro`.

    Raises:
        ValueError: not such a URL.
    """
    parts = urlsplit(url)
    path = unquote(parts.path.removeprefix("/"))
    if not url.startswith("sqlite:///") or parts.netloc or not path or path.endswith("/") or parts.fragment:
        raise ValueError(f"store URL {url!r}: must be sqlite:///relative/path.db or sqlite:////absolute/path.db")
    mode = "rw"
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if key != "mode" or value not in ("ro", "rw"):
            raise ValueError(f"store URL {url!r}: {key}={value}: allowed are mode=ro and mode=rw")
        mode = value
    return Path(path), mode == "ro"


def beside(path: Path, suffix: str) -> Path:
    """A file next to the database, such as `events.db.lock`."""
    return path.with_name(path.name + suffix)


class WriterLock:
    """One process, and one store in it, writes to a database; the kernel frees the lock when that process ends.

    Raises:
        StoreUnavailable: somebody else has it.
    """

    def __init__(self, path: Path) -> None:
        file = beside(path, ".lock")
        try:
            self._fd = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreUnavailable(f"{file} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._fd, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            raise StoreUnavailable(
                f"{path} is held by another writer, process {holder}: end it, or open the store with ?mode=ro"
            ) from error
        os.ftruncate(self._fd, 0)
        os.write(self._fd, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let another writer in. The file stays: removing it could free a lock that somebody just took."""
        os.ftruncate(self._fd, 0)
        os.close(self._fd)
