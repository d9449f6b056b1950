"""Tracks as CSV: a row for each track and radar frame."""

import csv
import io
import math
from collections.abc import Iterator
from typing import Final

from qiki_console.model.clean_text import clean
from qiki_console.model.tracks import Track, Tracks, with_unit

_TEXTS: Final = ("object_type", "iff", "transponder_mode", "transponder_id", "spoof", "status", "band")
_NUMBERS: Final = (
    "iff_reason", "range", "bearing", "elevation", "radial_velocity", "snr", "rcs", "quality", "age", "silent",
    "misses", "cpa", "cpa_time",
)  # fmt: skip
_VECTORS: Final = ("position", "velocity")

COLUMNS: Final = (
    "time_s",
    "bot",
    "track",
    *_TEXTS,
    *map(with_unit, _NUMBERS),
    *(with_unit(name).replace("_", f"_{axis}_", 1) for name in _VECTORS for axis in "xyz"),
    "evidence",
)
"""Names with units. Position and velocity are in world, the rest of the geometry in the bot's base_link; an empty cell
is not known. Evidence: channel=statistic/threshold, separated by blanks."""


def header() -> str:
    """The first line, with its end."""
    return _line(COLUMNS)


def lines(tracks: Tracks) -> Iterator[str]:
    """A line for each track of a frame, with its end."""
    for track in tracks.tracks:
        yield _line(_row(tracks, track))


def _row(tracks: Tracks, track: Track) -> tuple[str, ...]:
    seconds, rest = divmod(tracks.time_ns, 1_000_000_000)
    evidence = (f"{one.channel}={one.statistic:.6g}/{one.threshold:.6g}" for one in track.evidence)
    return (
        f"{seconds}.{rest:09d}",
        _text(tracks.bot),
        _text(track.id),
        *(_text(getattr(track, name)) for name in _TEXTS),
        *(_number(getattr(track, name)) for name in _NUMBERS),
        *(_number(value) for name in _VECTORS for value in getattr(track, name)),
        _text(" ".join(evidence)),
    )


def _number(value: float) -> str:
    return f"{value!r}" if math.isfinite(value) else ""


def _text(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    text = clean(text, 2000)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _line(cells: tuple[str, ...]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()
