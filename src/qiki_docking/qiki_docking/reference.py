"""Picture and tables of docking's state machine, for docs/docking.md.

    python -m qiki_docking.reference docs/docking.md      # brings the page up to date

Limits are those of the shipped vehicle (`VEHICLE`). A generated part stands between `<!-- docking: <name> -->` and
`<!-- end -->`.
"""

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from transitions.extensions import GraphMachine

from qiki_docking.checks import CHECKS
from qiki_docking.conditions import Condition
from qiki_docking.evidence import QUANTITIES
from qiki_docking.faults import FAULTS, PHASES, end
from qiki_docking.phases import Drive, Guidance, Phase, Request
from qiki_docking.reasons import Reason
from qiki_docking.steps import INTERLOCKS, STEPS
from qiki_docking.table import GUARDS, RESUME_ROWS, ROWS, Row
from qiki_vehicle import Vehicle

VEHICLE: Final = Path("launch/config/vehicles/dodecahedron.yaml")
"""The shipped vehicle, from the root of the workspace."""

_PART: Final = re.compile(r"(<!-- docking: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def updated(page: str, vehicle: Vehicle) -> str:
    """The text of the page with all its generated parts made from the code, with the limits of a vehicle.

    Raises:
        KeyError: a part has no such name.
    """
    return _PART.sub(lambda found: f"{found[1]}{_PARTS[found[2]](vehicle)}\n{found[3]}", page)


def picture(_: Vehicle) -> str:
    """The phases as a mermaid state diagram, drawn by the state machine library."""
    transitions = [
        {
            "trigger": row.trigger.value,
            "source": row.source.value,
            "dest": row.dest.value,
            "conditions": list(row.guards),
        }
        for row in ROWS
        if row.dest is not None
    ]
    machine = GraphMachine(
        states=[phase.value for phase in Phase],
        initial=Phase.FREE.value,
        transitions=transitions,
        auto_transitions=False,
        queued=True,
        graph_engine="mermaid",
        show_conditions=True,
        title="title: Phases of docking",
    )
    drawn = str(machine.get_combined_graph().draw(None))
    # Colours are left to the page; they would only repeat a style without meaning.
    lines = [line for line in drawn.splitlines() if not line.strip().startswith(("classDef", "Class "))]
    return "```mermaid\n" + "\n".join(line.rstrip() for line in lines if line.strip()) + "\n```"


def _transitions(rows: Iterable[Row]) -> str:
    made = (
        (
            row.source,
            f"`{row.trigger}`",
            " and ".join(f"`{guard}`" for guard in row.guards),
            f"{row.dest or row.source}{f', `{row.step}`' if row.step else ''}",
            row.reason.name if row.reason else "",
        )
        for row in rows
    )
    return _table(("from", "trigger", "guards", "to", "reason, without one of a guard"), made)


def _steps(_: Vehicle) -> str:
    rows = (
        (
            phase,
            f"`{step.name}`",
            _request(step.request),
            _all(step.done),
            _all(step.keep),
            _all(step.trip),
            ", ".join(f"`{name}`" for name in (step.timeout, step.attempts, step.blind) if name),
        )
        for phase, steps in STEPS.items()
        for step in steps
    )
    return _table(("phase", "step", "request", "done when", "fails unless", "trips unless", "timing"), rows)


def _request(request: Request) -> str:
    parts = [] if request.guidance is Guidance.OFF else [request.guidance.value]
    drives = ("capture", "latch", "power", "contacts", "data")
    parts += [f"{name} {getattr(request, name)}" for name in drives if getattr(request, name) is not Drive.KEEP]
    return ", ".join(parts + ([f"test {request.test}"] if request.test else [])) or "nothing"


def _all(conditions: Iterable[Condition]) -> str:
    shown = (f"`{one}`" + (f" ({one.part})" if one.part else "") for one in conditions)
    return "; ".join(shown)


def _checks(_: Vehicle) -> str:
    rows = (
        (str(number), f"`{check.name}`", f"`{condition}`", condition.reason.name, standing)
        for number, check in enumerate(CHECKS, start=1)
        for conditions, standing in ((check.once, "once"), (check.standing, "until the contacts close"))
        for condition in conditions
    )
    return _table(("no.", "check", "condition", "reason if it does not hold", "holds"), rows)


def _interlocks(_: Vehicle) -> str:
    rows = (
        (
            f"{lock.field} {lock.value}",
            _all(lock.conditions) + ("; every check passed" if lock.checked else ""),
            ", ".join(sorted(lock.waived)) or "none",
        )
        for lock in INTERLOCKS
    )
    return _table(("command", "leaves the machine while", "waived in"), rows)


def _faults(vehicle: Vehicle) -> str:
    rows = ((name, *(_end(*end(fault, phase, vehicle)) for phase in PHASES)) for name, fault in FAULTS.items())
    return _table(("fault", *(f"begins in {phase}" for phase in PHASES)), rows)


def _end(phase: Phase, reason: Reason) -> str:
    return f"{phase}, {reason.name} {int(reason)}"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, tuple("---" for _ in header), *rows)]
    return "\n".join(line.replace("  |", " |") for line in lines)


_PARTS: Final[dict[str, Callable[[Vehicle], str]]] = {
    "picture": picture,
    "transitions": lambda _: _transitions(ROWS),
    "restart": lambda _: _transitions(RESUME_ROWS),
    "steps": _steps,
    "checks": _checks,
    "interlocks": _interlocks,
    "faults": _faults,
    "guards": lambda _: _table(("guard", "holds when"), ((f"`{name}`", text) for name, text in GUARDS.items())),
    "reasons": lambda _: _table(
        ("code", "name", "meaning"), ((str(int(reason)), reason.name, reason.meaning) for reason in Reason)
    ),
    "quantities": lambda _: _table(
        ("quantity", "unit", "source", "meaning"),
        ((f"`{name}`", one.unit, one.source, one.meaning) for name, one in QUANTITIES.items()),
    ),
}


if __name__ == "__main__":
    path = Path(sys.argv[1])
    vehicle = Vehicle.from_file(path.resolve().parent.parent / VEHICLE)
    path.write_text(updated(path.read_text(encoding="utf-8"), vehicle), encoding="utf-8")
