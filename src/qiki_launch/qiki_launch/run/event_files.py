"""What happens to the nodes, as events for the event store: one file each in a folder that the store looks into.

The runner is no node, and it must be able to tell of a store that died: so it leaves files, which wait for the store
however long it takes. A file is written under another name and renamed: what ends in `.json` is whole.
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
"""Files that may wait: beyond, new events are lost, which is said."""


class EventFiles:
    """Leaves events in a folder; `say` is told what could not be left.

    Times are those of the computer: launch has no simulated time.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self._lost = 0

    def tell(self, type: str, payload: Mapping[str, Any]) -> None:
        """Leave one event. What fails is said and does not stop the runner."""
        now = time.time_ns()
        id = uuid7()
        record = {"id": str(id), "stream": STREAM, "type": type, "source": SOURCE, "time": now, "payload": payload}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if sum(1 for _ in os.scandir(self._folder)) >= MOST:
                raise OSError(f"{MOST} files wait for the event store")
            # Names sort as the events came.
            file = self._folder / f"{now:020d}-{id}.json"
            fresh = file.with_suffix(".new")
            fresh.write_text(json.dumps(record), encoding="utf-8")
            fresh.replace(file)
        except OSError as error:
            self._lost += 1
            if self._lost == 1:
                self._say(f"warning: events are lost, {self._folder} cannot be written: {error}")
