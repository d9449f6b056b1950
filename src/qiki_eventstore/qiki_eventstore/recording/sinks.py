"""Destinations of a recorder's samples: their protocol, and a single file."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from qiki_eventstore.files import sync_folder
from qiki_eventstore.recording.folder import facts_of
from qiki_eventstore.recording.metadata import RecordedFile
from qiki_eventstore.recording.notes import Note, Notify, Outcome, ignore
from qiki_eventstore.recording.sample import Sample
from qiki_eventstore.recording.summary import summarise
from qiki_eventstore.recording.writing import Define, McapWriter, OfferOf, nothing_known


class Sink(Protocol):
    """Destination of samples. Only the recorder's thread calls it."""

    def write(self, samples: Sequence[Sample]) -> None:
        """Take samples; an exception means that this sink can take no more until it resumes."""

    def flush(self) -> None:
        """Make the taken samples durable; called regularly, also when there are none."""

    def abandon(self, reason: str) -> None:
        """After an exception: release the file, and leave durable samples as they are."""

    def resume(self) -> bool:
        """Try to take samples again after an exception; whether it can."""

    def close(self) -> None:
        """Finish and release everything, also after `abandon`."""


class FileSink:
    """One new MCAP file; flushed samples are readable after kill -9.

    Args:
        path: the file; an existing one is refused.
        define, offer_of: as for `McapWriter`.
        notify: takes what happens to the file, in the recorder's thread.

    Raises:
        FileExistsError: the file is there already.
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, define: Define, offer_of: OfferOf = nothing_known, notify: Notify = ignore) -> None:
        self._path, self._notify = path, notify
        self._file = path.open("xb")
        sync_folder(path.parent)
        self._writer: McapWriter | None = McapWriter(self._file, define, offer_of)
        notify(Note(Outcome.BEGUN, path, file=RecordedFile(path.name, finished=False)))

    def write(self, samples: Sequence[Sample]) -> None:
        assert self._writer is not None
        for sample in samples:
            self._writer.write(sample)

    def flush(self) -> None:
        assert self._writer is not None
        self._writer.flush()
        if os.fstat(self._file.fileno()).st_nlink == 0:  # one that was renamed is still written as a whole
            raise FileNotFoundError(f"{self._path}: it was removed while it was written")

    def abandon(self, reason: str) -> None:
        # Closing writes the buffer, which fails again; no index: it would name chunks that are not there.
        self._writer = None
        with contextlib.suppress(OSError):
            self._file.close()
        self._notify(Note(Outcome.ABANDONED, self._path, reason))

    def resume(self) -> bool:
        return False

    def close(self) -> None:
        if self._writer is not None:
            self._writer.finish()
            self._file.close()
            contents = summarise(self._path)
            self._notify(Note(Outcome.CLOSED, self._path, file=facts_of(self._path, contents)))
