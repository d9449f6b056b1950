"""Tables of docs/xpdr.md, made from the code.

    python -m qiki_xpdr.reference docs/xpdr.md      # brings the page up to date

Thresholds and times are those of the shipped vehicle (`VEHICLE`), rules those of `RULES`. A generated part stands
between `<!-- xpdr: <name> -->` and `<!-- end -->`.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Final, TypeVar

from qiki_vehicle import Vehicle
from qiki_xpdr.channels import FAULTS, OFFSETS
from qiki_xpdr.guard import GuardMode
from qiki_xpdr.modes import Allegiance, Mode, SpoofState, Status
from qiki_xpdr.reasons import Reason
from qiki_xpdr.rules import Rule, Rules, When
from qiki_xpdr.spoof import TEXTS, SpoofMonitor

VEHICLE: Final = Path("launch/config/vehicles/dodecahedron.yaml")
"""The shipped vehicle, from the root of the workspace."""
RULES: Final = Path("launch/config/guard.yaml")
"""The shipped rules."""

_Code = TypeVar("_Code", bound=IntEnum)
_PART: Final = re.compile(r"(<!-- xpdr: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_MODES: Final = {
    Mode.OFF: "transmits nothing",
    Mode.ON: "transmits claims of id, position and velocity, with keys signed; answers interrogations",
    Mode.SILENT: "transmits nothing, and cannot be told from OFF by others; receives and tracks",
    Mode.SPOOF: "transmits a configured false identity, for training; in two steps",
}
_STATUSES: Final = {
    Status.UNSPECIFIED: "not set",
    Status.NEW: "too few returns yet to be confirmed; no rule looks at it",
    Status.TRACKED: "confirmed, with returns",
    Status.COASTING: "no return in the last frames; carried on by its velocity",
    Status.LOST: "no return for longer; ends if none comes",
}
_ALLEGIANCES: Final = {
    Allegiance.UNSPECIFIED: "not set",
    Allegiance.FRIEND: "the id was proven at this track within `iff.friend_valid`, by signature or the group's secret",
    Allegiance.FOE: "the id is listed as a foe in ring.yaml, or the evidence against the claimed id is SPOOF",
    Allegiance.UNKNOWN: "claims no id, or one that is not proven",
}
_VERDICTS: Final = {
    SpoofState.UNKNOWN: "claims no id",
    SpoofState.TRUSTED: "proven, and nothing speaks against it",
    SpoofState.UNVERIFIED: "not proven, nothing speaks against it; silence ends here",
    SpoofState.SUSPECT: "a channel is near its threshold, or two unproven tracks claim the id",
    SpoofState.SPOOF: "a channel is over its threshold",
}
_GUARDS: Final = {
    GuardMode.OFF: "no rule is evaluated",
    GuardMode.PASSIVE: "alerts are raised, marked as without effect",
    GuardMode.ACTIVE: "alerts are raised",
}


def updated(page: str, vehicle: Vehicle, rules: Rules) -> str:
    """The text of the page with all its generated parts made from the code.

    Raises:
        KeyError: a part has no such name.
    """
    return _PART.sub(lambda found: f"{found[1]}{_PARTS[found[2]](vehicle, rules)}\n{found[3]}", page)


def _channels(vehicle: Vehicle, _: Rules) -> str:
    monitor = SpoofMonitor(vehicle)
    kinds = dict.fromkeys(OFFSETS, "offset") | dict.fromkeys(FAULTS, "faults")
    rows = ((f"`{name}`", TEXTS[name], kind, f"{monitor.thresholds[name]:.1f}") for name, kind in kinds.items())
    return _table(("channel", "meaning once it is over", "test", "threshold"), rows)


def _reasons(_: Vehicle, __: Rules) -> str:
    rows = (
        (
            str(int(one)),
            one.name,
            "proof" if one.verified else "forged" if one.forged else "",
            one.meaning,
        )
        for one in Reason
    )
    return _table(("code", "name", "counts as", "meaning"), rows)


def _fields(kind: type[Rule] | type[When]) -> str:
    rows = []
    for name, field in kind.model_fields.items():
        default = "required" if field.is_required() else "" if field.default is None else f"{field.default:g}"
        rows.append((f"`{name}`", default, str(field.description)))
    return _table(("field", "default", "meaning"), rows)


def _shipped(_: Vehicle, rules: Rules) -> str:
    rows = []
    for rule in rules.rules:
        asked = rule.when.model_dump(exclude_none=True)
        text = ", ".join(f"`{name}` {_value(value)}" for name, value in asked.items())
        rows.append((rule.id, rule.severity, text, f"{rule.hysteresis:g} m", f"{rule.cooldown:g} s"))
    return _table(("rule", "severity", "when", "hysteresis", "cooldown"), rows)


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return (" to " if isinstance(value[0], float) else " or ").join(map(_value, value))
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, tuple("---" for _ in header), *rows)]
    return "\n".join(line.replace("  |", " |") for line in lines)


def _names(texts: Mapping[_Code, str]) -> str:
    kind = type(next(iter(texts)))
    return _table(("code", "name", "meaning"), ((str(int(one)), one.name, texts[one]) for one in kind))


_PARTS: Final[dict[str, Callable[[Vehicle, Rules], str]]] = {
    "modes": lambda _, __: _names(_MODES),
    "statuses": lambda _, __: _names(_STATUSES),
    "allegiances": lambda _, __: _names(_ALLEGIANCES),
    "verdicts": lambda _, __: _names(_VERDICTS),
    "guard_modes": lambda _, __: _names(_GUARDS),
    "channels": _channels,
    "reasons": _reasons,
    "rule": lambda _, __: _fields(Rule),
    "when": lambda _, __: _fields(When),
    "shipped": _shipped,
}


if __name__ == "__main__":
    path = Path(sys.argv[1])
    root = path.resolve().parent.parent
    made = updated(path.read_text(encoding="utf-8"), Vehicle.from_file(root / VEHICLE), Rules.from_file(root / RULES))
    path.write_text(made, encoding="utf-8")
