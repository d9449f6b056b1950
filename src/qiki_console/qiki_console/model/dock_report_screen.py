"""The report of a docking as a screen."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qiki_console.model.dock_report import DockReport, Sample
from qiki_console.model.docking import QUANTITIES
from qiki_console.model.numbers import NA, number
from qiki_console.model.text_plot import text_plot
from qiki_vehicle.docking import ContactLimits

_CELLS = 20
"""Width of a bar."""


def dock_report_screen(
    report: DockReport, box: ContactLimits | None, samples: Sequence[Sample], no_plot: str
) -> RenderableType:
    """Screen of a report whose texts are printable.

    Args:
        report: of the docking.
        box: limits of the bars; None: they are not known.
        samples: motion in the order of time, may be empty.
        no_plot: the reason for which there are none.
    """
    parts: list[RenderableType] = [_head(report), Text("")]
    parts += [_margins(report.margins, box), Text(""), _spent(report)]
    if report.seconds:
        parts += [Text(""), _phases(report.seconds)]
    for inside, text, _ in report.contacts:
        if not inside:
            parts.append(Text(f"refused contact: {text}", style="bold red"))
    parts += [Text(f"refused {order}: {reason}") for order, reason in report.refusals]
    parts += [Text(""), *_plots(samples, no_plot)]
    return Group(*parts)


def _head(report: DockReport) -> RenderableType:
    order, ended = report.order, report.ended
    own, partner = order.get("own_port") or NA, f"{order.get('partner', NA)}:{order.get('partner_port') or NA}"
    lines = [f"{report.docking_id}: {report.body}:{own} to {partner}, {order.get('profile', NA)}"]
    if ended is None:
        last = report.phases[-1] if report.phases else None
        where = f"last in {last[1]} {last[2]}: {last[3]}" if last else "no phase either"
        lines.append(f"no end is recorded; {where}")
    else:
        elapsed = _amount(ended, "elapsed", "s", 1)
        lines.append(f"{ended['outcome']} in {ended['phase']}, {ended['tries']} tries, {elapsed}")
        if ended["code"]:
            lines.append(f"{ended['code']} {ended['text']}")
    if report.undocked is not None:
        lines.append(f"undocked: {report.undocked['outcome']} {report.undocked['text']}".rstrip())
    return Text("\n".join(lines))


def _margins(margins: Mapping[str, float | None], box: ContactLimits | None) -> RenderableType:
    if not margins:
        return Text("contact box: no contact is recorded")
    table = Table("contact box", "margin", "of", "", box=None, padding=(0, 2, 0, 0))
    for one in QUANTITIES:
        value = margins.get(one.name)
        known = value is not None and isfinite(value)
        room = _room(one.name, box)
        shown = one.text(value) if value is not None else NA
        bar = _bar(value / room) if known and value is not None and room is not None else ""
        outside = known and value is not None and value < 0.0
        limit = one.text(room) if room is not None else NA
        note, style = (" outside", "bold red") if outside else ("", "")
        table.add_row(one.name, shown, limit, bar + note, style=style)
    return table


def _room(name: str, box: ContactLimits | None) -> float | None:
    """The largest margin that is possible: for the closing rate, with its two limits, half of what lies between."""
    if box is None:
        return None
    if name == "closing":
        return 0.5 * (box.closing_max - box.closing_min)
    room: float = getattr(box, name)
    return room


def _bar(share: float) -> str:
    filled = round(_CELLS * min(max(share, 0.0), 1.0))
    return "#" * filled + "." * (_CELLS - filled)


def _spent(report: DockReport) -> RenderableType:
    ended = report.ended or {}
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_row("propellant", _amount(ended, "propellant_kg", "kg", 3))
    table.add_row("energy", _amount(ended, "energy_j", "J", 0))
    table.add_row("plume impulse on the partner", _amount(ended, "plume_impulse_ns", "N s", 2))
    table.add_row("checks passed", ", ".join(report.checks) or "none")
    return table


def _amount(data: Mapping[str, Any], name: str, unit: str, digits: int) -> str:
    value = data.get(name)
    return NA if value is None else f"{number(value, digits)} {unit}"


def _phases(seconds: Mapping[str, float]) -> RenderableType:
    longest = max(seconds.values()) or 1.0
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for phase, duration in seconds.items():
        table.add_row(phase, f"{number(duration, 1)} s", _bar(duration / longest))
    return table


def _plots(samples: Sequence[Sample], no_plot: str) -> list[RenderableType]:
    if not samples:
        return [Text(f"no plot: {no_plot}")]
    times = [sample.time for sample in samples]
    curves = {
        "range, m": [sample.range for sample in samples],
        "closing, m/s": [sample.closing for sample in samples],
        "lateral offset, m": [sample.lateral_offset for sample in samples],
    }
    return [Text(line) for title, curve in curves.items() for line in text_plot(title, times, curve)]
