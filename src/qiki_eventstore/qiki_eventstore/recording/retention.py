"""Removal of the oldest recorded files, by a policy for a folder of recordings."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from qiki_eventstore.recording import folder as folders
from qiki_eventstore.recording.metadata import FILE, Metadata, RecordedFile
from qiki_eventstore.recording.sample import RecordingError
from qiki_eventstore.recording.summary import Summary, summarise

_SECOND = 10**9


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of all recordings in one folder; 0 for no bound.

    Attributes:
        max_files: files.
        max_bytes: B, of all files.
        max_age: s of wall time since the end of a file.
    """

    max_files: int = 0
    max_bytes: int = 0
    max_age: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.max_files or self.max_bytes or self.max_age)


@dataclass(frozen=True, slots=True)
class Kept:
    """A file as the policy sees it.

    Attributes:
        recording: folder of its recording.
        file: entry of the catalogue.
        size: B.
        is_open: it is being written, or its recording is.
    """

    recording: Path
    file: RecordedFile
    size: int
    is_open: bool = False

    @property
    def path(self) -> Path:
        """The file itself."""
        return self.recording / self.file.name


def surplus(files: Sequence[Kept], limits: Limits, now: int) -> list[Kept]:
    """Files to remove, the oldest first; none that is open.

    Args:
        files: in any order.
        now: ns since 1970.
    """
    count, size = len(files), sum(one.size for one in files)
    removed = []
    for one in sorted(files, key=lambda kept: (kept.file.wall_start or 0, kept.path)):
        ended = one.file.wall_end or one.file.wall_start or 0
        too_old = limits.max_age > 0.0 and now - ended > limits.max_age * _SECOND
        too_many = 0 < limits.max_files < count
        too_large = 0 < limits.max_bytes < size
        if not one.is_open and (too_old or too_many or too_large):
            removed.append(one)
            count, size = count - 1, size - one.size
    return removed


def kept_in(root: Path, own: Path, contents: Metadata, open_file: str | None) -> list[Kept]:
    """Files of all recordings in `root` that a recorder of QIKI wrote.

    Args:
        own: the recording that the caller writes.
        contents: its catalogue.
        open_file: its file that is being written.
    """
    found = list(_of(own, contents.files, lambda one: one.name == open_file))
    for path in folders.recordings_in(root):
        if path != own and path.is_dir():
            try:
                files, locked = folders.load(path).files, folders.is_locked(path)
            except (OSError, RecordingError):
                continue  # it is left alone
            found += _of(path, files, lambda _, locked=locked: locked)  # type: ignore[misc]
    return found


def remove(one: Kept, contents: Metadata) -> Metadata:
    """Remove a file, and its entry from the catalogue of its recording, which is given; the changed catalogue.

    Raises:
        OSError: it cannot be removed.
    """
    left = contents.without(one.file.name, _contents(one.path) if one.file.finished else None)
    one.path.unlink(missing_ok=True)
    return left


def remove_elsewhere(one: Kept) -> None:
    """Remove a file of a recording that nobody writes, and the recording with its last file.

    Raises:
        BlockingIOError: a recorder writes it by now.
        OSError, RecordingError: it cannot be removed.
    """
    with folders.FolderLock(one.recording):
        left = remove(one, folders.load(one.recording))
        if left.files:
            folders.save(one.recording, left)
            return
        (one.recording / FILE).unlink()
    if not any(one.recording.iterdir()):
        one.recording.rmdir()


def _of(recording: Path, files: Sequence[RecordedFile], is_open: Callable[[RecordedFile], bool]) -> Iterator[Kept]:
    for one in files:
        path = recording / one.name
        if one.wall_start is not None and path.is_file():
            yield Kept(recording, one, path.stat().st_size, is_open(one))


def _contents(path: Path) -> Summary | None:
    try:
        return summarise(path)
    except (OSError, RecordingError):
        return None
