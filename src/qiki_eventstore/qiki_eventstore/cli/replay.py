"""`qiki replay`: events or recorded messages in their order and at their recorded pace."""

import time
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

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
from qiki_eventstore.cli.times import time_text
from qiki_eventstore.files import require_regular
from qiki_eventstore.recording.playback import Recording, looks_like_recording
from qiki_node.completion import complete_bots
from qiki_node.errors import UnknownNameError, UnreachableError
from qiki_node.terminal import echo

_LONGEST_PAUSE = 5.0
"""s of wall time: a longer pause between two events is cut short."""

_OF_RECORDINGS = ("speed", "topics", "listeners", "epoch", "start", "end")


def _complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Bots, and paths by the shell itself."""
    return [*complete_bots(ctx, parameter, incomplete), CompletionItem(incomplete, type="file")]


@click.command()
@click.argument("source", metavar="[BOT | FILE.mcap | FOLDER]", required=False, shell_complete=_complete)
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
@click.option(
    "--epoch",
    type=click.IntRange(min=0),
    help="Only this part of a recording; each jump of its clock back begins the next, from 0. Default: all, in order.",
)
@query_options
@time_options
@json_option
@store_option
def replay(source: str | None, **chosen: Any) -> None:
    """Show the events of BOT, or all, as they happened; nothing is sent to the graph.

    Or publish the messages of a recording (FILE.mcap, or the FOLDER of one) byte for byte on their topics, each when
    its time has come, in the recorded quality of service. A topic that already has a publisher is refused: use --topic,
    or a ROS_DOMAIN_ID of its own.
    """
    if source is not None and looks_like_recording(source):
        foreign = [name for name, value in chosen.items() if name not in _OF_RECORDINGS and value]
        if foreign:
            raise click.UsageError("a recording is chosen from with --topic, --epoch, --from and --to only")
        query_of(start=chosen["start"], end=chosen["end"])  # bounds in the wrong order are refused
        _messages(Path(source), **{name: chosen[name] for name in _OF_RECORDINGS})
        return
    if chosen.pop("topics") or chosen.pop("listeners") or chosen.pop("epoch") is not None:
        raise click.UsageError("--topic, --listeners, --epoch: allowed with a recording only; --stream chooses events")
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
    path: Path,
    *,
    speed: float,
    topics: tuple[str, ...],
    listeners: int,
    epoch: int | None,
    start: int | None,
    end: int | None,
) -> None:
    from qiki_eventstore.recording.pacing import paced

    with store_errors(on_graph=False):
        if not path.is_dir():
            require_regular(path)
        recording = Recording.open(path)
        for topic in topics:
            if topic not in recording.topics:
                raise UnknownNameError("--topic", topic, recording.topics)
        if epoch is not None and epoch not in recording.epochs:
            raise UnknownNameError("--epoch", str(epoch), map(str, recording.epochs))
        try:
            from qiki_eventstore.ros.playing import Player
        except ImportError as error:
            raise UnreachableError(f"ROS 2 is not there ({error})", "source the workspace") from error
        chosen = {name: topic for name, topic in recording.topics.items() if not topics or name in topics}
        samples = recording.read(start=start, end=end, topics=topics, epoch=epoch)
        count = 0
        try:
            with Player(chosen, listeners) as publish:
                for sample in paced(samples, speed or float("inf")):
                    publish(sample)
                    count += 1
        except KeyboardInterrupt:
            raise click.Abort from None
    if not count:
        echo(_extent(recording), err=True)
    played = recording.epochs if epoch is None else [epoch]
    which = f"epoch{'' if len(played) == 1 else 's'} {', '.join(map(str, played))}"
    epochs = f" of {which}" if len(recording.epochs) > 1 else ""
    echo(f"{count} messages{epochs} on {len(chosen)} topics published")


def _extent(recording: Recording) -> str:
    spans = []
    for epoch in recording.epochs:
        times = [time for _, one in recording.files if one.epoch == epoch for time in (one.start, one.end)]
        known = [time for time in times if time is not None]
        span = f"{time_text(min(known))} to {time_text(max(known))}" if known else "of unknown times"
        spans.append(f"epoch {epoch}: {span}")
    return f"no message matches; the recording is {'; '.join(spans)}"
