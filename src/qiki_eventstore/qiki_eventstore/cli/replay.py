"""`qiki replay`: events or recorded messages in their order and at their recorded pace."""

import time
from pathlib import Path
from typing import Any

import click

from qiki_eventstore.cli.errors import store_errors
from qiki_eventstore.cli.options import (
    json_option,
    opened,
    query_of,
    query_options,
    require_bot,
    require_names,
    store_option,
    time_options,
)
from qiki_eventstore.cli.record import nothing
from qiki_node.completion import complete_bots
from qiki_node.errors import UnknownNameError, UnreachableError
from qiki_node.terminal import echo

_LONGEST_PAUSE = 5.0
"""s of wall time: a longer pause between two events is cut short."""

_OF_RECORDINGS = ("speed", "topics", "listeners", "start", "end")


@click.command()
@click.argument("source", metavar="[BOT | FILE.mcap]", required=False, shell_complete=complete_bots)
@click.option(
    "--speed",
    type=click.FloatRange(min=0.0),
    default=1.0,
    show_default=True,
    help="Recorded seconds per wall second; 0: at once.",
)
@click.option("--topic", "topics", multiple=True, help="Only this topic of a recording; may be repeated.")
@click.option(
    "--listeners", type=click.IntRange(min=0), default=0, help="Listeners to wait for on each topic of a recording."
)
@query_options
@time_options
@json_option
@store_option
def replay(source: str | None, **chosen: Any) -> None:
    """Show the events of BOT, or all, as they happened; nothing is sent to the graph.

    Or publish the messages of FILE.mcap, which the recorder wrote, byte for byte on their topics, each when its time
    has come. A topic that already has a publisher is refused: use --topic, or a ROS_DOMAIN_ID of its own.
    """
    if source is not None and source.endswith(".mcap"):
        foreign = [name for name, value in chosen.items() if name not in _OF_RECORDINGS and value]
        if foreign:
            raise click.UsageError("a recording is chosen from with --topic, --from and --to only")
        _messages(Path(source), **{name: chosen[name] for name in _OF_RECORDINGS})
        return
    if chosen.pop("topics") or chosen.pop("listeners"):
        raise click.UsageError("--topic, --listeners: allowed with a FILE.mcap only; --stream chooses events")
    _events(source, **chosen)


def _events(bot: str | None, *, speed: float, as_json: bool, url: str | None, **chosen: Any) -> None:
    from qiki_eventstore.cli import lines

    if bot:
        chosen["streams"] = (*chosen["streams"], f"{bot}/*")
    query = query_of(**chosen)
    shown = 0
    previous: int | None = None
    with opened(url) as store:
        if bot:
            require_bot(store, bot)
        require_names(store, query)
        try:
            for event in store.read_all(query):
                if speed and previous is not None and event.time > previous:
                    time.sleep(min((event.time - previous) * 1e-9 / speed, _LONGEST_PAUSE))
                previous = event.time
                echo(lines.as_json(event) if as_json else lines.line(event))
                shown += 1
        except KeyboardInterrupt:
            pass
        else:
            if not shown:
                echo(nothing(store, query), err=True)
    echo(f"{shown} event{'' if shown == 1 else 's'}", err=True)


def _messages(
    path: Path, *, speed: float, topics: tuple[str, ...], listeners: int, start: int | None, end: int | None
) -> None:
    from qiki_eventstore.mcap_file import play, summarise

    with store_errors(on_graph=False):
        there = summarise(path).topics
        for topic in topics:
            if topic not in there:
                raise UnknownNameError("--topic", topic, there)
        try:
            from qiki_eventstore.ros.playing import Player
        except ImportError as error:
            raise UnreachableError(f"ROS 2 is not there ({error})", "source the workspace") from error
        types = {topic: summary.type for topic, summary in there.items() if not topics or topic in topics}
        try:
            with Player(types, listeners) as publish:
                count = play(path, publish, speed=speed or float("inf"), start=start, end=end, topics=topics)
        except KeyboardInterrupt:
            raise click.Abort from None
    echo(f"{count} messages on {len(types)} topics published")
