"""The outbox on disk: events that are not yet acknowledged survive the end of their process, kill -9 included.

One file of JSON lines: an event, or the ids of events that are done with. It is not synced: it is to outlive the
process; events that must outlive the machine belong in the store. It is emptied whenever nothing is open, and rewritten
when most of it is done with.
"""

import base64
import fcntl
import json
import os
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from qiki_node.outbox import Delivery, OutgoingEvent

REWRITE_AT = 4 * 1024 * 1024
"""Size in bytes from which a file with mostly acknowledged events is rewritten."""


class Spool:
    """The file of one emitter, held by a lock while it is open.

    Raises (at construction):
        OSError: it cannot be written, or another process has it open; the text names the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise OSError(error.errno, f"events_spool: {path} is in use by another process") from error
        self._open: dict[UUID, bytes] = {}
        self._read()
        self._rewrite()

    def left(self) -> list[OutgoingEvent]:
        """Events that an earlier process did not get acknowledged, in the order in which they were emitted."""
        return [_event(line) for line in self._open.values()]

    def add(self, event: OutgoingEvent) -> None:
        """Keep an event.

        Raises:
            OSError: it could not be written (disk full); the file is as before.
        """
        line = _line(event)
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
        if not self._open:
            os.ftruncate(self._file, 0)
        elif os.fstat(self._file).st_size > max(REWRITE_AT, 2 * sum(map(len, self._open.values()))):
            self._rewrite()
        else:
            self._append(json.dumps({"done": [id.hex for id in known]}).encode() + b"\n")

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
            try:
                record = json.loads(line)
                if "done" in record:
                    for id in record["done"]:
                        self._open.pop(UUID(hex=id), None)
                else:
                    _event(line)
                    self._open[UUID(hex=record["id"])] = line
            except (ValueError, KeyError, TypeError):
                continue  # cut off by the end of a process: `emit` never returned for it

    def _rewrite(self) -> None:
        """Write the open events only, in one step: a crash leaves the old file or the new one."""
        size = os.fstat(self._file).st_size
        data = b"".join(self._open.values())
        if size == len(data):
            return
        fresh = self.path.with_suffix(".new")
        fresh.write_bytes(data)
        file = os.open(fresh, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fresh.replace(self.path)
        os.close(self._file)
        self._file = file


def _line(event: OutgoingEvent) -> bytes:
    record = {
        "id": event.id.hex,
        "stream": event.stream,
        "type": event.type,
        "source": event.source,
        "time": event.time,
        "content_type": event.content_type,
        "schema_version": event.schema_version,
        "correlation": event.correlation,
        "causation": event.causation,
        "delivery": event.delivery.value,
        "payload": base64.b64encode(event.payload).decode(),
    }
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _event(line: bytes) -> OutgoingEvent:
    record = json.loads(line)
    return OutgoingEvent(
        **{
            **record,
            "id": UUID(hex=record["id"]),
            "delivery": Delivery(record["delivery"]),
            "payload": base64.b64decode(record["payload"], validate=True),
        }
    )
