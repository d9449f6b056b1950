"""Output of the nodes: lines to the screen, with the name of the node that wrote them, and to log files."""

import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from qiki_node.terminal import printable

_TAB = "\t"
_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)
LONGEST_LINE = 65536
"""Bytes after which a line without an end is passed on in parts: a node must not fill the memory."""


class LineSplitter:
    """Bytes in, whole lines out."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Lines that are complete now, without their ends."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        while len(self._rest) > LONGEST_LINE:
            lines.append(self._rest[:LONGEST_LINE])
            self._rest = self._rest[LONGEST_LINE:]
        return lines

    def flush(self) -> list[bytes]:
        """The last line, where it has no end."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


class LogFile:
    """A log file that is replaced when it has grown to `limit` bytes; the one before it is kept beside it as `.1`.

    The file of an earlier run is kept the same way.
    """

    def __init__(self, path: Path, limit: int = 32 * 2**20) -> None:
        self.path = path
        self._limit = limit
        self._file: BinaryIO = self._fresh()
        self._size = 0
        self._is_over = False

    def write(self, line: bytes) -> None:
        """Write one line; a disk that is full costs lines of the log, not the nodes."""
        if self._is_over:
            return
        with suppress(OSError):
            # Closed: it could not be replaced the last time.
            if self._file.closed or self._size + len(line) >= self._limit:
                self._file.close()
                self._file = self._fresh()
                self._size = 0
            self._size += self._file.write(line + b"\n")
            self._file.flush()

    def close(self) -> None:
        """Close it; later lines are dropped."""
        self._is_over = True
        with suppress(OSError):
            self._file.close()

    def _fresh(self) -> BinaryIO:
        if self.path.exists():
            self.path.replace(self.path.with_name(self.path.name + ".1"))
        return self.path.open("wb")


class Stream(Protocol):
    """The part of a text stream that a screen needs."""

    def isatty(self) -> bool: ...

    def write(self, text: str, /) -> int: ...

    def flush(self) -> None: ...


class Screen:
    """Lines with the prefix `[name]`, in a colour of that name on a terminal (unless NO_COLOR is set)."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._coloured = stream.isatty() and "NO_COLOR" not in os.environ
        self.is_open = True

    def line(self, name: str, text: str) -> None:
        """Write one line; a closed reader silences the screen only."""
        if not self.is_open:
            return
        prefix = f"[{name}]"
        if self._coloured:
            colour = _COLOURS[zlib.crc32(name.encode()) % len(_COLOURS)]
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        try:
            self._stream.write(f"{prefix} {printable(text, keep=_TAB)}\n")
            self._stream.flush()
        except (BrokenPipeError, OSError, ValueError):
            self.is_open = False
