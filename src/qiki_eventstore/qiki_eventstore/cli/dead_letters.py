"""`qiki events dead-letters list | retry | drop`: events that the store refused, beside their nodes' spools."""

import os
from collections.abc import Iterator
from pathlib import Path

import click

from qiki_eventstore.cli.options import json_option, opened, store_option
from qiki_eventstore.cli.times import json_time, time_text
from qiki_eventstore.errors import PayloadError
from qiki_eventstore.events import Encoded, Event
from qiki_node.dead_letters import SUFFIX, DeadLetter, DeadLetters
from qiki_node.errors import CommandError, RefusedError
from qiki_node.json_text import to_json
from qiki_node.terminal import echo, printable
from qiki_node.verb_group import VerbGroup

_PATIENCE = 5.0
"""s to wait for a node that is writing."""

_IDS = click.argument("ids", metavar="[ID]...", nargs=-1)
_ALL = click.option("--all", "every", is_flag=True, help="All of them.")


_spool_option = click.option(
    "--spool",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the nodes' spools (their parameter events_spool).  [default: outbox in the run directory]",
)


@click.group("dead-letters", cls=VerbGroup)
def dead_letters() -> None:
    """Events that the store refused: list them, send them again, drop them.

    Each node keeps its own in a file beside its spool, also while no node runs.
    """


@dead_letters.command("list")
@_spool_option
@json_option
def list_(*, spool: Path | None, as_json: bool) -> None:
    """All dead letters, those of each node oldest first."""
    found = False
    for node, _, letter in _letters(spool):
        echo(_as_json(node, letter) if as_json else _line(node, letter))
        found = True
    if not found and not as_json:
        echo(f"no dead letters in {_folder(spool)}", err=True)


@dead_letters.command()
@_IDS
@_ALL
@_spool_option
@store_option
def retry(ids: tuple[str, ...], *, every: bool, spool: Path | None, url: str | None) -> None:
    """Send those with these IDs (or their beginnings) to the store again; what is stored leaves the file.

    Each keeps its id, time and stream. An event that the store refuses again stays (exit code 1).
    """
    chosen = list(_chosen(ids, every, spool))
    refused = 0
    if chosen:
        with opened(url, write=True) as store:
            for file, letter in chosen:
                try:
                    store.append(letter.event.stream, [_event(letter)])
                except (PayloadError, ValueError) as error:
                    refused += 1
                    echo(f"{letter.key}: refused again: {printable(str(error))}", err=True)
                else:
                    file.remove([letter.key])
    echo(f"{len(chosen) - refused} events stored")
    if refused:
        raise CommandError(f"{refused} events are refused", "qiki events dead-letters drop removes them for good")


@dead_letters.command()
@_IDS
@_ALL
@_spool_option
def drop(ids: tuple[str, ...], *, every: bool, spool: Path | None) -> None:
    """Remove those with these IDs (or their beginnings) for good."""
    dropped = sum(file.remove([letter.key]) for file, letter in list(_chosen(ids, every, spool)))
    echo(f"{dropped} events dropped")


def _event(letter: DeadLetter) -> Event:
    event = letter.event
    return Event(
        event.type,
        Encoded(event.content_type, event.payload),
        id=event.id,
        time=event.time,
        source=event.source,
        correlation=event.correlation,
        causation=event.causation,
        schema_version=event.schema_version,
    )


def _letters(spool: Path | None) -> Iterator[tuple[str, DeadLetters, DeadLetter]]:
    """Node, file and letter of each."""
    folder = _folder(spool)
    if spool is not None and not spool.is_dir():
        raise RefusedError(f"--spool: {spool}: no such folder")
    try:
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            file = DeadLetters(path, _PATIENCE)
            for letter in file.letters():
                yield f"/{path.stem.replace('.', '/')}", file, letter
    except OSError as error:
        raise CommandError(str(error)) from error


def _folder(spool: Path | None) -> Path:
    return spool or Path(os.environ.get("QIKI_RUN_DIR") or ".qiki/run", "outbox")


def _chosen(ids: tuple[str, ...], every: bool, spool: Path | None) -> Iterator[tuple[DeadLetters, DeadLetter]]:
    if bool(ids) == every:
        raise RefusedError("give the IDs of events, or --all", "qiki events dead-letters list shows them")
    found = [(file, letter) for _, file, letter in _letters(spool)]
    for id in ids:
        if not any(letter.key.startswith(_bare(id)) for _, letter in found):
            raise RefusedError(f"ID: {id!r}: no dead letter has it", "qiki events dead-letters list shows them")
    beginnings = tuple(map(_bare, ids))
    yield from (one for one in found if every or one[1].key.startswith(beginnings))


def _bare(id: str) -> str:
    return id.replace("-", "").lower() or "-"


def _line(node: str, letter: DeadLetter) -> str:
    stream, kind = (printable(str(letter.record.get(name, "?"))) for name in ("stream", "type"))
    return f"{letter.key}  {time_text(letter.refused)}  {node}  {stream}  {kind}  {printable(letter.reason)}"


def _as_json(node: str, letter: DeadLetter) -> str:
    record = {
        "id": letter.key,
        "node": node,
        **json_time("refused", letter.refused),
        "reason": letter.reason,
        "record": letter.record,
    }
    return to_json(record, default=str)
