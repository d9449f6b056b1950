"""Events that the store has refused, in a file beside their node's spool.

    for letter in DeadLetters(folder / "alpha.allocator.dead").letters():
        print(letter.reason, letter.event)

One JSON line each: `event` (the spool's record; or `line`, base64, where it was none), `reason`, `refused` (ns of the
wall clock).
A node appends while other programs look, retry or drop: each call holds the file's lock for as long as it lasts, and
keeps nothing open. No ROS in here.
"""

import base64
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qiki_node.outbox import OutgoingEvent
from qiki_node.regular import open_regular, read_regular
from qiki_node.spool_record import event_of

MOST_BYTES = 64 * 1024 * 1024
"""Size of a file beyond which the oldest half of it is dropped."""
_POLL = 0.02  # s
_COUNTED_AT_ONCE = 4 * 1024 * 1024
"""Bytes that a count reads, or one letter: the executor waits for it."""
_END = 256
"""Bytes of the last letter that was counted, by which a file is known again: it ends with the time of refusal."""

SUFFIX = ".dead"


@dataclass(frozen=True)
class DeadLetter:
    """A refused event.

    Attributes:
        key: id of the event in hexadecimal; of what is no event a digest.
        refused: ns since the Unix epoch.
        reason: the store's, or that of the check which it did not pass.
        record: as spooled; empty if it was no record.
        raw: the line of the file.
    """

    key: str
    refused: int
    reason: str
    record: dict[str, Any]
    raw: bytes

    @property
    def event(self) -> OutgoingEvent:
        """The event.

        Raises:
            ValueError: it is none, or not one that can be stored; the text says why.
        """
        return event_of(json.dumps(self.record).encode())


class DeadLetters:
    """The refused events of one node; the file is there from the first one on.

    Args:
        path: of the file; its folder must be there.
        patience: s that a call waits for another program's.

    Raises (by every method):
        OSError: the file cannot be used, or is in use for longer than `patience`; nothing has changed.
    """

    def __init__(self, path: Path, patience: float = 0.0) -> None:
        self.path = path
        self._patience = patience
        self._counted = _Count()

    def add(self, lines: Sequence[bytes], reason: str) -> int:
        """Keep lines of a spool; the number of older ones that had to go for them."""
        now = time.time_ns()
        fresh = b"".join(_letter(line, reason, now) for line in lines)
        with self._locked() as file:
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":
                fresh = b"\n" + fresh  # the end of a process cut the last one off
            if size + len(fresh) <= MOST_BYTES:
                _write(file, fresh, size)
                return 0
            kept = [letter.raw for letter in _parsed(_content(file) + fresh)]
            dropped = 0
            while len(kept) > len(lines) and sum(map(len, kept)) > MOST_BYTES // 2:
                dropped += len(kept) // 2 or 1
                kept = kept[len(kept) // 2 or 1 :]
            self._replace(kept)
            return dropped

    def letters(self) -> list[DeadLetter]:
        """All, oldest first; of those with the same key the last."""
        try:
            return _parsed(read_regular(self.path))
        except FileNotFoundError:
            return []

    def remove(self, keys: Collection[str]) -> int:
        """Remove some; the number of those that were there."""
        if not self.path.exists():
            return 0
        with self._locked() as file:
            found = _parsed(_content(file))
            kept = [letter.raw for letter in found if letter.key not in keys]
            self._replace(kept)
            return len(found) - len(kept)

    def count(self) -> int:
        """Number of letters as far as they have been read: each call reads at most 4 MiB of what has come since."""
        try:
            file = open_regular(self.path)
        except FileNotFoundError:
            self._counted = _Count()
            return 0
        try:
            if os.fstat(file).st_ino != self._counted.inode or not self._counted.follows(file):
                self._counted = _Count(os.fstat(file).st_ino)
            return self._counted.read_on(file)
        finally:
            os.close(file)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        end = time.monotonic() + self._patience
        while True:
            file = open_regular(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is(file):
                    yield file
                    return
            except BlockingIOError as error:
                if time.monotonic() >= end:
                    raise BlockingIOError(error.errno, f"dead letters: {self.path} is in use") from error
                time.sleep(_POLL)
            finally:
                os.close(file)

    def _is(self, file: int) -> bool:
        """True unless another program has replaced the file since it was opened."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(file))
        except FileNotFoundError:
            return False

    def _replace(self, lines: Sequence[bytes]) -> None:
        fresh = self.path.with_suffix(f"{SUFFIX}.new")
        fresh.write_bytes(b"".join(lines))
        fresh.replace(self.path)


class _Count:
    """Letters of one file up to a position."""

    def __init__(self, inode: int = -1) -> None:
        self.inode = inode
        self._position, self._end = 0, b""
        self._keys: set[str] = set()

    def follows(self, file: int) -> bool:
        """True while the file still begins with what was read."""
        return os.pread(file, len(self._end), self._position - len(self._end)) == self._end

    def read_on(self, file: int) -> int:
        size = _COUNTED_AT_ONCE
        while b"\n" not in (data := os.pread(file, size, self._position)) and len(data) == size:
            size *= 2
        lines = data[: data.rfind(b"\n") + 1]
        self._keys |= {letter.key for letter in _parsed(lines)}
        self._position += len(lines)
        self._end = lines[-_END:] or self._end
        return len(self._keys)


def _letter(line: bytes, reason: str, now: int) -> bytes:
    content: dict[str, Any] = {"line": base64.b64encode(line).decode()}
    with suppress(ValueError, RecursionError):
        if isinstance(record := json.loads(line), dict):
            content = {"event": record}
    letter = {**content, "reason": reason, "refused": now}
    return json.dumps(letter, separators=(",", ":")).encode() + b"\n"


def _parsed(data: bytes) -> list[DeadLetter]:
    letters: dict[str, DeadLetter] = {}
    for line in data.splitlines(keepends=True):
        try:
            content = json.loads(line)
            record = content.get("event", {})
            key = record.get("id") if isinstance(record.get("id"), str) else hashlib.sha256(line).hexdigest()[:32]
            letter = DeadLetter(key, int(content["refused"]), str(content["reason"]), record, line)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # cut off by the end of a process, which sends the event again
        letters.pop(key, None)
        letters[key] = letter
    return list(letters.values())


def _content(file: int) -> bytes:
    data = b""
    while block := os.pread(file, 1 << 20, len(data)):
        data += block
    return data


def _write(file: int, data: bytes, size: int) -> None:
    written = 0
    try:
        while written < len(data):
            written += os.write(file, data[written:])
    except OSError:
        os.ftruncate(file, size)
        raise
