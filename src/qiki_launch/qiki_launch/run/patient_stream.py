"""Output that never waits for its reader: a paused terminal (Ctrl-S) or a full pipe must not stop the supervision.

In the event loop's thread, as all else: a thread of its own would exist while a child is forked.
"""

import asyncio
import os
import select
import stat
import time
from collections import deque
from contextlib import suppress
from typing import TextIO

MOST_WAITING = 1 << 20
"""Bytes that are kept for a reader that takes none."""
_PIECE = 512
"""Bytes that a descriptor which counts as writable takes without waiting, where it could not be opened anew."""


class PatientStream:
    """A text stream that keeps what its reader does not take, up to `most` bytes, and drops further texts.

    The number of those that were dropped is written when the reader takes the next.

    Args:
        stream: of a file, terminal, pipe or socket.
    """

    def __init__(self, stream: TextIO, most: int = MOST_WAITING) -> None:
        self._stream, self._most = stream, most
        self._fd, self._waits = _opened(stream.fileno())
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._error: OSError | None = None

    def isatty(self) -> bool:
        return self._stream.isatty()

    def write(self, text: str) -> int:
        """Pass on a text, now or later.

        Raises:
            OSError: the reader is gone.
        """
        data = text.encode(self._stream.encoding, self._stream.errors or "strict")
        if self._size + len(data) > self._most:
            self._dropped += 1
        else:
            self._keep(data)
        self._send()
        if self._error is not None:
            raise self._error
        return len(text)

    def flush(self) -> None:
        """Do nothing: texts are passed on as early as they can be."""

    def close(self, patience: float = 1.0) -> None:
        """Pass on the rest, at most for `patience` s."""
        end = time.monotonic() + patience
        while self._waiting and self._error is None and (left := end - time.monotonic()) > 0.0:
            poll = select.poll()
            poll.register(self._fd, select.POLLOUT)
            poll.poll(1000.0 * left)
            self._send()
        self._watch(wanted=False)
        os.close(self._fd)

    def _keep(self, data: bytes) -> None:
        self._waiting.append(data)
        self._size += len(data)

    def _send(self) -> None:
        try:
            while self._waiting:
                written = self._put(self._waiting[0])
                self._size -= written
                rest = self._waiting.popleft()[written:]
                if rest:
                    self._waiting.appendleft(rest)
                elif self._dropped and self._size < self._most // 2:
                    number, self._dropped = self._dropped, 0
                    self._keep(f"[launch] {number} lines are not shown: the output was not read\n".encode())
        except BlockingIOError:
            self._watch(wanted=True)
            return
        except OSError as error:
            self._error = error
        self._watch(wanted=False)

    def _put(self, data: bytes) -> int:
        if not self._waits:
            return os.write(self._fd, data)
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        if not poll.poll(0):
            raise BlockingIOError
        return os.write(self._fd, data[:_PIECE])

    def _watch(self, *, wanted: bool) -> None:
        """Go on as soon as the reader takes something, where an event loop runs; else at the next text."""
        if wanted and self._loop is None:
            with suppress(RuntimeError):
                self._loop = asyncio.get_running_loop()
                self._loop.add_writer(self._fd, self._send)
        elif not wanted and self._loop is not None:
            self._loop.remove_writer(self._fd)
            self._loop = None


def _opened(number: int) -> tuple[int, bool]:
    """A descriptor of the same file, and whether writing to it may wait.

    Opened anew where that can be: not to wait is a mark of the open file, which other programs share.
    """
    mode = os.fstat(number).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        with suppress(OSError):  # a terminal of another user, after su
            return os.open(f"/proc/self/fd/{number}", flags), False
    return os.dup(number), not stat.S_ISREG(mode)
