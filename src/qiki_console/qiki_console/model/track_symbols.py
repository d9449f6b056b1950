"""Symbols of tracks in a picture: the shape shows the identification, striking out the verdict SPOOF."""

from dataclasses import dataclass
from typing import Final

from qiki_console.model import svg
from qiki_console.model.svg import Point
from qiki_console.model.tracks import Track

_HALF: Final = 8.0  # px, of a symbol

RING: Final = 1.7 * _HALF
"""px, radius of the ring of a verdict."""

# Okabe and Ito 2008 for light paper, brighter ones for dark: distinct for colour-blind people too. Renderers that know
# no media queries show the light ones on their own paper.
STYLE: Final = """<style>
text { stroke: none }
.paper { fill: #ffffff } .ink { fill: #1a1a1a } .pale { fill: #5f6368 } .alarm { fill: #b3261e; font-weight: bold }
.halo { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; stroke-linejoin: round }
.ring { fill: none; stroke: #9aa0a6; stroke-width: 1 } .grid { stroke: #dadce0; stroke-width: 1 }
.own { fill: #1a1a1a; stroke: none } .dot { fill: #80868b }
.friend { fill: #bfe3f7; stroke: #00629b; stroke-width: 2 } .foe { fill: #ffd0c2; stroke: #b3261e; stroke-width: 2 }
.unknown { fill: #fff1b8; stroke: #7a5c00; stroke-width: 2 }
.vector { stroke-width: 1.5; fill: none }
.false { fill: none; stroke: #b3261e; stroke-width: 2.5 } .selected { fill: none; stroke: #1a1a1a; stroke-width: 2 }
.doubt { fill: none; stroke: #b3261e; stroke-width: 1.5; stroke-dasharray: 3 2 }
.beyond { fill: none; stroke: #5f6368; stroke-width: 1; stroke-dasharray: 2 3 }
.field { fill: #f1f3f4 } .bar { fill: #00629b } .over { fill: #b3261e }
@media (prefers-color-scheme: dark) {
.paper { fill: #16181c } .ink { fill: #f1f3f4 } .pale { fill: #a8adb3 } .alarm { fill: #ff8a80 }
.halo { stroke: #16181c } .ring { stroke: #6b7076 } .grid { stroke: #33373c } .own { fill: #f1f3f4 }
.friend { fill: #0d3a55; stroke: #6ac4f5 } .foe { fill: #571c16; stroke: #ff8a80 }
.unknown { fill: #4a3d0c; stroke: #f5d565 }
.false, .doubt { stroke: #ff8a80 } .selected { stroke: #f1f3f4 } .beyond { stroke: #a8adb3 }
.field { fill: #24282d } .bar { fill: #6ac4f5 } .over { fill: #ff8a80 }
}
</style>"""


@dataclass(frozen=True)
class Marks:
    """Classes of the style sheet for a track, and its opacity."""

    colour: str
    claim: str
    opacity: float


def marks(track: Track) -> Marks:
    """Marks of a track; one without a present return is faded."""
    claim = "alarm" if track.spoof in ("SPOOF", "SUSPECT") else "pale"
    return Marks(_colour(track.iff), claim, {"COASTING": 0.6, "LOST": 0.35}.get(track.status, 1.0))


def symbol(iff: str, spoof: str, at: Point) -> str:
    """Circle for FRIEND, diamond for FOE, quatrefoil for others; struck out for SPOOF, in a dashed ring for SUSPECT."""
    x, y = at
    style = _colour(iff)
    if style == "friend":
        shape = svg.circle(at, _HALF, style)
    elif style == "foe":
        half = 1.3 * _HALF
        shape = svg.polygon([(x, y - half), (x + half, y), (x, y + half), (x - half, y)], style)
    else:
        shape = _quatrefoil(at, style)
    if spoof == "SPOOF":
        arm = 1.2 * _HALF
        shape += svg.circle(at, RING, "false") + svg.line((x - arm, y - arm), (x + arm, y + arm), "false")
    elif spoof == "SUSPECT":
        shape += svg.circle(at, RING, "doubt")
    return shape


def _colour(iff: str) -> str:
    return {"FRIEND": "friend", "FOE": "foe"}.get(iff, "unknown")


def _quatrefoil(at: Point, style: str) -> str:
    """Four arcs around a square."""
    x, y = at
    half = 0.55 * _HALF
    corners = [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]
    radius = 1.02 * half
    arcs = "".join(f"A{radius:.1f} {radius:.1f} 0 0 1 {cx:.1f} {cy:.1f}" for cx, cy in (*corners[1:], corners[0]))
    return f'<path d="M{corners[0][0]:.1f} {corners[0][1]:.1f}{arcs}Z" class="{style}"/>'
