"""SQLite's log of an open database, and what another program did to it.

SQLite writes into its log at the place that the log's index names, and never looks at the file's end. A log that
another program cut short gets a hole in this way, behind which nothing is found any more after a crash.
"""

import os
import sys
from pathlib import Path
from typing import Final

from qiki_eventstore.errors import StoreUnavailable

_HEAD: Final = 32
_FRAME_HEAD: Final = 24
"""Bytes before the pages of the log, and before each page (https://sqlite.org/fileformat.html#the_write_ahead_log)."""

_INDEX: Final = 48
_PAGES: Final = slice(16, 20)
_SALT: Final = slice(32, 40)
"""Bytes of the head of the log's index; the pages of the log and its salt therein (https://sqlite.org/walformat.html)."""


class Log:
    """The log of a database that this process has open.

    Args:
        log: its file.
        index: descriptor of its index. It is left open: closing it would end SQLite's locks on the index.
        page_size: of the database, bytes.

    Raises:
        StoreUnavailable: it cannot be opened.
    """

    def __init__(self, log: Path, index: int, page_size: int) -> None:
        self._path, self._index, self._frame = log, index, _FRAME_HEAD + page_size
        try:
            self._file = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise StoreUnavailable(f"{log} cannot be opened: {error.strerror}") from error
        self._end = self._indexed()
        self.damage = ""
        """Damage that was found; it stays."""

    def written(self, pages: int) -> None:
        """Take note that so many pages of it are used after a commit."""
        self._end = _HEAD + pages * self._frame if pages else 0

    def whole(self) -> bool:
        """True if it still has a name and all that was written; for every commit."""
        found = os.fstat(self._file)
        return found.st_nlink > 0 and (found.st_size >= self._end or not self._cut(found.st_size))

    def look(self) -> str:
        """Damage by another program; empty if there is none. Looks into the file, unlike `whole`."""
        if not self.damage and not self._cut(os.fstat(self._file).st_size):
            index = self._head_of_index()
            # Another index afterwards: a commit came meanwhile, and the next time shows it.
            if (size := self._size(index)) and self._changed(index[_SALT], size) and index == self._head_of_index():
                self.damage = f"{self._path} was changed by another program while the store had it open"
        return self.damage

    def close(self) -> None:
        os.close(self._file)

    def _cut(self, size: int) -> bool:
        """True if it is shorter than its index says: SQLite's own programs write the index before they cut the log."""
        if size < self._indexed():
            self.damage = f"{self._path} was cut short by another program while the store had it open"
        return bool(self.damage)

    def _changed(self, salt: bytes, size: int) -> bool:
        """True if a cut was written over since, which leaves a hole or another beginning."""
        return os.pread(self._file, _HEAD, 0)[16:24] != salt or os.lseek(self._file, 0, os.SEEK_HOLE) < size

    def _indexed(self) -> int:
        return self._size(self._head_of_index())

    def _head_of_index(self) -> bytes:
        return os.pread(self._index, _INDEX, 0)

    def _size(self, index: bytes) -> int:
        """Bytes of it that are used, by the head of its index; 0 if that is gone."""
        pages = int.from_bytes(index[_PAGES], sys.byteorder)
        return _HEAD + pages * self._frame if pages else 0
