"""A recorder's destination that is a folder of numbered files."""

import contextlib
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final

from qiki_eventstore.errors import EventStoreError, StoreFull
from qiki_eventstore.files import room_for, sync_folder
from qiki_eventstore.recording import metadata, retention
from qiki_eventstore.recording.folder import SUFFIX, FolderLock, facts_of, save
from qiki_eventstore.recording.metadata import Metadata, RecordedFile
from qiki_eventstore.recording.notes import Note, Notify, Outcome, ignore
from qiki_eventstore.recording.offers import Offer
from qiki_eventstore.recording.sample import Sample
from qiki_eventstore.recording.summary import TopicSummary, summarise
from qiki_eventstore.recording.writing import Define, McapWriter, OfferOf, nothing_known

_RESERVE: Final = 64 << 20
"""B of free space without which a failed recording does not go on; on a small disk a tenth of it."""

_EPOCHS: Final = 30
_EPOCHS_WITHIN: Final = 60.0
"""A clock that jumps back more than so often in so many s begins no further file: there are two clocks."""


@dataclass(frozen=True, slots=True)
class Rolling:
    """Bounds of one file; 0 for no bound.

    Attributes:
        max_seconds: s of steady time.
        max_bytes: B.
    """

    max_seconds: float = 300.0
    max_bytes: int = 512 << 20


class FolderSink:
    """One recording: a new folder with numbered files, and a catalogue that follows each beginning and end of a file.

    A sample that is earlier than the one before begins a new epoch, and with it a file. A folder or file that is moved
    or removed while it is written is finished where it is, and another one is begun under the old name. On a full disk
    the first file is begun when there is room.

    Args:
        folder: of the recording; its parent is the folder to which the limits apply.
        define, offer_of: as for `McapWriter`.
        rolling: bounds of one file.
        limits: bounds of all recordings beside this one.
        notify: takes what happens to files, in the recorder's thread.
        wall: ns since 1970.
        steady: s.

    Raises:
        FileExistsError: the folder is there already.
        OSError: it cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        define: Define,
        offer_of: OfferOf = nothing_known,
        *,
        rolling: Rolling = Rolling(),
        limits: retention.Limits = retention.Limits(),  # noqa: B008  frozen
        notify: Notify = ignore,
        wall: Callable[[], int] = time.time_ns,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._define, self._offer_of = define, offer_of
        self._rolling, self._limits = rolling, limits
        self._notify, self._wall, self._steady = notify, wall, steady
        self._contents = Metadata()
        self._number = 0
        self._epoch = 0
        self._jumps: deque[float] = deque(maxlen=_EPOCHS)
        self._latest: int | None = None
        self._offers: dict[str, Offer] = {}
        self._file: IO[bytes] | None = None
        self._lock: FolderLock | None = None
        try:
            with contextlib.suppress(StoreFull), room_for(folder):  # the first sample tries again
                self._begin()
        except BaseException:
            if self._lock is not None:
                self._lock.release()
            raise

    def write(self, samples: Sequence[Sample]) -> None:
        for sample in samples:
            if self._latest is not None and sample.time < self._latest and self._may_split():
                self._finish()
                self._epoch += 1
            self._latest = sample.time
            if self._file is None:
                self._begin()
            self._writer.write(sample)
            self._is_empty = False
        self._finish_if_due()

    def flush(self) -> None:
        if self._file is not None:
            self._writer.flush()
            if not self._is_in_place():
                self._finish()
            self._finish_if_due()

    def abandon(self, reason: str) -> None:
        path = self.folder
        if self._file is not None:
            path /= self._entry.name
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        self._notify(Note(Outcome.ABANDONED, path, reason))

    def resume(self) -> bool:
        try:
            self._make_folder()
            self._apply_limits()
            room = shutil.disk_usage(self.folder)
            if room.free >= min(_RESERVE, room.total // 10):
                self._begin()
        except (OSError, EventStoreError):
            return False
        return self._file is not None

    def close(self) -> None:
        try:
            self._finish()
        finally:
            if self._lock is not None:
                self._lock.release()

    # Files ----------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._make_folder()
        entry = RecordedFile(
            f"{self.folder.name}_{self._number}{SUFFIX}", self._epoch, wall_start=self._wall(), finished=False
        )
        path = self.folder / entry.name
        contents = self._contents.with_file(entry)
        file = path.open("xb")
        try:
            writer = McapWriter(file, self._define, self._first_offer)
            # A reader of this file alone, and `repair`, find epoch and time in it.
            writer.note(metadata.RECORD, metadata.to_record(Metadata((entry,))))
            writer.flush()
            save(self.folder, contents)
        except BaseException:
            with contextlib.suppress(OSError):
                file.close()
            path.unlink(missing_ok=True)
            raise
        self._file, self._writer, self._entry, self._contents = file, writer, entry, contents
        self._number += 1
        self._begun, self._is_empty = self._steady(), True
        self._notify(Note(Outcome.BEGUN, path, file=entry))
        self._apply_limits()

    def _make_folder(self) -> None:
        """Make the folder, and begin its catalogue, unless it is there and ours."""
        if self._lock is not None:
            if self._lock.is_of(self.folder):
                return
            self._lock.release()
        self.folder.mkdir(parents=True)
        sync_folder(self.folder.parent)
        self._lock = FolderLock(self.folder)
        self._contents = Metadata()

    def _is_in_place(self) -> bool:
        """True unless the open file was moved, removed or replaced."""
        assert self._file is not None
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), (self.folder / self._entry.name).stat())
        except FileNotFoundError:
            return False

    def _finish_if_due(self) -> None:
        if self._file is None or self._is_empty:
            return
        too_long = 0.0 < self._rolling.max_seconds <= self._steady() - self._begun
        if too_long or 0 < self._rolling.max_bytes <= self._file.tell():
            self._finish()

    def _finish(self) -> None:
        """Close the file, if there is one; the next sample begins the next."""
        if self._file is None:
            return
        entry = replace(self._entry, wall_end=self._wall(), finished=True)
        self._writer.note(metadata.RECORD, metadata.to_record(Metadata((entry,))))
        self._writer.finish()
        path = self.folder / entry.name
        is_lost = not self._is_in_place()
        self._file.close()
        self._file = None
        if is_lost:
            self._contents = self._contents.without(entry.name, None)
            self._notify(Note(Outcome.LOST, path, "it was moved or removed while it was written"))
            return
        contents = summarise(path)
        facts = facts_of(path, contents)
        topics = {name: self._with_late(name, topic) for name, topic in contents.topics.items()}
        self._contents = self._contents.with_file(facts, replace(contents, topics=topics))
        save(self.folder, self._contents)
        self._notify(Note(Outcome.CLOSED, path, f"{contents.messages} messages, epoch {entry.epoch}", facts))
        self._apply_limits()

    def _first_offer(self, topic: str) -> Offer:
        """The same in all files: tools take a channel of another offer for another topic."""
        return self._offers.setdefault(topic, self._offer_of(topic))

    def _with_late(self, name: str, topic: TopicSummary) -> TopicSummary:
        now = self._offer_of(name).profiles
        return replace(topic, late=tuple(one for one in now if one not in topic.offer.profiles))

    def _may_split(self) -> bool:
        now = self._steady()
        if len(self._jumps) == _EPOCHS and now - self._jumps[0] < _EPOCHS_WITHIN:
            return False
        self._jumps.append(now)
        return True

    def _apply_limits(self) -> None:
        if not self._limits:
            return
        open_file = self._entry.name if self._file is not None else None
        kept = retention.kept_in(self.folder.parent, self.folder, self._contents, open_file)
        for one in retention.surplus(kept, self._limits, self._wall()):
            try:
                if one.recording == self.folder:
                    self._contents = retention.remove(one, self._contents)
                    save(self.folder, self._contents)
                else:
                    retention.remove_elsewhere(one)
            except (OSError, EventStoreError) as error:
                self._notify(Note(Outcome.STUCK, one.path, str(error)))
            else:
                self._notify(Note(Outcome.REMOVED, one.path, f"{one.size} B"))
