"""Report of one docking, from its events."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol


class Happening(NamedTuple):
    """An event of docking: type, stream, time (ns) and payload."""

    type: str
    stream: str
    time: int
    data: Mapping[str, Any]


class EventReader(Protocol):
    """A source of events of docking."""

    def __call__(self, types: list[str], stream: str, *, backwards: bool) -> Iterator[Happening]:
        """Events of some types, of one stream (empty: of all), in their order or backwards."""


class Sample(NamedTuple):
    """Motion against the partner's port: time s, range m, closing m/s, lateral offset m; NaN: unknown."""

    time: float
    range: float
    closing: float
    lateral_offset: float


@dataclass(frozen=True)
class DockReport:
    """One docking; None and empty where nothing is recorded.

    Attributes:
        docking_id: its id.
        stream: of its events.
        order: partner, partner_port, own_port, profile.
        begun: ns.
        ended: payload of its `docking.ended`; None: it is under way, or its end is lost.
        undocked: payload of the end of its undocking.
        phases: ns, phase, step and text, in their order.
        checks: passed, in their order.
        contacts: verdict, exceeded limits in words, and margins by quantity in SI units, of each contact.
        refusals: order and reason.
    """

    docking_id: str
    stream: str
    order: Mapping[str, str]
    begun: int | None
    ended: Mapping[str, Any] | None
    undocked: Mapping[str, Any] | None
    phases: tuple[tuple[int, str, str, str], ...] = ()
    checks: tuple[str, ...] = ()
    contacts: tuple[tuple[bool, str, Mapping[str, float | None]], ...] = ()
    refusals: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> str:
        """The body that docked."""
        return self.stream.partition("/")[0]

    @property
    def margins(self) -> Mapping[str, float | None]:
        """Margins at the last contact, by quantity in SI units; empty without a contact."""
        given = dict((self.ended or {}).get("margins") or {})
        return given or (self.contacts[-1][2] if self.contacts else {})

    @property
    def seconds(self) -> Mapping[str, float]:
        """s in each phase."""
        return dict((self.ended or {}).get("seconds") or {})


@dataclass
class _Draft:
    order: dict[str, str] = field(default_factory=dict)
    begun: int | None = None
    ended: Mapping[str, Any] | None = None
    undocked: Mapping[str, Any] | None = None
    phases: list[tuple[int, str, str, str]] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)
    contacts: list[tuple[bool, str, Mapping[str, float | None]]] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)


def find_docking(read: EventReader, docking_id: str | None) -> tuple[str, str] | list[str]:
    """Id of a docking (None: the one that began or ended last) and its stream; else the ids that there are."""
    known: dict[str, str] = {}
    for event in read(["docking.started", "docking.ended"], "", backwards=True):
        name = str(event.data.get("docking_id") or "")
        if name and docking_id in (None, name):
            return name, event.stream
        known.setdefault(name, event.stream)
    return [name for name in known if name]


def dock_report(docking_id: str, stream: str, events: Iterable[Happening]) -> DockReport:
    """The report of a docking, from the events of its stream in their order; those of other dockings do not count."""
    draft = _Draft()
    for event in events:
        if event.stream == stream and event.data.get("docking_id") == docking_id:
            _take(draft, event)
    return DockReport(
        docking_id,
        stream,
        draft.order,
        draft.begun,
        draft.ended,
        draft.undocked,
        tuple(draft.phases),
        tuple(draft.checks),
        tuple(draft.contacts),
        tuple(draft.refusals),
    )


def _take(draft: _Draft, event: Happening) -> None:
    data = event.data
    named = {name: str(data[name]) for name in ("partner", "partner_port", "own_port", "profile") if data.get(name)}
    match event.type:
        case "docking.started":
            draft.begun = event.time
            draft.order |= named
        case "docking.ended" if data.get("operation") == "undock":
            draft.undocked = data
        case "docking.ended":
            draft.ended = data
            draft.order |= named
        case "docking.phase_changed":
            draft.phases.append((event.time, str(data["phase"]), str(data["step"]), str(data["text"])))
            draft.order = {**named, **draft.order}
        case "docking.check_passed":
            draft.checks.append(str(data["check"]))
        case "docking.contact_judged":
            draft.contacts.append((bool(data["inside"]), str(data["text"]), dict(data.get("margins") or {})))
        case "docking.refused":
            draft.refusals.append((str(data["order"]), f"{data['reason']} {data['text']}"))


def values(report: DockReport, samples: Iterable[Sample]) -> dict[str, Any]:
    """The report as plain values for JSON; keys carry their unit, 64-bit times are texts too."""
    ended = report.ended or {}
    return {
        "docking_id": report.docking_id,
        "bot": report.body,
        **{name: report.order.get(name) for name in ("partner", "partner_port", "own_port", "profile")},
        "begun_ns": report.begun,
        "begun_ns_text": None if report.begun is None else str(report.begun),
        "outcome": ended.get("outcome"),
        "code": ended.get("code"),
        "reason": ended.get("text"),
        "phase": ended.get("phase"),
        "tries": ended.get("tries"),
        "elapsed_s": ended.get("elapsed"),
        "margins_si": dict(report.margins) or None,
        "propellant_kg": ended.get("propellant_kg"),
        "energy_j": ended.get("energy_j"),
        "plume_impulse_ns": ended.get("plume_impulse_ns"),
        "seconds": dict(report.seconds),
        "checks": list(report.checks),
        "contacts": [{"inside": inside, "text": text, "margins_si": box} for inside, text, box in report.contacts],
        "refusals": [{"order": order, "reason": reason} for order, reason in report.refusals],
        "undocked": report.undocked and {name: report.undocked.get(name) for name in ("outcome", "code", "text")},
        "samples": [sample._asdict() for sample in samples],
    }
