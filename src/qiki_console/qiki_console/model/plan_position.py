"""The picture of a bot's surroundings: itself in the middle, tracks by range and bearing, as SVG text."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from qiki_console.model import svg
from qiki_console.model.clean_text import clean
from qiki_console.model.plan_panel import WIDTH as PANEL
from qiki_console.model.plan_panel import panel
from qiki_console.model.snapshot import Motion
from qiki_console.model.svg import Point
from qiki_console.model.track_symbols import RING, STYLE, marks, symbol
from qiki_console.model.tracks import Track, Tracks
from qiki_vehicle.quaternion import rotate

_RADIUS: Final = 300.0  # px, of the largest ring
_CENTRE: Final[Point] = (350.0, 388.0)
_SIZE: Final[Point] = (700.0 + PANEL, 760.0)
_LEAST: Final = 10.0  # m, of the largest ring
_MOST: Final = 1e9  # m, m/s, that is drawn
_LABELS: Final = 60  # tracks with a label; beyond, symbols alone
_LONGEST: Final = 0.15  # share of the largest ring that the longest velocity vector takes at most
_FRAME: Final = 18.0  # px, half side of the frame around the selected symbol
_TEXT: Final = 6.2  # px, width of a character of a label

_Area = tuple[float, float, float, float]


@dataclass(frozen=True)
class _Scale:
    """Metres on paper: `reach` m is the largest ring, vectors show the motion in `lead` s."""

    reach: float
    lead: float

    def place(self, distance: float, bearing: float) -> Point:
        """Place of a range (m) and a bearing (rad, clockwise from up)."""
        length = _RADIUS * distance / self.reach
        return _CENTRE[0] + length * math.sin(bearing), _CENTRE[1] - length * math.cos(bearing)


def plan_position(
    tracks: Tracks, *, reach: float | None = None, selected: str = "", motion: Motion | None = None
) -> str:
    """The picture, as SVG text.

    Bearing 0, the bot's +y axis, is up, and bearing grows clockwise. The distance from the middle is the slant range.
    Symbols are shapes as well as colours: circle for FRIEND, diamond for FOE, quatrefoil for others; SPOOF is
    struck out. Tracks without a present return are faded, new ones are dots.

    Args:
        tracks: of one bot.
        reach: m, of the largest ring; farther tracks are drawn at the rim. None: all tracks fit.
        selected: id of the track whose evidence is shown.
        motion: own motion at that time; vectors are then velocities relative to the bot (its turning left aside). None:
            they are the measured parts along the line of sight.

    Raises:
        ValueError: the reach is not within 10 to 1e9 m.
    """
    if reach is not None and not _LEAST <= reach <= _MOST:
        raise ValueError(f"reach: {reach} m; allowed: {_LEAST:g} to {_MOST:g} m")
    shown = [track for track in tracks.tracks if track.status != "NEW" or track.id == selected]
    known = [track for track in shown if _is_placed(track)]
    new = [track for track in tracks.tracks if track.status == "NEW" and _is_placed(track)]
    far = max((track.range for track in known), default=100.0)
    reach = _nice(max(far, _LEAST)) if reach is None else reach
    moves = {track.id: _relative_velocity(track, motion) for track in known}
    fastest = max((float(np.linalg.norm(move)) for move in moves.values()), default=0.0)
    scale = _Scale(reach, _nice(_LONGEST * reach / fastest, down=True) if fastest > 1e-3 else 0.0)
    known.sort(key=lambda track: track.range)
    chosen = next((track for track in tracks.tracks if track.id == selected), None)
    width, height = _SIZE
    title = f"{tracks.bot}: {tracks.count_text}, {tracks.age_text} ago"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif" role="img">',
        f"<title>{svg.shown(title)}</title>",
        STYLE,
        svg.box((0.0, 0.0), _SIZE, "paper"),
        svg.text((16.0, 28.0), title, size=16),
        *([svg.text((684.0, 28.0), "STALE", style="alarm", size=16, anchor="end")] if tracks.stale else []),
        *_rings(scale),
        *(svg.circle(_at(track, scale), 1.5, "dot") for track in new if track.range <= reach),
        *(_track(track, scale, moves[track.id], track.id == selected) for track in reversed(known)),
        *_labels(known, scale, moves, selected),
        *_own(tracks.bot),
        *_footer(scale, len(shown) - len(known), motion is not None),
        *panel(tracks, chosen, 700.0, height),
    ]
    return "\n".join([*filter(None, parts), "</svg>", ""])


def _is_placed(track: Track) -> bool:
    return 0.0 <= track.range <= _MOST and math.isfinite(track.bearing)


def _nice(value: float, *, down: bool = False) -> float:
    """The nearest of 1, 2, 5, 10, 20 … that is not below (`down`: not above) a positive value."""
    power = 10.0 ** math.floor(math.log10(value))
    steps = [power * factor for factor in (1.0, 2.0, 5.0, 10.0)]
    if down:
        return max(step for step in steps if step <= value * (1.0 + 1e-9))
    return min(step for step in steps if step >= value * (1.0 - 1e-9))


def _sight(track: Track) -> tuple[float, float, float]:
    elevation = track.elevation if math.isfinite(track.elevation) else 0.0
    flat = math.cos(elevation)
    return flat * math.sin(track.bearing), flat * math.cos(track.bearing), math.sin(elevation)


def _relative_velocity(track: Track, motion: Motion | None) -> np.ndarray:
    """(3,) m/s in base_link; zero where it is not known."""
    if motion is not None and all(abs(one) <= _MOST for one in (*track.velocity, *motion.velocity)):
        x, y, z, w = motion.orientation
        return np.asarray(rotate((-x, -y, -z, w), track.velocity) - np.asarray(motion.velocity))
    speed = track.radial_velocity if abs(track.radial_velocity) <= _MOST else 0.0
    return np.array(_sight(track)) * speed


def _rings(scale: _Scale) -> list[str]:
    count = 4 if f"{scale.reach:e}"[0] in "248" else 5
    parts = []
    for degrees in range(0, 360, 30):
        inner = scale.place(scale.reach / count, math.radians(degrees))
        parts.append(svg.line(inner, scale.place(scale.reach, math.radians(degrees)), "grid"))
        x, y = scale.place(1.055 * scale.reach, math.radians(degrees))
        parts.append(svg.text((x, y + 4.0), f"{degrees:03d}°", style="pale", size=11, anchor="middle"))
    for ring in range(1, count + 1):
        distance = scale.reach * ring / count
        parts.append(svg.circle(_CENTRE, _RADIUS * ring / count, "ring"))
        x, y = scale.place(distance, math.radians(165.0))
        parts.append(svg.text((x, y + 4.0), _metres(distance), style="pale halo", size=11, anchor="middle"))
    return parts


def _metres(distance: float) -> str:
    return f"{distance / 1000.0:g} km" if distance >= 1000.0 else f"{distance:g} m"


def _at(track: Track, scale: _Scale) -> Point:
    return scale.place(min(track.range, scale.reach), track.bearing)


def _track(track: Track, scale: _Scale, move: np.ndarray, selected: bool) -> str:
    at = _at(track, scale)
    vector = svg.arrow(at, _tip(track, scale, move), f"vector {marks(track).colour}")
    rim = "" if track.range <= scale.reach else svg.circle(at, 13.0, "beyond")
    frame = svg.box((at[0] - _FRAME, at[1] - _FRAME), (2.0 * _FRAME, 2.0 * _FRAME), "selected") if selected else ""
    return f'<g opacity="{marks(track).opacity:g}">{vector}{symbol(track.iff, track.spoof, at)}</g>{rim}{frame}'


def _tip(track: Track, scale: _Scale, move: np.ndarray) -> Point:
    """Place of a track after the time of the vectors."""
    if track.range > scale.reach or scale.lead <= 0.0:
        return _at(track, scale)
    ahead = np.array(_sight(track)) * track.range + move * scale.lead
    return scale.place(min(float(np.linalg.norm(ahead)), 1.2 * scale.reach), math.atan2(ahead[0], ahead[1]))


def _own(bot: str) -> list[str]:
    x, y = _CENTRE
    return [
        svg.polygon([(x, y - 9.0), (x + 6.0, y + 7.0), (x, y + 3.0), (x - 6.0, y + 7.0)], "own"),
        svg.text((x, y + 22.0), bot, style="ink halo", size=11, anchor="middle", most=16),
    ]


def _labels(known: list[Track], scale: _Scale, moves: Mapping[str, np.ndarray], selected: str) -> list[str]:
    """Names beside the symbols, where there is room: the selected one first, then verdicts SPOOF, then the nearest."""
    order = sorted(known, key=lambda track: (track.id != selected, track.spoof != "SPOOF", track.range))[:_LABELS]
    taken = [_around(_CENTRE, 12.0)]
    for track in known:
        at, tip = _at(track, scale), _tip(track, scale, moves[track.id])
        taken.append(_around(at, _reach_of(track, selected) - 3.0))
        taken += [_around(((at[0] + tip[0]) / 2.0, (at[1] + tip[1]) / 2.0), 4.0), _around(tip, 4.0)]
    parts = []
    for track in order:
        first, second = clean(track.id)[-16:], _claim(track)
        width = _TEXT * max(len(first), len(second)) * (1.1 if marks(track).claim == "alarm" else 1.0)
        height = 26.0 if second else 13.0
        (x, y), gap = _at(track, scale), _reach_of(track, selected)
        for left, top in (
            (x + gap, y - 0.5 * height), (x - gap - width, y - 0.5 * height), (x - 0.5 * width, y - gap - height),
            (x - 0.5 * width, y + gap),
        ):  # fmt: skip
            area = (left, top, left + width, top + height)
            if left > 4.0 and left + width < 696.0 and not any(_overlap(area, other) for other in taken):
                taken.append(area)
                parts.append(svg.text((left, top + 11.0), first, style="ink halo", size=11))
                style = marks(track).claim
                parts.append(svg.text((left, top + 23.0), second, style=f"{style} halo", size=10) if second else "")
                break
    return parts


def _reach_of(track: Track, selected: str) -> float:
    """px from the middle of a symbol to its label."""
    return _FRAME + 3.0 if track.id == selected else RING + 3.0 if marks(track).claim == "alarm" else 12.0


def _around(at: Point, half: float) -> _Area:
    return at[0] - half, at[1] - half, at[0] + half, at[1] + half


def _claim(track: Track) -> str:
    verdict = track.spoof if marks(track).claim == "alarm" else ""
    return f"{clean(track.transponder_id, 16)} {verdict}".strip()


def _overlap(a: _Area, b: _Area) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _footer(scale: _Scale, unplaced: int, relative: bool) -> list[str]:
    kind = "relative to the bot" if relative else "along the line of sight"
    lines = [f"bearing 0 is +y, clockwise; vectors: {kind}, {scale.lead:g} s" if scale.lead else "bearing 0 is +y"]
    if unplaced:
        lines.append(f"not drawn, without range or bearing: {unplaced}")
    return [svg.text((16.0, 752.0 - 16.0 * row), line, style="pale", size=11) for row, line in enumerate(lines)]
