"""Events of the nodes' processes for the event store: one file each in a folder that the store looks into.

The runner is no node, and it must be able to report the death of the store itself: so it writes files, which wait for
the store however long it takes. A file is written under another name and renamed: one that ends in `.json` is whole.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from uuid_utils.compat import uuid7

STREAM = "qiki/launch"
SOURCE = "/qiki/launch"
MOST = 2000
"""Maximum number of pending files. Beyond it, new events are dropped and the number is shown."""


class EventFiles:
    """Writes events to a folder; `show` is called with a line for each that could not be written.

    Times are those of the computer: launch has no simulated time.
    """

    def __init__(self, folder: Path, show: Callable[[str], None]) -> None:
        self._folder, self._show = folder, show
        self._lost = 0

    def emit(self, type: str, payload: Mapping[str, Any]) -> None:
        """Write one event. A failure is shown and does not stop the runner."""
        now = time.time_ns()
        id = uuid7()
        record = {"id": str(id), "stream": STREAM, "type": type, "source": SOURCE, "time": now, "payload": payload}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if sum(entry.name.endswith(".json") for entry in os.scandir(self._folder)) >= MOST:
                raise OSError(f"{MOST} files wait for the event store")
            # Names sort as the events came.
            file = self._folder / f"{now:020d}-{id}.json"
            fresh = file.with_suffix(".new")
            # A name of a file need not be UTF-8: its other bytes are shown as ?, for the store takes text only.
            fresh.write_bytes(json.dumps(record, ensure_ascii=False).encode(errors="replace"))
            fresh.replace(file)
        except OSError as error:
            self._lost += 1
            if self._lost == 1:
                self._show(f"warning: events are lost, {self._folder} cannot be written: {error}")
