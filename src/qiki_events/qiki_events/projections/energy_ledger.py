"""Energy and impulse used by a bot's thrusters, by gate and mode: folded over `<bot>/*`.

Samples are counters of their emitter; a counter that is lower than before belongs to a restarted emitter. The
use between two samples is booked under the gate and mode that hold at the second.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from qiki_events.projection import StoredEvent
from qiki_events.projections.fold import Fold

UNKNOWN: Final = "UNKNOWN"


@dataclass(frozen=True)
class Used:
    """`energy`: J; `impulse`: N s, nozzle thrust times time of all thrusters, None if unknown."""

    energy: float = 0.0
    impulse: float | None = None

    def plus(self, other: "Used") -> "Used":
        """Both together."""
        impulses = [impulse for impulse in (self.impulse, other.impulse) if impulse is not None]
        return Used(self.energy + other.energy, sum(impulses) if impulses else None)


@dataclass(frozen=True)
class EnergyLedger:
    """The books. None: not known.

    Attributes:
        used: in all.
        by_gate: under each gate, UNKNOWN before the first is known.
        by_mode: in each mode of the allocator.
        stored: J in the supercapacitor at the last sample.
        soc: 0..1, of the supercapacitor.
        battery_soc: 0..1.
        working_mass: kg.
        samples: booked.
        sampled: event time, ns, of the last sample.
        gate: that holds.
        mode: that holds.
        counters: of the last sample, as emitted.
    """

    used: Used = Used()
    by_gate: Mapping[str, Used] = field(default_factory=dict)
    by_mode: Mapping[str, Used] = field(default_factory=dict)
    stored: float | None = None
    soc: float | None = None
    battery_soc: float | None = None
    working_mass: float | None = None
    samples: int = 0
    sampled: int | None = None
    gate: str = UNKNOWN
    mode: str = UNKNOWN
    counters: Used = Used()


def _sampled(state: EnergyLedger, event: StoredEvent, data: Mapping[str, Any]) -> EnergyLedger:
    now = Used(data["energy_used_j"] or 0.0, data["impulse_n_s"])
    spent = Used(
        _increment(state.counters.energy, now.energy),
        None if now.impulse is None else _increment(state.counters.impulse or 0.0, now.impulse),
    )
    return replace(
        state,
        used=state.used.plus(spent),
        by_gate=_booked(state.by_gate, state.gate, spent),
        by_mode=_booked(state.by_mode, state.mode, spent),
        stored=data["stored_j"],
        soc=data["soc"],
        battery_soc=data["battery_soc"],
        working_mass=data["working_mass_kg"],
        samples=state.samples + 1,
        sampled=event.time,
        counters=Used(now.energy, state.counters.impulse if now.impulse is None else now.impulse),
    )


def _increment(before: float, now: float) -> float:
    return now - before if now >= before else now


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
    1,
    EnergyLedger,
    {
        "energy.sampled": _sampled,
        "allocator.configured": _configured,
        "allocator.gate_changed": _gate_changed,
        "allocator.mode_changed": _mode_changed,
    },
)
