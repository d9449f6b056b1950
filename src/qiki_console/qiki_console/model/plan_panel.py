"""The panel beside the picture: one track with its evidence, or the list of tracks."""

import textwrap
from math import degrees, isfinite
from typing import Final

from qiki_console.model import svg
from qiki_console.model.clean_text import clean
from qiki_console.model.numbers import number
from qiki_console.model.track_symbols import marks, symbol
from qiki_console.model.tracks import Track, TrackEvidence, Tracks

WIDTH: Final = 340.0
"""px"""

_LEFT, _RIGHT = 16.0, 16.0  # px, margins
_BAR = 150.0  # px, of 1.25 thresholds
_LINE = 46  # characters of a line of evidence


def panel(tracks: Tracks, selected: Track | None, left: float, height: float) -> list[str]:
    """Elements. left, height: px, of the panel."""
    return [
        svg.box((left, 0.0), (WIDTH, height), "field"),
        *(_list(tracks, left + _LEFT, height) if selected is None else _detail(selected, left + _LEFT, height)),
        *_legend(left + _LEFT, height - 100.0),
    ]


def _list(tracks: Tracks, x: float, height: float) -> list[str]:
    parts = [svg.text((x, 28.0), "nearest tracks", size=14)]
    ordered = sorted(tracks.confirmed, key=lambda track: (not isfinite(track.range), track.range))
    room = int((height - 170.0) / 40.0)
    for row, track in enumerate(ordered[:room]):
        y = 58.0 + 40.0 * row
        parts.append(symbol(track.iff, track.spoof, (x + 10.0, y)))
        parts.append(svg.text((x + 30.0, y), track.id, size=12, most=18))
        place = f"{number(track.range, 1)} m  {number(degrees(track.bearing), 0)}°"
        parts.append(svg.text((x + WIDTH - _LEFT - _RIGHT, y), place, size=12, anchor="end", most=24))
        claim = f"{track.transponder_id or 'no id'}  {track.spoof if track.transponder_id else ''}"
        parts.append(svg.text((x + 30.0, y + 15.0), claim, style=marks(track).claim, size=11, most=34))
    if len(ordered) > room:
        parts.append(svg.text((x, 58.0 + 40.0 * room), f"and {len(ordered) - room} more", style="pale"))
    return parts


def _detail(track: Track, x: float, height: float) -> list[str]:
    closing = number(0.0 - track.radial_velocity, 2)
    lines = (
        f"{track.iff}, {track.status}, quality {number(track.quality, 2)}",
        f"claims {track.transponder_id or 'no id'}",
        f"{number(track.range, 1)} m, bearing {number(degrees(track.bearing), 1)}°, elevation "
        f"{number(degrees(track.elevation), 1)}°",
        f"closing {closing} m/s, CPA {number(track.cpa, 1)} m in {number(track.cpa_time, 1)} s",
    )
    parts = [symbol(track.iff, track.spoof, (x + 10.0, 24.0)), svg.text((x + 30.0, 29.0), track.id, size=16, most=20)]
    parts.append(
        svg.text((x + WIDTH - _LEFT - _RIGHT, 29.0), track.spoof, style=marks(track).claim, size=16, anchor="end")
    )
    parts += [svg.text((x, 56.0 + 18.0 * row), content, most=52) for row, content in enumerate(lines)]
    y = 150.0
    parts.append(svg.text((x, y), "evidence (line: threshold of SPOOF)", style="pale"))
    if not track.evidence:
        parts.append(svg.text((x, y + 20.0), "none"))
    y += 22.0
    for row, one in enumerate(track.evidence):
        drawn, y = _evidence(one, x, y)
        parts += drawn
        if y > height - 190.0 and row + 1 < len(track.evidence):
            parts.append(svg.text((x, y), f"and {len(track.evidence) - row - 1} more", style="pale"))
            break
    return parts


def _evidence(one: TrackEvidence, x: float, y: float) -> tuple[list[str], float]:
    """Elements of a channel, and the y below them."""
    share = one.statistic / one.threshold if one.threshold > 0.0 else 0.0
    share = min(max(share, 0.0), 1.25) if isfinite(share) else 0.0
    mark = x + 84.0 + _BAR / 1.25
    values = f"{number(one.statistic, 1)} / {number(one.threshold, 1)}"
    parts = [
        svg.text((x, y), one.channel, size=12, most=13),
        svg.box((x + 84.0, y - 10.0), (_BAR * share / 1.25, 11.0), "over" if share >= 1.0 else "bar"),
        svg.line((mark, y - 13.0), (mark, y + 4.0), "selected"),
        svg.text((x + WIDTH - _LEFT - _RIGHT, y), values, style="pale", size=10, anchor="end", most=16),
    ]
    looks = f"over {one.looks} looks: " if one.looks else ""
    wrapped = textwrap.wrap(f"{looks}{clean(one.text)}", _LINE, max_lines=2, placeholder=" …")
    for row, content in enumerate(wrapped):
        parts.append(svg.text((x, y + 16.0 + 13.0 * row), content, style="pale", size=11))
    return parts, y + 26.0 + 13.0 * len(wrapped)


def _legend(x: float, y: float) -> list[str]:
    parts = []
    shown = (
        ("FRIEND", "TRUSTED", "friend: proven"),
        ("FOE", "UNKNOWN", "foe"),
        ("UNKNOWN", "UNKNOWN", "unknown"),
        ("FOE", "SPOOF", "SPOOF"),
        ("UNKNOWN", "SUSPECT", "SUSPECT"),
    )
    for index, (iff, spoof, name) in enumerate(shown):
        at = (x + 10.0 + 150.0 * (index % 2), y + 32.0 * (index // 2))
        parts.append(symbol(iff, spoof, at))
        parts.append(svg.text((at[0] + 20.0, at[1] + 4.0), name, style="pale", size=11))
    parts.append(svg.text((x + 170.0, y + 68.0), "faded: no return now", style="pale", size=11))
    return parts
