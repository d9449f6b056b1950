"""Events left as files by programs that are no nodes, such as the launch runner: one JSON file each, in one folder.

A writer gives it a name that does not end in `.json` and renames it: a file that ends in `.json` is whole.
A file is removed once its event is durable; one that cannot be stored is renamed to `.refused` and stays.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from qiki_eventstore.errors import EventStoreError, PayloadError
from qiki_eventstore.events import Event
from qiki_eventstore.files import read_regular
from qiki_eventstore.store import EventStore

if TYPE_CHECKING:
    from qiki_eventstore.receipt import Receipt

_FIELDS: Final = {"id": str, "stream": str, "type": str, "source": str, "time": int, "payload": dict}
_MOST: Final = 500
"""Files taken at one time."""


class Inbox:
    """A folder of such files, in the order of their names.

    Args:
        folder: it need not exist yet.
        store: takes the events.
        refused: called with the file and the reason when one cannot be stored.
    """

    def __init__(self, folder: Path, store: EventStore, refused: Callable[[Path, str], None]) -> None:
        self._folder, self._store, self._refused = folder, store, refused
        self._going: list[tuple[Path, Receipt]] = []
        self.taken = 0

    def look(self) -> None:
        """Take what has come; remove what is durable. Does not wait: the next call goes on."""
        self._settle()
        if self._going or not self._folder.is_dir():
            return
        for file in sorted(self._folder.glob("*.json"))[:_MOST]:
            try:
                stream, event = _read(file)
                self._going.append((file, self._store.submit(stream, [event])))
            except PayloadError as error:
                self._set_aside(file, str(error))
            except (EventStoreError, OSError):
                return  # it will be tried again, and so will what follows it

    def _settle(self) -> None:
        if not all(receipt.done() for _, receipt in self._going):
            return
        for file, receipt in self._going:
            error = receipt.exception()
            if error is None:
                file.unlink(missing_ok=True)
                self.taken += 1
            elif isinstance(error, PayloadError):
                self._set_aside(file, str(error))
        self._going.clear()

    def _set_aside(self, file: Path, reason: str) -> None:
        self._refused(file, reason)
        with suppress(OSError):  # where nothing can be renamed, the files behind it are taken all the same
            file.rename(file.with_suffix(".refused"))


def _read(file: Path) -> tuple[str, Event]:
    try:
        if not file.is_file():  # a pipe would block, or be tried for ever
            raise ValueError("is no regular file")
        record: dict[str, Any] = json.loads(read_regular(file))
        for name, kind in _FIELDS.items():
            if type(record.get(name)) is not kind:
                raise ValueError(f"{name}: {record.get(name)!r}; allowed: a value of type {kind.__name__}")
        id = UUID(record["id"])
    except (ValueError, AttributeError) as error:
        raise PayloadError(f"{file.name}: {error}") from error
    event = Event(record["type"], record["payload"], id=id, time=record["time"], source=record["source"])
    return record["stream"], event
