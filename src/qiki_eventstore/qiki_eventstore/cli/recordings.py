"""`qiki recordings`: the catalogue of recorded files."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from qiki_eventstore.cli.errors import store_errors
from qiki_eventstore.cli.options import json_option
from qiki_eventstore.cli.times import json_time, time_text
from qiki_eventstore.errors import EventStoreError
from qiki_eventstore.recording.folder import is_locked, load, recordings_in
from qiki_eventstore.recording.metadata import Metadata, RecordedFile
from qiki_eventstore.recording.notes import Note, Outcome
from qiki_eventstore.recording.tending import finish_recording
from qiki_node.errors import CommandError, RefusedError
from qiki_node.json_text import to_json
from qiki_node.terminal import echo, printable
from qiki_node.verb_group import VerbGroup

_DEFAULT: Final = "recordings"


_recording = click.argument("path", metavar="RECORDING", type=click.Path(path_type=Path))


@click.group(cls=VerbGroup)
def recordings() -> None:
    """Recorded files: list, info, recover."""


@recordings.command("list")
@click.argument("folder", default=_DEFAULT, type=click.Path(path_type=Path))
@json_option
def list_recordings(folder: Path, *, as_json: bool) -> None:
    """List the recordings in FOLDER (default: recordings, where `record:=mcap:///recordings/` keeps them)."""
    found = 0
    damaged = False
    with store_errors(on_graph=False):
        if not folder.is_dir():
            raise RefusedError(f"{folder}: no such folder", "name the folder that the recorder's destination names")
        for path in recordings_in(folder):
            found += 1
            try:
                contents = load(path)
                text = to_json(_values(path, contents)) if as_json else _line(path, contents)
            except (OSError, EventStoreError) as error:
                damaged = True
                text = to_json({"name": path.name, "error": str(error)}) if as_json else f"{path.name}  {error}"
            echo(text if as_json else printable(text))
    if not found and not as_json:
        echo("no recordings")
    if damaged:
        raise CommandError(f"{folder}: a catalogue or a file is damaged, or cannot be read")


@recordings.command()
@_recording
@json_option
def info(path: Path, *, as_json: bool) -> None:
    """Show files, times, reset epochs and topics of RECORDING (a folder, or FILE.mcap)."""
    with store_errors(on_graph=False):
        contents = load(path)
    if as_json:
        files = [_file_values(one) for one in contents.files]
        topics = [
            {
                "name": name,
                "type": topic.type,
                "messages": topic.count,
                "type_hash": topic.offer.type_hash,
                "offered_qos_profiles": [asdict(profile) for profile in topic.profiles],
            }
            for name, topic in contents.topics.items()
        ]
        echo(to_json({**_values(path, contents), "parts": files, "topics": topics}))
        return
    echo(printable(_line(path, contents)))
    for one in contents.files:
        echo(printable(f"  epoch {one.epoch}  {_span(one.start, one.end)}  {_count(one)}  {one.name}"))
    for name, topic in contents.topics.items():
        offered = sorted({f"{profile.reliability}, {profile.durability}" for profile in topic.profiles})
        echo(printable(f"  {topic.count:>9} {name}  {topic.type}  {'; '.join(offered)}".rstrip()))


@recordings.command()
@_recording
def recover(path: Path) -> None:
    """Finish the files of RECORDING (its folder) that kill -9 or a full disk left without index.

    A recorder does the same, when it begins, for all recordings in its folder.
    """
    failed = []

    def show(note: Note) -> None:
        if note.outcome is Outcome.DAMAGED:
            failed.append(note)
        echo(printable(f"{note.path}: {note.outcome}: {note.detail}"), err=note.outcome is Outcome.DAMAGED)

    with store_errors(on_graph=False):
        if not path.is_dir():
            raise RefusedError(f"{path}: allowed: the folder of a recording")
        try:
            contents = finish_recording(path, show)
        except BlockingIOError as error:
            raise RefusedError(f"{path}: a recorder is writing it") from error
    left = sum(not one.finished for one in contents.files)
    echo(f"{len(contents.files) - left} of {len(contents.files)} files are finished")
    if left:
        raise CommandError(
            f"{path}: {left} files cannot be finished", "qiki replay reads them as far as they are whole"
        )


def _values(path: Path, contents: Metadata) -> dict[str, Any]:
    start, end = _bounds(contents)
    walls = [one.wall_start for one in contents.files if one.wall_start is not None]
    return {
        "name": path.name,
        "state": _state(path, contents),
        **json_time("start", start),
        **json_time("end", end),
        **json_time("wall_start", min(walls, default=None)),
        "files": len(contents.files),
        "unfinished": sum(not one.finished for one in contents.files),
        "epochs": len({one.epoch for one in contents.files}),
        "messages": sum(one.messages for one in contents.files),
        "bytes": _size(path, contents),
    }


def _line(path: Path, contents: Metadata) -> str:
    values = _values(path, contents)
    wall = values["wall_start_iso"]
    return (
        f"{path.name}  {values['state']}  {_span(*_bounds(contents))}  {values['messages']} messages  "
        f"{values['files']} files  {values['epochs']} epochs  {values['bytes'] / 1e6:.1f} MB  "
        f"begun {'N/A' if wall is None else wall[:19] + 'Z'}"
    )


def _file_values(one: RecordedFile) -> dict[str, Any]:
    times = {name: getattr(one, name) for name in ("start", "end", "wall_start", "wall_end")}
    others = {name: value for name, value in asdict(one).items() if name not in times}
    return {**others, **{key: item for name, time in times.items() for key, item in json_time(name, time).items()}}


def _state(path: Path, contents: Metadata) -> str:
    if path.is_dir() and is_locked(path):
        return "recording"
    return "finished" if all(one.finished for one in contents.files) else "unfinished"


def _bounds(contents: Metadata) -> tuple[int | None, int | None]:
    starts = [one.start for one in contents.files if one.start is not None]
    ends = [one.end for one in contents.files if one.end is not None]
    return min(starts, default=None), max(ends, default=None)


def _span(start: int | None, end: int | None) -> str:
    return "N/A" if start is None or end is None else f"{time_text(start)} to {time_text(end)}"


def _count(one: RecordedFile) -> str:
    if one.finished:
        return f"{one.messages} messages"
    return f"unfinished: {one.reason}" if one.reason else "unfinished"


def _size(path: Path, contents: Metadata) -> int:
    folder = path if path.is_dir() else path.parent
    return sum(file.stat().st_size for one in contents.files if (file := folder / one.name).exists())
