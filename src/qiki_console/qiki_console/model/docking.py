"""Docking as an operator sees it: phases, motion, margins."""

from dataclasses import dataclass
from math import degrees, isfinite, nan
from typing import Final

from rich.table import Table

from qiki_console.model.numbers import number

PHASES: Final = (
    "FREE", "APPROACH", "ALIGN", "SOFT_DOCK", "HARD_DOCK", "BRIDGE", "UNDOCKING", "ABORT", "FAULT", "EMERGENCY_RELEASE",
)  # fmt: skip
"""By their numbers in DockingState."""

PROFILES: Final = ("", "POWER", "DATA", "FULL")
"""By their numbers in DockingState; the first: none."""


@dataclass(frozen=True)
class Quantity:
    """A quantity of the contact box: its name in events, and how it is shown (unit, factor from SI, digits)."""

    name: str
    unit: str
    factor: float
    digits: int

    def text(self, value: float) -> str:
        """A value in SI units, N/A if it is not known."""
        return f"{number(self.factor * value, self.digits)} {self.unit}"


QUANTITIES: Final = (
    Quantity("closing", "m/s", 1.0, 3),
    Quantity("lateral_rate", "m/s", 1.0, 3),
    Quantity("tilt_rate", "deg/s", degrees(1.0), 2),
    Quantity("roll_rate", "deg/s", degrees(1.0), 2),
    Quantity("lateral_offset", "m", 1.0, 3),
    Quantity("tilt", "deg", degrees(1.0), 2),
    Quantity("roll", "deg", degrees(1.0), 2),
)
"""The seven of the contact box, in the order of the messages' margins."""


def phase_name(value: int) -> str:
    """Name of a phase, `UNKNOWN (12)` for a number that is none."""
    return PHASES[value] if 0 <= value < len(PHASES) else f"UNKNOWN ({value})"


def profile_name(value: int) -> str:
    """Name of a profile, empty for none."""
    return PROFILES[value] if 0 <= value < len(PROFILES) else f"UNKNOWN ({value})"


@dataclass(frozen=True)
class DockingStatus:
    """A body's docking: range m and closing m/s against the partner's port (NaN: unknown). Empty texts: none.

    Attributes:
        partner_identity: id that the partner's passport proves; empty: unverified.
    """

    phase: str
    step: str
    partner: str
    partner_port: str
    own_port: str
    profile: str
    active: bool
    tries: int
    range: float
    closing: float
    reason: int
    text: str
    partner_identity: str = ""

    @property
    def identity(self) -> str:
        """The partner's proven id, "unverified" without one; empty without a partner."""
        return self.partner_identity or ("unverified" if self.partner else "")

    @property
    def summary(self) -> str:
        """Phase, and the partner if there is one."""
        words = [self.phase]
        if self.step and self.phase not in ("FREE", "BRIDGE"):
            words.append(self.step)
        if self.partner:
            words.append(f"{self.partner}:{self.partner_port}" if self.partner_port else self.partner)
        if not self.active and self.partner:
            words.append("(docked to)")
        return " ".join(words)


@dataclass(frozen=True)
class Feedback:
    """Progress of a docking: range m, closing m/s, margins as in `QUANTITIES` (SI; empty: not measured)."""

    docking_id: str = ""
    phase: str = "FREE"
    step: str = ""
    range: float = nan
    closing: float = nan
    margins: tuple[float, ...] = ()
    checks: tuple[str, ...] = ()
    tries: int = 0

    @property
    def line(self) -> str:
        """The progress in one line."""
        motion = f"range {number(self.range, 2)} m  closing {number(self.closing, 3)} m/s"
        parts = [f"{self.phase} {self.step}".strip(), motion]
        # The box is that of the contact: before the last metre and after capture it says nothing.
        near = self.phase == "ALIGN" and self.step != "settle"
        if near and (outside := [one for one, margin in self._known if margin < 0.0]):
            parts.append(f"outside of the contact box: {', '.join(one.name for one in outside)}")
        if self.checks:
            parts.append(f"checks {', '.join(self.checks)}")
        if self.tries:
            parts.append(f"tries {self.tries}")
        return "  ".join(parts)

    @property
    def _known(self) -> list[tuple[Quantity, float]]:
        return [(one, margin) for one, margin in zip(QUANTITIES, self.margins, strict=False) if isfinite(margin)]

    def table(self) -> Table:
        """The progress with a row for each margin."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_row("phase", f"{self.phase} {self.step}".strip())
        table.add_row("range", f"{number(self.range, 3)} m")
        table.add_row("closing", f"{number(self.closing, 4)} m/s")
        for one, value in zip(QUANTITIES, self.margins, strict=False):
            style = "bold red" if value < 0.0 else ""
            table.add_row(f"margin {one.name}", one.text(value), style=style)
        table.add_row("checks", ", ".join(self.checks))
        table.add_row("tries", str(self.tries))
        return table
