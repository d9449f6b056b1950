"""A recording on disk: a folder with numbered files and their catalogue, or one file."""

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from qiki_eventstore.files import draft_of, sync, sync_folder
from qiki_eventstore.recording import metadata
from qiki_eventstore.recording.metadata import Metadata, RecordedFile
from qiki_eventstore.recording.reading import read_metadata
from qiki_eventstore.recording.sample import RecordingError
from qiki_eventstore.recording.summary import Summary, summarise

SUFFIX: Final = ".mcap"


class FolderLock:
    """Lock of a recording's folder, held while its files change; freed by the kernel when the process ends.

    Raises (at construction):
        BlockingIOError: another one holds it.
        OSError: the folder is not there, or cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(self._descriptor)
            raise

    def is_of(self, folder: Path) -> bool:
        """True while the folder of this name is the one that was locked."""
        try:
            return self._descriptor >= 0 and os.path.samestat(os.fstat(self._descriptor), folder.stat())
        except OSError:
            return False

    def release(self) -> None:
        """Free it. May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def is_locked(folder: Path) -> bool:
    """True while a recorder writes into the folder, or its files are being finished."""
    try:
        FolderLock(folder).release()
    except BlockingIOError:
        return True
    return False


def is_recording(path: Path) -> bool:
    """True for an MCAP file, and for a folder with a catalogue or with MCAP files, or one that cannot be read."""
    try:
        if path.is_dir():
            return (path / metadata.FILE).is_file() or any(path.glob(f"*{SUFFIX}"))
        return path.suffix == SUFFIX and path.is_file()
    except PermissionError:
        return True


def load(path: Path) -> Metadata:
    """Catalogue of a recording. Without a `metadata.yaml` it is made from the files, in memory.

    Raises:
        RecordingError: no recording, or the catalogue or a file is damaged.
        FileNotFoundError: nothing is there.
    """
    if not path.is_dir():
        return _of_files([path])
    catalogue = path / metadata.FILE
    if catalogue.is_file():
        return metadata.of_text(catalogue.read_text(encoding="utf-8", errors="replace"), catalogue)
    files = sorted(path.glob(f"*{SUFFIX}"), key=_by_number)
    if not files:
        raise RecordingError(f"{path}: no recording: it has neither {metadata.FILE} nor a file *{SUFFIX}")
    return _of_files(files)


def save(folder: Path, contents: Metadata) -> None:
    """Replace the catalogue durably, whole or not at all.

    Raises:
        StoreFull: no room for it.
        OSError: it cannot be written.
    """
    path = folder / metadata.FILE
    with draft_of(path, replaces=True) as draft:
        with draft.open("wb") as file:
            file.write(metadata.to_text(contents).encode())
            sync(file)
        draft.replace(path)
    sync_folder(folder)


def recordings_in(folder: Path) -> Iterator[Path]:
    """Recordings in a folder, by name: folders and single files."""
    return (path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and is_recording(path))


def facts_of(path: Path, contents: Summary) -> RecordedFile:
    """Entry of the catalogue for a file with these contents; epoch and wall time are from its own record."""
    own = metadata.of_record(read_metadata(path, metadata.RECORD)) or RecordedFile(path.name)
    return replace(
        own,
        name=path.name,
        start=contents.start,
        end=contents.end,
        messages=contents.messages,
        finished=contents.finished,
    )


def _of_files(files: Sequence[Path]) -> Metadata:
    made = Metadata()
    for path in files:
        contents = summarise(path)
        made = made.with_file(facts_of(path, contents), contents)
    return made


def _by_number(path: Path) -> tuple[str, int]:
    stem, number = re.fullmatch(r"(.*?)(\d*)", path.stem).groups()  # type: ignore[union-attr]
    return stem, int(number or 0)
