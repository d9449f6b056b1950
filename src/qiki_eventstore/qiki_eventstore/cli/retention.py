"""`qiki events retain`, `segments`, `hold`, `holds`, `release`: drop old events, or hold them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from qiki_eventstore.cli.options import TIME, json_option, opened, store_option, url_of_graph
from qiki_eventstore.cli.times import json_time, time_text
from qiki_eventstore.retention.policy import Hold, Policy
from qiki_eventstore.retention.segment import Segment
from qiki_node.errors import RefusedError
from qiki_node.json_text import to_json
from qiki_node.terminal import echo, printable

_DAY = 86_400.0  # s
_GIB = 2**30


@click.command()
@click.option("--max-age-days", type=click.FloatRange(min=0.0), help="Age since the recording.")
@click.option("--max-events", type=click.IntRange(min=0), help="Newest events that stay.")
@click.option("--max-gib", type=click.FloatRange(min=0.0), help="Payloads (GiB) of the newest events that stay.")
@click.option(
    "--segment-events",
    type=click.IntRange(1, 1_000_000),
    default=10_000,
    show_default=True,
    help="Events of a segment.",
)
@json_option
@store_option
def retain(
    max_age_days: float | None,
    max_events: int | None,
    max_gib: float | None,
    segment_events: int,
    *,
    as_json: bool,
    url: str | None,
) -> None:
    """Apply a policy once: events beyond any bound leave the store in whole segments.

    They go to the folder PATH.segments, each segment a SQLite store of its own, and stay readable. Events under a hold,
    and all after them, stay. A running node does the same by itself, by its parameters retention_*.
    """
    from qiki_eventstore.retention.retention import Retention

    if max_age_days is None and max_events is None and max_gib is None:
        raise RefusedError("one of --max-age-days, --max-events and --max-gib must be given")
    policy = Policy(
        None if max_age_days is None else max_age_days * _DAY,
        max_events,
        None if max_gib is None else int(max_gib * _GIB),
        segment_events,
    )
    with _opened(url, write=True) as store:
        done = store.retain(policy) if url is None else Retention.of(store, policy).apply()
    if as_json:
        dropped = [_record(segment) for segment in done.dropped]
        echo(to_json({"dropped": dropped, "due": done.due, "hold": done.hold or None}))
        return
    count = sum(segment.extent.events for segment in done.dropped)
    echo(f"{count} events dropped in {len(done.dropped)} segments; due up to position {done.due}")
    if done.hold:
        echo(f"stopped at hold {done.hold!r}")


@click.command()
@json_option
@store_option
def segments(*, as_json: bool, url: str | None) -> None:
    """The sealed segments: positions, time of recording, and their files."""
    with _opened(url) as care:
        found = care.catalogue.segments()
        folder = care.segments_folder or Path()
    for segment in found:
        extent = segment.extent
        if as_json:
            echo(to_json(_record(segment)))
            continue
        state = "dropped" if segment.dropped else "sealed"
        recorded = f"{time_text(extent.recorded_start)} to {time_text(extent.recorded_end)}"
        echo(f"{extent.first:>9} to {extent.last:<9} {state}  {recorded}  {folder / segment.file}")
    if not found and not as_json:
        echo("no segments")


@click.command()
@click.argument("name")
@click.option("--reason", required=True, help="Person or rule that requires it, and why.")
@click.option("--stream", "streams", multiple=True, help="Stream; a trailing * matches any rest. Default: all.")
@click.option("--from", "start", type=TIME, help="Earliest event time (seconds, or ISO 8601).")
@click.option("--to", "end", type=TIME, help="Latest event time, exclusive.")
@click.option("--correlation", help="Id of the command that the events belong to.")
@json_option
@store_option
def hold(*, as_json: bool, url: str | None, **chosen: Any) -> None:
    """Keep events that match from leaving the store, whatever the policy, until NAME is released."""
    with _opened(url, write=True) as store:
        placed = Hold(**chosen)
        if url is None:
            store.hold(placed)
        else:
            store.catalogue.place(placed)
    _show(placed, as_json)


@click.command()
@json_option
@store_option
def holds(*, as_json: bool, url: str | None) -> None:
    """The holds in force."""
    with _opened(url) as care:
        found = care.catalogue.holds()
    for one in found:
        _show(one, as_json)
    if not found and not as_json:
        echo("no holds")


@click.command()
@click.argument("name")
@json_option
@store_option
def release(name: str, *, as_json: bool, url: str | None) -> None:
    """Lift the hold NAME."""
    with _opened(url, write=True) as store:
        if url is None:
            store.release(name)
        else:
            store.catalogue.lift(name)
    echo(to_json({"released": name}) if as_json else printable(f"released {name}"))


VERBS: Final = (retain, segments, hold, holds, release)


@contextmanager
def _opened(url: str | None, *, write: bool = False) -> Iterator[Any]:
    """An existing store; without a URL that of the graph, changed through its node, or itself to be read."""
    if url is None and not write:
        url = url_of_graph("ask there")
    with opened(url, write=write) as store:
        yield store


def _record(segment: Segment) -> dict[str, Any]:
    extent = segment.extent
    return {
        "first": extent.first,
        "last": extent.last,
        **json_time("recorded_start", extent.recorded_start),
        **json_time("recorded_end", extent.recorded_end),
        "hash": extent.hash.hex(),
        "file": segment.file,
        "sha256": segment.sha256.hex(),
        **json_time("sealed", segment.sealed),
        "dropped": segment.dropped,
    }


def _show(one: Hold, as_json: bool) -> None:
    if as_json:
        bounds = {**json_time("start", one.start), **json_time("end", one.end)}
        echo(to_json({**asdict(one), **bounds}))
        return
    limits = [f"streams {', '.join(one.streams)}" if one.streams else "all streams"]
    if one.start is not None:
        limits.append(f"from {time_text(one.start)}")
    if one.end is not None:
        limits.append(f"to {time_text(one.end)}")
    if one.correlation is not None:
        limits.append(f"correlation {one.correlation}")
    echo(printable(f"{one.name}  {' '.join(limits)}  ({one.reason})"))
