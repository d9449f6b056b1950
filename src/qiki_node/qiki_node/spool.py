"""The outbox on disk: events that are not yet acknowledged survive the end of their process, kill -9 included.

One file of JSON lines: an event, or the ids of events that are done with. It is not synced: it is to outlive the
process; events that must outlive the machine belong in the store. It is emptied whenever nothing is open, and rewritten
when most of it is done with. Lines that are no event that can be sent, as earlier versions may have left, go to the
dead letters beside it, and so do the events that the store refuses.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from uuid import UUID

from qiki_node.dead_letters import SUFFIX, DeadLetters
from qiki_node.outbox import OutgoingEvent
from qiki_node.regular import open_regular
from qiki_node.spool_record import event_of, line_of

REWRITE_AT = 4 * 1024 * 1024
"""Size in bytes from which a file with mostly acknowledged events is rewritten."""


class Spool:
    """The file of one emitter, held by a lock while it is open.

    Raises (at construction):
        OSError: it cannot be written, or another process has it open; the text names the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dead_letters = DeadLetters(path.with_suffix(SUFFIX))
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise OSError(error.errno, f"events_spool: {path} is in use by another process") from error
        self._open: dict[UUID, bytes] = {}
        self._unusable: list[bytes] = []
        self._read()
        self._rewrite()

    def left(self) -> list[OutgoingEvent]:
        """Events that an earlier process did not get acknowledged, in the order in which they were emitted."""
        return [event_of(line) for line in self._open.values()]

    def add(self, event: OutgoingEvent) -> None:
        """Keep an event.

        Raises:
            OSError: it could not be written (disk full); the file is as before.
        """
        line = line_of(event)
        self._append(line)
        self._open[event.id] = line

    def done(self, ids: Iterable[UUID]) -> None:
        """Forget events.

        Raises:
            OSError: it could not be written; after a restart they will be sent again, which does no harm.
        """
        known = [id for id in ids if self._open.pop(id, None) is not None]
        if not known:
            return
        if not self._open and not self._unusable:
            os.ftruncate(self._file, 0)
        elif os.fstat(self._file).st_size > max(REWRITE_AT, 2 * sum(map(len, self._open.values()))):
            self._rewrite()
        else:
            self._append(json.dumps({"done": [id.hex for id in known]}).encode() + b"\n")

    def refuse(self, events: Sequence[OutgoingEvent], reason: str) -> int:
        """Move events that the store refuses to the dead letters; the number of older ones that had to go for them.

        Raises:
            OSError: they could not be written; the events stay open, and are sent again after a restart.
        """
        dropped = self.dead_letters.add([line_of(event) for event in events], reason)
        self.done([event.id for event in events])
        return dropped

    def close(self) -> None:
        """Give the file back."""
        os.close(self._file)

    def _append(self, data: bytes) -> None:
        size = os.fstat(self._file).st_size
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            os.ftruncate(self._file, size)
            raise

    def _read(self) -> None:
        data = b""
        while block := os.pread(self._file, 1 << 20, len(data)):
            data += block
        for line in data.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break  # cut off by the end of a process: `emit` never returned for it
            try:
                self._take(line)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                self._set_aside(line, str(error))

    def _take(self, line: bytes) -> None:
        record = json.loads(line)
        if "done" in record:
            for id in record["done"]:
                self._open.pop(UUID(hex=id), None)
        else:
            self._open[event_of(line).id] = line

    def _set_aside(self, line: bytes, reason: str) -> None:
        try:
            self.dead_letters.add([line], reason)
        except OSError:
            self._unusable.append(line)  # stays where it is, for the next start

    def _rewrite(self) -> None:
        """Write the open events only, in one step: a crash leaves the old file or the new one."""
        size = os.fstat(self._file).st_size
        data = b"".join((*self._unusable, *self._open.values()))
        if size == len(data):
            return
        fresh = self.path.with_suffix(".new")
        fresh.write_bytes(data)
        file = os.open(fresh, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fresh.replace(self.path)
        os.close(self._file)
        self._file = file
