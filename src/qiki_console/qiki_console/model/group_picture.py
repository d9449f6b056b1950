"""A picture of a thrust group: hull, thrusters and the group's forces in three views, as SVG text."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qiki_console.model.svg import shown as escape
from qiki_vehicle.hull import dodecahedron_vertices

Floats = NDArray[np.float64]

_COMPONENTS = {"x": 0, "y": 1, "z": 2, "roll": 3, "pitch": 4, "yaw": 5}  # of a wrench, by the axis of a group
_PANEL = 320.0  # px, side of a view
_TOP = 50.0  # px, above the views
_BOTTOM = 76.0  # px, under them
_REACH = 0.78  # share of a view's half side that the farthest point takes
_ARROW = 0.30  # share of a view's half side of the longest force
# Okabe and Ito 2008: distinct for colour-blind people too
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442")
_PAPER = np.array([1.0, -1.0])  # y goes down on paper
_INK, _PALE, _HULL = "#222222", "#767676", "#c8c8c8"


@dataclass(frozen=True, eq=False)
class Group:
    """A thrust group.

    Attributes:
        name: kind and axis, as `ZTT +x`.
        levels: (n,) 0..1 per thruster, share of time each valve is open.
        wrench: (6,) N, N m, mean at these levels, torque about the centre of mass.
        power: W, mean at these levels.
        note: remarks for an operator; where no thruster fires, the reason.
    """

    name: str
    levels: Floats
    wrench: Floats
    power: float
    note: str = ""

    @property
    def thrusters(self) -> tuple[int, ...]:
        """Indices of the thrusters that fire."""
        return tuple(int(i) for i in np.flatnonzero(self.levels))

    @property
    def axis(self) -> str:
        """As `+x` or `-yaw`."""
        return self.name.rpartition(" ")[2]

    @property
    def pushes(self) -> bool:
        """True if the axis is one of translation."""
        return _COMPONENTS[self.axis[1:]] < 3

    @property
    def size(self) -> float:
        """N or N m along the axis."""
        return abs(float(self.wrench[_COMPONENTS[self.axis[1:]]]))


@dataclass(frozen=True, eq=False)
class Geometry:
    """The n thrusters and the hull that groups belong to, in base_link.

    Attributes:
        positions: (n, 3) m.
        directions: (n, 3) unit vectors of the force on the body.
        max_forces: (n,) N, of open valves.
        clusters: n names.
        com: (3,) m, centre of mass.
        hull_radius: m, of a dodecahedral hull's vertices; None: no hull is drawn.
    """

    positions: Floats
    directions: Floats
    max_forces: Floats
    clusters: tuple[str, ...]
    com: Floats
    hull_radius: float | None = None


@dataclass(frozen=True)
class _View:
    """A direction to look along: unit vectors in base_link, right and up on paper."""

    title: str
    right: tuple[float, float, float]
    up: tuple[float, float, float]
    axes: tuple[str, str]

    def flat(self, vectors: Floats) -> Floats:
        """(…, 2): right and up of vectors (…, 3)."""
        return np.asarray(vectors @ np.array([self.right, self.up]).T)

    def depth(self, points: Floats) -> Floats:
        """(n,) towards the viewer."""
        return np.asarray(points @ np.cross(self.right, self.up))


_VIEWS = (
    _View("from above (+z)", (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), ("x", "y")),
    _View("from the right (-y)", (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), ("x", "z")),
    _View("from behind (-x)", (0.0, -1.0, 0.0), (0.0, 0.0, 1.0), ("-y", "z")),
)


def group_picture(geometry: Geometry, group: Group) -> str:
    """The picture, as SVG text.

    Arrows are forces on the body, long as they are strong at the group's levels; the thick one is their sum. Full dots
    are nearer to the viewer than the centre of mass, hollow ones farther. A group without thrusters shows hull and
    thrusters and the reason.

    Raises:
        ValueError: the group is of other thrusters, or the radius is not positive.
    """
    n, radius = len(geometry.positions), geometry.hull_radius
    if len(group.levels) != n:
        raise ValueError(f"group: {len(group.levels)} thrusters; allowed: {n}, as the geometry has")
    if radius is not None and not 0.0 < radius < np.inf:
        raise ValueError(f"hull_radius: {radius} m; allowed: finite, above 0 m")
    width, height = len(_VIEWS) * _PANEL, _TOP + _PANEL + _BOTTOM
    description = _describe(group)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif" font-size="12" role="img">',
        f"<title>{escape(group.name)}</title>",
        f"<desc>{escape(description)}</desc>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        _text(16.0, 26.0, f"{group.name}: {description}", size=16, anchor="start"),
        _legend(geometry, width),
    ]
    corners = np.zeros((0, 3)) if radius is None else dodecahedron_vertices(radius)
    size = float(np.linalg.norm(np.vstack([geometry.positions, corners]) - geometry.com, axis=1).max())
    scale = _REACH * 0.5 * _PANEL / max(size, 1e-9)
    for number, view in enumerate(_VIEWS):
        centre = np.array([(number + 0.5) * _PANEL, _TOP + 0.5 * _PANEL])
        parts += _panel(view, centre, scale, geometry=geometry, group=group, corners=corners)
    parts += _caption(geometry, group)
    return "\n".join([*parts, "</svg>", ""])


def _edges(corners: Floats) -> list[tuple[int, int]]:
    """Pairs of corners at the shortest distance."""
    pairs = list(itertools.combinations(range(len(corners)), 2))
    lengths = [float(np.linalg.norm(corners[a] - corners[b])) for a, b in pairs]
    return [pair for pair, length in zip(pairs, lengths, strict=True) if length < 1.01 * min(lengths)]


def _panel(
    view: _View, centre: Floats, scale: float, *, geometry: Geometry, group: Group, corners: Floats
) -> list[str]:
    def place(points: Floats) -> Floats:
        return np.asarray(centre + view.flat(points - geometry.com) * scale * _PAPER)

    x, y = centre
    parts = [f'<g aria-label="{view.title}">', _text(x, _TOP + 12.0, view.title, colour=_PALE)]
    if len(corners):
        flat = place(corners)
        parts += [_line(flat[a], flat[b], _HULL, 1.0) for a, b in _edges(corners)]
    left, bottom = x - 0.5 * _PANEL + 18.0, y + 0.5 * _PANEL - 14.0
    for name, along in zip(view.axes, ((26.0, 0.0), (0.0, -26.0)), strict=True):
        tip = (left + along[0], bottom + along[1])
        parts.append(_arrow((left, bottom), tip, _PALE, 1.0))
        parts.append(_text(tip[0] + 0.35 * along[0], tip[1] + 0.35 * along[1] + 4.0, name, colour=_PALE))
    flat, nearer = place(geometry.positions), view.depth(geometry.positions - geometry.com) >= 0.0
    forces = group.levels * geometry.max_forces
    longest = _ARROW * 0.5 * _PANEL / max(float(forces.max()), 1e-9)
    colours = _colours(geometry)
    parts += _labels(flat, centre, group)
    for i in np.argsort(nearer, kind="stable"):
        if group.levels[i] > 0.0:
            push = view.flat(geometry.directions[i]) * forces[i] * longest * _PAPER
            parts.append(_arrow(flat[i], flat[i] + push, colours[i], 2.5))
        parts.append(_dot(flat[i], colours[i], filled=bool(nearer[i]), used=bool(group.levels[i] > 0.0)))
    parts += [_line((x - 5.0, y), (x + 5.0, y), _INK, 1.5), _line((x, y - 5.0), (x, y + 5.0), _INK, 1.5)]
    net, push = view.flat(group.wrench[:3]), max(float(np.linalg.norm(group.wrench[:3])), 1e-9)
    if group.pushes and np.linalg.norm(net) > 1e-6 * push:
        parts.append(_arrow(centre, centre + net / push * 0.45 * 0.5 * _PANEL * _PAPER, _INK, 4.0))
    return [*parts, "</g>"]


def _labels(flat: Floats, centre: Floats, group: Group) -> list[str]:
    """Numbers beside the dots, outward; thrusters behind each other share one."""
    places: dict[tuple[float, float], list[int]] = {}
    for i, point in enumerate(flat):
        places.setdefault((round(float(point[0])), round(float(point[1]))), []).append(i)
    parts = []
    for members in places.values():
        point = flat[members[0]]
        outward = point - centre
        outward = outward / max(float(np.linalg.norm(outward)), 1e-9)
        x, y = point + 17.0 * outward
        used = any(group.levels[i] > 0.0 for i in members)
        parts.append(_text(x, y + 4.0, ", ".join(map(str, members)), colour=_INK if used else _PALE, size=11))
    return parts


def _describe(group: Group) -> str:
    if not group.thrusters:
        return f"none: {group.note}"
    unit = "N" if group.pushes else "N m"
    return (
        f"{group.size:.1f} {unit} along {group.axis}, {len(group.thrusters)} thrusters, {group.power / 1000.0:.1f} kW"
    )


def _caption(geometry: Geometry, group: Group) -> list[str]:
    y = _TOP + _PANEL + 22.0
    wrench = ", ".join(f"{value + 0.0:.1f}" for value in np.round(group.wrench, 1))
    lines = ["no thruster fires"] if not group.thrusters else []
    if group.thrusters:
        lines.append("levels: " + ", ".join(f"{group.levels[i]:.2f} of {i}" for i in group.thrusters))
        lines.append(
            f"wrench: {wrench} N, N m about the centre of mass at ({', '.join(f'{c:g}' for c in geometry.com)}) m"
        )
        lines.append(group.note)
    return [_text(16.0, y + 20.0 * row, line, anchor="start") for row, line in enumerate(lines) if line]


def _colours(geometry: Geometry) -> list[str]:
    names = list(dict.fromkeys(geometry.clusters))
    return [_COLOURS[names.index(cluster) % len(_COLOURS)] for cluster in geometry.clusters]


def _legend(geometry: Geometry, width: float) -> str:
    parts, x = [], width - 16.0
    for name, colour in reversed(dict(zip(geometry.clusters, _colours(geometry), strict=True)).items()):
        if name:
            parts.append(_text(x, 26.0, name, anchor="end"))
            parts.append(_dot((x - 8.0 * len(name) - 10.0, 22.0), colour, filled=True, used=True))
            x -= 8.0 * len(name) + 28.0
    return "".join(parts)


def _text(x: float, y: float, text: str, *, colour: str = _INK, size: int = 12, anchor: str = "middle") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" text-anchor="{anchor}" '
        f'stroke="#ffffff" stroke-width="3" paint-order="stroke">{escape(text)}</text>'
    )


def _line(a: Floats | tuple[float, float], b: Floats | tuple[float, float], colour: str, width: float) -> str:
    return (
        f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}" stroke="{colour}" '
        f'stroke-width="{width:g}"/>'
    )


def _dot(at: Floats | tuple[float, float], colour: str, *, filled: bool, used: bool) -> str:
    fill, opacity = (colour if filled else "#ffffff"), (1.0 if used else 0.45)
    return (
        f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="5" fill="{fill}" stroke="{colour}" stroke-width="2" '
        f'opacity="{opacity:g}"/>'
    )


def _arrow(a: Floats | tuple[float, float], b: Floats | tuple[float, float], colour: str, width: float) -> str:
    """A line with a head; nothing where it points at the viewer."""
    start, tip = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    length = float(np.linalg.norm(tip - start))
    if length < 1.0:
        return ""
    along = (tip - start) / length
    head = min(3.5 * width + 3.0, length)
    side = 0.45 * head * np.array([-along[1], along[0]])
    base = tip - head * along
    points = " ".join(f"{p[0]:.1f},{p[1]:.1f}" for p in (tip, base + side, base - side))
    return _line(start, base, colour, width) + f'<polygon points="{points}" fill="{colour}"/>'
