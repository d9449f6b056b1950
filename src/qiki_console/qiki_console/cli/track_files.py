"""Files of `qiki tracks`: the picture and the table."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from qiki_node.errors import CommandError, RefusedError
from qiki_node.terminal import echo

if TYPE_CHECKING:
    from qiki_console.model.snapshot import Motion
    from qiki_console.model.tracks import Tracks

_OUTPUT = Path("-")


def write_picture(file: Path, shown: "Tracks", motion: "Motion | None", selected: str, reach: float | None) -> None:
    """Write the plan-position picture of a bot's tracks.

    Args:
        file: `-` for standard output.

    Raises:
        RefusedError, CommandError: the folder is not there, or the file cannot be written.
    """
    from qiki_console.model.plan_position import plan_position

    with _opened(file, "--svg") as out:
        out.write(plan_position(shown, reach=reach, selected=selected, motion=motion))
    if file != _OUTPUT:
        echo(f"{shown.bot}: picture in {file}")


def write_table(file: Path, frames: Iterable["Tracks"]) -> None:
    """Write a line of CSV for each track of each frame; Ctrl-C ends it in order.

    Args:
        file: `-` for standard output.

    Raises:
        RefusedError, CommandError: the folder is not there, or the file cannot be written.
    """
    from qiki_console.model.track_csv import header, lines

    rows = 0
    with _opened(file, "--csv") as out:
        try:
            out.write(header())
            for frame in frames:
                for line in lines(frame):
                    out.write(line)
                    rows += 1
                out.flush()
        except KeyboardInterrupt:
            pass  # the ordinary end of watching
    if file != _OUTPUT:
        echo(f"{rows} rows in {file}")


@contextmanager
def _opened(file: Path, option: str) -> Iterator[IO[str]]:
    if file == _OUTPUT:
        yield sys.stdout
        return
    if not file.parent.is_dir():
        raise RefusedError(f"{option}: {file} is not allowed; allowed: a file in a folder that exists")
    try:
        with file.open("w", encoding="utf-8") as out:
            yield out
    except OSError as error:
        raise CommandError(f"{option}: {file} cannot be written: {error.strerror}") from error
