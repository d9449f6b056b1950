"""Elements of SVG pictures as text. Places are in px, y down; every text is escaped."""

import math
from html import escape

from qiki_console.model.clean_text import clean

Point = tuple[float, float]


def shown(text: str, most: int = 10_000) -> str:
    """As `clean`, escaped for XML."""
    return escape(clean(text, most))


def text(at: Point, content: str, *, style: str = "ink", size: int = 12, anchor: str = "start", most: int = 200) -> str:
    """A line of text. style: class of the style sheet."""
    x, y = at
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" font-size="{size}" text-anchor="{anchor}">'
        f"{shown(content, most)}</text>"
    )


def line(a: Point, b: Point, style: str) -> str:
    """A line."""
    return f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}" class="{style}"/>'


def circle(at: Point, radius: float, style: str) -> str:
    """A circle."""
    return f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius:.1f}" class="{style}"/>'


def polygon(points: list[Point], style: str) -> str:
    """A closed polygon."""
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{places}" class="{style}"/>'


def box(at: Point, size: Point, style: str) -> str:
    """A rectangle. at: its upper left corner."""
    return f'<rect x="{at[0]:.1f}" y="{at[1]:.1f}" width="{size[0]:.1f}" height="{size[1]:.1f}" class="{style}"/>'


def arrow(a: Point, b: Point, style: str) -> str:
    """A line with an open head; nothing where it is too short to see."""
    length = math.dist(a, b)
    if length < 3.0:
        return ""
    x, y = (b[0] - a[0]) / length, (b[1] - a[1]) / length
    wings = [(b[0] - 6.0 * x + side * 3.5 * y, b[1] - 6.0 * y - side * 3.5 * x) for side in (1.0, -1.0)]
    return line(a, b, style) + "".join(line(wing, b, style) for wing in wings)
