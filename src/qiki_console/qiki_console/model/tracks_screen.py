"""Tables of tracks for a terminal."""

from math import degrees, isnan

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qiki_console.model.numbers import NA, number
from qiki_console.model.tracks import Track, Tracks

_COLUMNS = (
    "track", "IFF", "claimed id", "verdict", "range m", "bearing deg", "closing m/s", "CPA m", "in s", "status",
    "age s",
)  # fmt: skip
_STYLES = {"FRIEND": "green", "FOE": "red", "SPOOF": "bold red", "SUSPECT": "yellow", "TRUSTED": "green"}


def tracks_table(shown: Tracks, *, every: bool = False) -> RenderableType:
    """Confirmed tracks of a bot, or all, the nearest first."""
    listed = shown.tracks if every else shown.confirmed
    return Group(_heading(shown), _table(listed)) if listed else _heading(shown)


def track_detail(track: Track, shown: Tracks) -> RenderableType:
    """One track with all that is known of it, and its evidence."""
    values = {
        "IFF": f"{_known(track.iff)}, reason {track.iff_reason}",
        "claims": f"{track.transponder_id or 'no id'}, mode {track.transponder_mode or NA}",
        "verdict": track.spoof,
        "status": f"{_known(track.status)}, quality {number(track.quality, 2)}, band {track.band}, "
        f"type {_known(track.object_type)}",
        "place": f"{number(track.range, 1)} m, bearing {_degrees(track.bearing)} deg, elevation "
        f"{_degrees(track.elevation)} deg",
        "closing": f"{_closing(track)} m/s; CPA {number(track.cpa, 1)} m in {number(track.cpa_time, 1)} s",
        "position": f"{_vector(track.position, 1)} m, world",
        "velocity": f"{_vector(track.velocity, 2)} m/s, world",
        "signal": f"SNR {number(track.snr, 1)} dB, RCS {number(track.rcs, 2)} m^2",
        "life": f"{number(track.age, 1)} s, last return {number(track.silent, 1)} s ago, {track.misses} misses",
    }
    about = Table.grid(padding=(0, 2, 0, 0))
    for name, value in values.items():
        about.add_row(name, Text(value, style=_STYLES.get(value, "")))
    return Group(_heading(shown), Text(track.id, style="bold"), about, _evidence(track))


def _heading(shown: Tracks) -> Text:
    shed = f", {shown.shed} of them shed" if shown.shed else ""
    text = Text(f"{shown.bot}: {shown.count_text}, {shown.detections} detections{shed}, {shown.age_text} ago")
    return text.append("  STALE", style="bold red") if shown.stale else text


def _table(tracks: tuple[Track, ...]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in _COLUMNS:
        table.add_column(column, justify="right" if column.split()[-1] in ("m", "deg", "m/s", "s") else "left")
    for track in sorted(tracks, key=lambda track: (isnan(track.range), track.range)):
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in _cells(track)))
    return table


def _cells(track: Track) -> tuple[str, ...]:
    return (
        track.id,
        _known(track.iff),
        track.transponder_id or "-",
        track.spoof if track.transponder_id else "-",
        number(track.range, 1),
        _degrees(track.bearing),
        _closing(track),
        number(track.cpa, 1),
        number(track.cpa_time, 1),
        _known(track.status),
        number(track.age, 1),
    )


def _evidence(track: Track) -> RenderableType:
    if not track.evidence:
        return Text("evidence: none")
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("evidence", "statistic", "threshold", "looks", "text"):
        table.add_column(column, justify="right" if column in ("statistic", "threshold", "looks") else "left")
    for one in track.evidence:
        looks = str(one.looks) if one.looks else "all"
        table.add_row(one.channel, number(one.statistic, 2), number(one.threshold, 2), looks, one.text)
    return table


def _closing(track: Track) -> str:
    return number(0.0 - track.radial_velocity, 2)


def _degrees(angle: float) -> str:
    return number(degrees(angle), 1)


def _vector(vector: tuple[float, float, float], digits: int) -> str:
    return " ".join(number(value, digits) for value in vector)


def _known(name: str) -> str:
    return NA if name == "UNSPECIFIED" else name
