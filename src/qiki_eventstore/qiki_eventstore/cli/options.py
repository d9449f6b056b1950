"""Options that several verbs share: the store, the events, the time."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from qiki_eventstore.cli.errors import store_errors
from qiki_eventstore.cli.times import parse_time, time_text
from qiki_eventstore.store import EventStore, Query, matcher
from qiki_node.completion import completer
from qiki_node.errors import RefusedError, UnknownNameError, UnreachableError

F = TypeVar("F", bound=Callable[..., Any])

_SEGMENTS = f"{__name__}.segments"


def store_option(function: F) -> F:
    """Options that name a store; `opened` opens it."""

    def keep(context: click.Context, _: click.Parameter, value: str | None) -> None:
        context.meta[_SEGMENTS] = value

    url = click.option(
        "--store",
        "url",
        metavar="URL",
        help="A store itself (sqlite:///path, path.db or postgresql://…) instead of the graph's.",
    )
    segments = click.option(
        "--segments",
        metavar="FOLDER",
        expose_value=False,
        callback=keep,
        help="Folder of dropped segments; with --store postgresql://…",
    )
    return url(segments(function))


json_option = click.option("--json", "as_json", is_flag=True, help="JSON, one line per item.")


class Instant(click.ParamType[int]):
    """A time in ns: seconds of the emitter's clock (12.5), or ISO 8601 with its zone (2026-05-01T12:00:00Z)."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_time(value)
        except ValueError as error:
            self.fail(f"{value!r} is not allowed; allowed: {error}", param, ctx)


TIME = Instant()


def _types() -> Iterable[str]:
    from qiki_events import REGISTRY

    return REGISTRY.types


def _projections() -> Iterable[str]:
    from qiki_events.projections import PROJECTIONS

    return PROJECTIONS


complete_projections = completer(_projections)


def query_options(function: F) -> F:
    """Options that choose events; `query_of` turns them into a query."""
    for option in reversed(
        (
            click.option(
                "--type",
                "types",
                multiple=True,
                shell_complete=completer(_types),
                help="Event type; a trailing * matches any rest.",
            ),
            click.option("--stream", "streams", multiple=True, help="Stream; a trailing * matches any rest."),
            click.option("--correlation", help="Id of the command that the events belong to."),
        )
    ):
        function = option(function)
    return function


def time_options(function: F) -> F:
    """Options that bound time."""
    for option in reversed(
        (
            click.option("--from", "start", type=TIME, help="Earliest event time (seconds, or ISO 8601)."),
            click.option("--to", "end", type=TIME, help="Latest event time, exclusive."),
            click.option("--recorded-from", "recorded_start", type=TIME, help="Earliest recording time."),
            click.option("--recorded-to", "recorded_end", type=TIME, help="Latest recording time, exclusive."),
        )
    ):
        function = option(function)
    return function


def query_of(**chosen: Any) -> Query:
    """The query of the given options, without those that are None.

    Raises:
        click.UsageError: no time can lie between two bounds.
    """
    query = Query(**{name: value for name, value in chosen.items() if value is not None})
    for names, start, end in (
        ("--from, --to", query.start, query.end),
        ("--recorded-from, --recorded-to", query.recorded_start, query.recorded_end),
    ):
        if start is not None and end is not None and start >= end:
            given = f"{time_text(start)}, {time_text(end)}"
            raise click.UsageError(f"{names}: {given}; allowed: the first before the second")
    return query


def require_names(store: EventStore, query: Query) -> None:
    """See that every stream and type of a query is there; in a store without events everything is.

    Raises:
        UnknownNameError: one is not there.
    """
    from qiki_events import REGISTRY

    streams = store.streams()
    if not streams:
        return
    for stream in query.streams:
        if not any(map(matcher(stream), streams)):
            raise UnknownNameError("stream", stream, streams)
    for kind in query.types:
        known = any(map(matcher(kind), REGISTRY.types))
        if not known and not any(store.read_all(Query(types=(kind,), limit=1))):
            raise UnknownNameError("type", kind, REGISTRY.types)


def require_bot(store: EventStore, bot: str) -> None:
    """See that a bot has events.

    Raises:
        UnknownNameError: it has none.
    """
    if not store.streams(f"{bot}/*"):
        raise UnknownNameError("bot", bot, {stream.split("/")[0] for stream in store.streams()} - {"qiki"})


@contextmanager
def opened(url: str | None, *, write: bool = False, create: bool = False, **options: Any) -> Iterator[EventStore]:
    """The store of a URL, opened to be read unless `write`; without a URL that of the graph.

    Only with `create` a store is made where none is. Errors become those of the command.
    """
    if url is not None and not create:
        require_store(url)
    with store_errors(on_graph=url is None, write=write):
        if url is None:
            with _of_graph() as store:
                yield store
            return
        from qiki_eventstore.opening import open_store

        with open_store(url if write else _to_read(url), **options, **_segments_of(url)) as store:
            yield store


def require_store(url: str) -> None:
    """See that a URL does not name a file that is not there: a mistyped name must not become an empty store.

    Raises:
        UnreachableError: it does.
    """
    from qiki_eventstore.opening import engine_of

    with store_errors(on_graph=False):
        if engine_of(url) == "sqlite" and not (path := path_of(url, "")).exists():
            raise UnreachableError(f"{path}: there is no such store")


def path_of(url: str, hint: str) -> Path:
    """Path of a SQLite store's database; any other URL is refused with the hint."""
    from qiki_eventstore.sqlite.location import parse_url

    try:
        return parse_url(url)[0]
    except ValueError as error:
        raise RefusedError(str(error), hint) from error


def url_of_graph(elsewhere: str) -> str:
    """URL of the running graph's store itself; `elsewhere` is the hint where that is on another machine."""
    with opened(None) as store:
        url = str(store.url)  # type: ignore[attr-defined]
    if ":***@" in url or "=***" in url:
        raise UnreachableError(
            "the URL of the graph's store has a password, which is not shown", "name it with --store"
        )
    if url.startswith("sqlite:") and not path_of(url, "").exists():
        raise UnreachableError(f"the store is on another machine ({url})", elsewhere)
    return url


def _of_graph() -> EventStore:
    try:
        from qiki_eventstore.ros.graph_store import GraphStore
    except ImportError as error:
        hint = "source the workspace, or name a store with --store URL"
        raise UnreachableError(f"ROS 2 is not there ({error})", hint) from error
    return GraphStore()


def _segments_of(url: str) -> dict[str, Any]:
    from qiki_eventstore.opening import engine_of

    context = click.get_current_context(silent=True)
    folder = context.meta.get(_SEGMENTS) if context is not None else None
    if folder is None:
        return {}
    if engine_of(url) == "sqlite":
        raise ValueError("--segments: allowed with a PostgreSQL store only; those of SQLite are beside the database")
    return {"segments": folder}


def _to_read(url: str) -> str:
    from qiki_eventstore.opening import engine_of
    from qiki_eventstore.sqlite.location import parse_url, url_of

    if engine_of(url) == "sqlite":
        return url_of(parse_url(url)[0], read_only=True)
    if re.search(r"[?&]mode=", url):
        return url
    return f"{url}{'&' if '?' in url else '?'}mode=ro"
