"""`qiki events`: query the event store, verify it, export and import its events, apply retention."""

import math
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from qiki_eventstore.cli import retention
from qiki_eventstore.cli.dead_letters import dead_letters
from qiki_eventstore.cli.errors import store_errors
from qiki_eventstore.cli.options import (
    json_option,
    opened,
    path_of,
    query_of,
    query_options,
    require_names,
    store_option,
    time_options,
    url_of_graph,
)
from qiki_eventstore.cli.record import nothing
from qiki_eventstore.cli.times import times_for_people, times_for_programs
from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.files import require_regular
from qiki_eventstore.store import Query, Subscription
from qiki_node.errors import CommandError, RefusedError, UnknownNameError
from qiki_node.json_text import to_json
from qiki_node.terminal import echo, printable
from qiki_node.verb_group import VerbGroup

_COMMANDS = ("operator.command_issued", "allocator.profile_started")
"""Types of the events with which a command begins."""

_SOON = 3.0
"""s without an answer after which the graph's store counts as gone: a new one does not know the request."""

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(cls=VerbGroup)
def events() -> None:
    """Query the event store, verify it, export and import its events, apply retention.

    Each verb works on the running graph's store, or with --store on a store itself; a store may be read while a node
    writes to it. With --store, the verbs that write want a store that no node has open.
    """


@events.command()
@click.option("-n", "count", type=click.IntRange(min=0), default=20, show_default=True, help="Events to begin with.")
@click.option("-f", "--follow", is_flag=True, help="Then each event as it is committed, until Ctrl-C.")
@query_options
@json_option
@store_option
def tail(count: int, *, follow: bool, as_json: bool, url: str | None, **chosen: Any) -> None:
    """The last events."""
    query = query_of(**chosen)
    with opened(url) as store:
        try:
            require_names(store, query)
        except UnknownNameError as error:
            if not follow:
                raise
            echo(f"note: {error.message}; waiting for it", err=True)
        head = store.head()
        if count:
            last = list(store.read_all(replace(query, before=head + 1, backwards=True, limit=count)))
            for event in reversed(last):
                _show(event, as_json)
        if not follow:
            return
        if url is None:
            store.answer = _SOON  # type: ignore[attr-defined]
        with store.subscribe(head, types=query.types, streams=query.streams) as subscription:
            try:
                while True:
                    new = _next(subscription, wait=url is None)
                    if new and query.correlation in (None, new.correlation):
                        _show(new, as_json)
            except KeyboardInterrupt:
                return


def _next(subscription: Subscription, *, wait: bool) -> RecordedEvent | None:
    """The next event, None if there is none soon. `wait`: a store that is gone is waited for, as it may come back."""
    try:
        return subscription.get(0.5)
    except StoreUnavailable as error:
        if not wait:
            raise
        echo(f"note: {printable(str(error))}; waiting for it", err=True)
    while True:
        try:
            event = subscription.get(0.5)
        except StoreUnavailable:
            time.sleep(0.5)
            continue
        echo("note: the store is back", err=True)
        return event


@events.command()
@query_options
@time_options
@click.option("--limit", type=click.IntRange(min=1), help="Most events.")
@click.option("--backwards", is_flag=True, help="Newest first.")
@json_option
@store_option
def query(*, as_json: bool, url: str | None, **chosen: Any) -> None:
    """Events that match every condition, in the order in which they were recorded."""
    wanted = query_of(**chosen)
    with opened(url) as store:
        require_names(store, wanted)
        shown = False
        for event in store.read_all(wanted):
            _show(event, as_json)
            shown = True
        if not shown:
            echo(nothing(store, wanted), err=True)


@events.command()
@click.argument("id")
@json_option
@store_option
def command(id: str, *, as_json: bool, url: str | None) -> None:
    """Verdict and events of one command: ID is that of a thrust profile's goal, or any correlation id."""
    from qiki_events.projections import COMMAND_LEDGER
    from qiki_eventstore.cli import lines

    with opened(url) as store:
        history = list(store.read_all(Query(correlation=id)))
        if not history:
            recent = store.read_all(Query(types=_COMMANDS, backwards=True, limit=20))
            raise UnknownNameError("command", id, [event.correlation for event in recent if event.correlation])
        [ledger] = store.reconstruct_correlated([COMMAND_LEDGER], id)
    known = {entry["command_id"]: entry for entry in COMMAND_LEDGER.dump(ledger)["commands"]}
    if as_json:
        happened = [lines.values(event) for event in history]
        echo(to_json({"command": times_for_programs(known.get(id)), "events": happened}))
        return
    for name, value in times_for_people(known.get(id) or {"command_id": id}).items():
        if value not in (None, "", 0):
            echo(f"{name.replace('_', ' '):>16}  {printable(str(value))}")
    for event in history:
        _show(event, as_json)


@events.command()
@json_option
@store_option
def stats(*, as_json: bool, url: str | None) -> None:
    """Counts and sizes; counts of appends are since the store was opened."""
    with opened(url) as store:
        found, streams = asdict(store.stats()), store.streams()
    if as_json:
        echo(to_json({**found, "stream_names": streams}))
        return
    for name, value in found.items():
        text = "N/A" if isinstance(value, float) and math.isnan(value) else value if value != "" else "no"
        echo(f"{name.replace('_', ' '):>16}  {printable(str(text))}")
    echo(f"{'names':>16}  {printable(', '.join(streams)) or 'none'}")


@events.command()
@click.option("--heads", type=_FILE, help="File of signed heads, if it is not beside the store; with --store.")
@json_option
@store_option
def verify(*, heads: Path | None, as_json: bool, url: str | None) -> None:
    """Recompute the hash chain; compare the signed heads, segments, holds and snapshots with it (exit code 1: bad)."""
    from qiki_events.projections import PROJECTIONS

    if heads is not None and url is None:
        raise RefusedError("--heads: the graph's store knows where its heads are", "give --store as well")
    options: dict[str, Any] = {"projections": tuple(PROJECTIONS.values())}
    if heads is not None:
        with store_errors(on_graph=False):
            require_regular(heads)
        options["heads"] = heads
    with opened(url, **options) as store:
        found = store.verify()
    if as_json:
        echo(to_json(asdict(found)))
    signed = "no signed head is known" if found.signed is None else f"signed up to {found.signed}"
    if not found.ok:
        at = "the tail" if found.first_bad is None else f"position {found.first_bad}"
        hint = "restore a backup; qiki events export --recorded-to saves the events before it"
        raise CommandError(f"{at}: {found.reason}", hint)
    if not as_json:
        echo(f"ok: {found.checked} events, head {found.head}, {signed}")


@events.command("export")
@click.argument("file", type=_FILE)
@query_options
@time_options
@store_option
def export(file: Path, *, url: str | None, **chosen: Any) -> None:
    """Write events to FILE (JSON lines): all of them without loss, or those that match."""
    from qiki_eventstore.transfer import export_events

    query = query_of(**{name: value for name, value in chosen.items() if value not in (None, ())})
    with opened(url) as store:
        done = export_events(store, file, query)
    echo(f"{done.events} events to {file}")


@events.command("import")
@click.argument("file", type=_FILE)
@store_option
def import_(file: Path, *, url: str | None) -> None:
    """Store the events of FILE that are not there yet. A complete export goes into an empty store verbatim.

    The whole file is checked before anything is stored. With --store no node may have the store open.
    """
    from qiki_eventstore.transfer import check_export, import_events

    if url is not None:
        with store_errors(on_graph=False):
            check_export(file)  # before a new store is made for it
    with opened(url, write=True, create=True) as store:
        done = import_events(store, file)
    verbatim = ", verbatim" if done.verbatim else ""
    echo(f"{done.stored} events stored{verbatim}, {done.known} known already")


@events.command()
@click.argument("file", type=_FILE)
@store_option
def backup(file: Path, *, url: str | None) -> None:
    """Write a consistent copy of the store to FILE while appends go on."""
    if url is None:
        url = url_of_graph("run the backup there")
    with opened(url) as store:
        store.backup(file)
    echo(f"{file.stat().st_size} bytes to {file}")


@events.command()
@click.argument("file", type=_FILE)
@click.option("--store", "url", required=True, metavar="sqlite:///PATH", help="The new store; it must not exist yet.")
def restore(file: Path, *, url: str) -> None:
    """Create a store from a backup, with its signed heads, public key and segments.

    The whole hash chain is verified before and after. Nothing is overwritten: no file of another store may be left.
    """
    from qiki_eventstore import backup

    path = path_of(url, "a backup of PostgreSQL is restored with pg_restore")
    with store_errors(on_graph=False):
        made = not path.parent.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            found = backup.restore(file, path)
        except BaseException:
            if made:
                path.parent.rmdir()
            raise
    echo(f"{found.checked} events restored to {path}")


for verb in (*retention.VERBS, dead_letters):
    events.add_command(verb)


def _show(event: RecordedEvent, as_json: bool) -> None:
    from qiki_eventstore.cli import lines

    echo(lines.as_json(event) if as_json else lines.line(event))
