"""Energy and impulse used by a bot's thrusters, by gate and mode: folded over `<bot>/*`.

The books are those of the run: a sample whose counter or time is before the last one belongs to a new run (a reset, a
restarted emitter) and begins them at zero. Samples are counters of their emitter; the use between two samples is booked
under the gate and mode that hold at the second.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from qiki_events.projection import StoredEvent
from qiki_events.projections.fold import Fold

UNKNOWN: Final = "UNKNOWN"


@dataclass(frozen=True)
class Used:
    """`impulse_n_s`: nozzle thrust times time of all thrusters, None if unknown."""

    energy_j: float = 0.0
    impulse_n_s: float | None = None

    def plus(self, other: "Used") -> "Used":
        """Both together."""
        impulses = [impulse for impulse in (self.impulse_n_s, other.impulse_n_s) if impulse is not None]
        return Used(self.energy_j + other.energy_j, sum(impulses) if impulses else None)


@dataclass(frozen=True)
class EnergyLedger:
    """The books of the run. None: not known.

    Attributes:
        used: in the run.
        by_gate: under each gate, UNKNOWN before the first is known.
        by_mode: in each mode of the allocator.
        stored_j: in the supercapacitor at the last sample.
        soc: 0..1, of the supercapacitor.
        battery_soc: 0..1.
        working_mass_kg: at the last sample.
        samples: booked.
        sampled: event time, ns, of the last sample.
        gate: that holds.
        mode: that holds.
        counters: of the last sample, as emitted.
    """

    used: Used = Used()
    by_gate: Mapping[str, Used] = field(default_factory=dict)
    by_mode: Mapping[str, Used] = field(default_factory=dict)
    stored_j: float | None = None
    soc: float | None = None
    battery_soc: float | None = None
    working_mass_kg: float | None = None
    samples: int = 0
    sampled: int | None = None
    gate: str = UNKNOWN
    mode: str = UNKNOWN
    counters: Used = Used()


def _sampled(state: EnergyLedger, event: StoredEvent, data: Mapping[str, Any]) -> EnergyLedger:
    now = Used(data["energy_used_j"] or 0.0, data["impulse_n_s"])
    if now.energy_j < state.counters.energy_j or (state.sampled is not None and event.time < state.sampled):
        state = EnergyLedger(gate=state.gate, mode=state.mode)
    before = state.counters.impulse_n_s or 0.0
    spent = Used(
        now.energy_j - state.counters.energy_j,
        None if now.impulse_n_s is None else now.impulse_n_s - (before if now.impulse_n_s >= before else 0.0),
    )
    return replace(
        state,
        used=state.used.plus(spent),
        by_gate=_booked(state.by_gate, state.gate, spent),
        by_mode=_booked(state.by_mode, state.mode, spent),
        stored_j=data["stored_j"],
        soc=data["soc"],
        battery_soc=data["battery_soc"],
        working_mass_kg=data["working_mass_kg"],
        samples=state.samples + 1,
        sampled=event.time,
        counters=Used(now.energy_j, state.counters.impulse_n_s if now.impulse_n_s is None else now.impulse_n_s),
    )


def _booked(books: Mapping[str, Used], name: str, spent: Used) -> Mapping[str, Used]:
    return {**books, name: books.get(name, Used()).plus(spent)}


def _configured(state: EnergyLedger, _event: StoredEvent, data: Mapping[str, Any]) -> EnergyLedger:
    return replace(state, gate=data["gate"], mode=data["mode"])


def _gate_changed(state: EnergyLedger, _event: StoredEvent, data: Mapping[str, Any]) -> EnergyLedger:
    return replace(state, gate=data["gate"])


def _mode_changed(state: EnergyLedger, _event: StoredEvent, data: Mapping[str, Any]) -> EnergyLedger:
    return replace(state, mode=data["mode"])


ENERGY_LEDGER: Final = Fold(
    "energy",
    2,
    EnergyLedger,
    {
        "energy.sampled": _sampled,
        "allocator.configured": _configured,
        "allocator.gate_changed": _gate_changed,
        "allocator.mode_changed": _mode_changed,
    },
)
