"""Finishing of the files that earlier recorders left without index."""

from dataclasses import replace
from pathlib import Path

from qiki_eventstore.errors import EventStoreError
from qiki_eventstore.recording import folder as folders
from qiki_eventstore.recording import metadata
from qiki_eventstore.recording.metadata import Metadata
from qiki_eventstore.recording.notes import Note, Notify, Outcome, ignore
from qiki_eventstore.recording.recovery import repair
from qiki_eventstore.recording.sample import RecordingError
from qiki_eventstore.recording.summary import summarise


def finish_recordings(root: Path, notify: Notify = ignore) -> None:
    """Finish what can be finished in a folder of recordings; those that are being written are left alone.

    A file that cannot be finished stays as it is, and the catalogue gives the reason. Nothing is raised.
    """
    for path in folders.recordings_in(root):
        try:
            # A folder without catalogue can be one that another program is writing.
            if (path / metadata.FILE).is_file():
                finish_recording(path, notify)
        except BlockingIOError:
            pass  # it is being written
        except (OSError, EventStoreError) as error:
            notify(Note(Outcome.DAMAGED, path, str(error)))


def finish_recording(folder: Path, notify: Notify = ignore) -> Metadata:
    """Finish the unfinished files of one recording; its catalogue.

    Raises:
        BlockingIOError: a recorder is writing it.
        RecordingError: it is no recording.
        OSError, StoreFull: it cannot be written.
    """
    contents = folders.load(folder)
    if all(one.finished for one in contents.files) and (folder / metadata.FILE).is_file():
        return contents
    with folders.FolderLock(folder):
        for draft in folder.glob("*.part"):
            draft.unlink()
        contents = before = folders.load(folder)
        for one in before.files:
            path = folder / one.name
            if not one.finished and path.exists():
                contents = _finish(contents, path, notify)
            elif not path.exists():
                contents = contents.without(one.name, None)
        if contents != before or not (folder / metadata.FILE).is_file():
            folders.save(folder, contents)
    return contents


def _finish(contents: Metadata, path: Path, notify: Notify) -> Metadata:
    entry = next(one for one in contents.files if one.name == path.name)
    ended = path.stat().st_mtime_ns
    try:
        found = summarise(path)
        if not found.finished:
            repair(path)
            found = summarise(path)
    except (OSError, RecordingError, EventStoreError) as error:
        if str(error) != entry.reason:
            notify(Note(Outcome.DAMAGED, path, str(error)))
        return contents.with_file(replace(entry, reason=str(error)))
    facts = replace(folders.facts_of(path, found), epoch=entry.epoch, wall_start=entry.wall_start, wall_end=ended)
    notify(Note(Outcome.RECOVERED, path, f"{found.messages} messages", facts))
    return contents.with_file(facts, found)
