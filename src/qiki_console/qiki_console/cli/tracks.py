"""`qiki tracks`."""

import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qiki_node.completion import complete_bots, complete_tracks
from qiki_node.errors import RefusedError, UnknownNameError, UnreachableError
from qiki_node.terminal import echo, make_console

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import RenderableType

    from qiki_console.model.tracks import Track, Tracks
    from qiki_node.session import Session

    Found = Mapping[str, Tracks | None]

_PLAIN_WIDTH = 240
"""Columns where the output goes to no terminal: nothing is cut."""


@dataclass(frozen=True)
class _Wanted:
    """Part of the picture that is shown: one track or the list, new ones too, as JSON."""

    track: str | None
    every: bool
    as_json: bool


@click.command()
@click.argument("bot", required=False, shell_complete=complete_bots)
@click.argument("track", required=False, shell_complete=complete_tracks)
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C.")
@click.option(
    "--period",
    type=click.FloatRange(0.1, 60.0),
    default=1.0,
    show_default=True,
    help="Wall time between two looks with --watch, s.",
)
@click.option("--all", "every", is_flag=True, help="New tracks too, of which most are clutter.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON per look.")
@click.option(
    "--svg", "picture", type=click.Path(dir_okay=False, path_type=Path), help="Write a picture (SVG) there; -: output."
)
@click.option("--range", "reach", type=click.FloatRange(10.0, 1e9), help="Largest ring of the picture, m.")
@click.option("--csv", "table", type=click.Path(dir_okay=False, path_type=Path), help="Write a table there; -: output.")
@click.option("--recording", type=click.Path(exists=True, path_type=Path), help="CSV of this folder or MCAP file.")
def tracks(
    bot: str | None, track: str | None, *, watch: bool, period: float, every: bool, as_json: bool, picture: Path | None,
    reach: float | None, table: Path | None, recording: Path | None,
) -> None:  # fmt: skip
    """Tracks of BOT, or of all bots: identity, verdict on it, range, bearing, closing speed.

    With TRACK, its id or its number alone, one track with all that is known of it and the evidence for and against its
    identity; the picture of --svg then shows that evidence. Unknown values are shown as N/A, tracks without new radar
    frames as STALE. --csv writes a line for each track, with --watch for each track and radar frame until Ctrl-C.
    """
    if recording is not None and (table is None or bot is None or watch):
        raise RefusedError("--recording: allowed with BOT and --csv, without --watch")
    if table is not None and (track or as_json or picture):
        raise RefusedError("--csv: not allowed with TRACK, --json or --svg")
    if picture is not None and (watch or as_json):
        raise RefusedError("--svg: not allowed with --watch or --json")
    if reach is not None and picture is None:
        raise RefusedError("--range: not allowed without --svg")
    if recording is not None and table is not None and bot is not None:
        from qiki_console.cli.track_files import write_table
        from qiki_console.graph.surveillance import recorded_tracks

        write_table(table, recorded_tracks(recording, bot))
        return
    from qiki_console.graph.surveillance import TracksWatch, watching
    from qiki_node.session import Session

    wanted = _Wanted(track, every, as_json)
    with Session("console") as session:
        source = TracksWatch(session, [bot] if bot else watching(session))
        if table is not None and watch:
            from qiki_console.cli.track_files import write_table

            write_table(table, source.follow())
            return
        source.wait()
        found: Found = source.tracks()
        if picture is not None:
            found = _draw(session, source.tracks, track, reach, picture)
        elif watch:
            _watch(source.tracks, wanted, period)
            return
    if table is not None:
        from qiki_console.cli.track_files import write_table

        write_table(table, filter(None, found.values()))
    elif picture is None:
        _show(found, wanted)
    if not any(found.values()):
        hint = "qiki status shows which nodes are there and active; without power for the radar there are no frames"
        raise UnreachableError(f"no radar frame has come: {', '.join(found)} publish no tracks", hint)


def _draw(
    session: "Session", look: "Callable[[], Found]", track: str | None, reach: float | None, file: Path
) -> "Found":
    from qiki_console.cli.track_files import write_picture
    from qiki_console.graph.surveillance import own_motion

    if len(names := list(look())) > 1:
        raise RefusedError(f"--svg: BOT is missing; allowed: one of {', '.join(names)}")
    motion = own_motion(session, names[0])  # it may take a moment: the tracks are read after it
    found = look()
    [shown] = found.values()
    if shown is not None:
        chosen = None if track is None else _chosen(found, track)[1]
        write_picture(file, shown, motion, "" if chosen is None else chosen.id, reach)
    return found


def _show(found: "Found", wanted: _Wanted) -> None:
    if not wanted.as_json:
        make_console(_PLAIN_WIDTH).print(_screen(found, wanted))
        return
    from qiki_console.model.tracks import report, track_report
    from qiki_node.json_text import to_json

    if wanted.track is not None:
        _, chosen = _chosen(found, wanted.track)
        echo(to_json(None if chosen is None else track_report(chosen)))
        return
    echo(to_json({bot: None if shown is None else report(shown) for bot, shown in found.items()}))


def _screen(found: "Found", wanted: _Wanted) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from qiki_console.model.tracks_screen import track_detail, tracks_table
    from qiki_node.terminal import printable, printable_values

    if wanted.track is not None:
        shown, chosen = _chosen(found, wanted.track)
        if shown is not None and chosen is not None:
            return track_detail(printable_values(chosen), printable_values(shown))
    parts: list[RenderableType] = []
    for bot, shown in found.items():
        silent = Text(printable(f"{bot}: N/A, no radar frame has come"))
        parts.append(silent if shown is None else tracks_table(printable_values(shown), every=wanted.every))
    return Group(*parts)


def _chosen(found: "Found", name: str) -> "tuple[Tracks | None, Track | None]":
    """The track of a name, and the picture that it is in; None without a picture.

    Raises:
        UnknownNameError: there is no such track.
    """
    from qiki_console.model.tracks import select

    [(bot, shown)] = found.items()
    if shown is None:
        return None, None
    if (track := select(shown.tracks, bot, name)) is None:
        raise UnknownNameError(f"track of {bot}", name, (one.id for one in shown.tracks))
    return shown, track


def _watch(look: "Callable[[], Found]", wanted: _Wanted, period: float) -> None:
    from rich.live import Live

    console = make_console()
    live = (
        Live(console=console, auto_refresh=False, screen=True) if console.is_terminal and not wanted.as_json else None
    )
    try:
        with live or nullcontext():
            while True:
                due = time.monotonic() + period
                if live:
                    live.update(_screen(look(), wanted), refresh=True)
                else:
                    _show(look(), wanted)
                time.sleep(max(due - time.monotonic(), 0.0))
    except KeyboardInterrupt:
        pass  # the ordinary end of watching
