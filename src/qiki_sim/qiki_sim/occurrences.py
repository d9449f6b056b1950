"""Occurrences of the bots' hardware, found by comparison from tick to tick, and samples of their energy books."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from qiki_sim.bot import Bot
    from qiki_sim.faults import Fault
    from qiki_sim.world import World

SAMPLE_US = 1_000_000
"""Microseconds of simulated time between two samples of the energy books."""

_OF_JOINTS = (
    "port_contact",
    "port_contact_ended",
    "captured",
    "capture_lost",
    "latched",
    "unlatched",
    "latch_broken",
    "released",
)
"""Kinds of a pair of ports that follow from each other."""

_CLUSTER = "RCS_"
"""Begins the names of the thermal nodes that are clusters of thrusters."""


@dataclass(eq=False)
class Occurrence:
    """An event of a bot: its type, and its payload as JSON holds it.

    Attributes:
        is_sample: the next one replaces it.
        cause: the occurrence whose effect ends now; None: unknown.
        event: id of the event that it became; set by its emitter, empty until then.
    """

    bot: str
    type: str
    payload: Mapping[str, Any]
    is_sample: bool = False
    cause: Occurrence | None = None
    event: str = ""


class _Change(NamedTuple):
    """`begins` and `ends`: keys of a condition that lasts from now on, or is over."""

    kind: str
    payload: dict[str, Any]
    begins: Hashable = None
    ends: Hashable = None


class Watch:
    """Compares a world with itself as it was at the last look."""

    def __init__(self, world: World) -> None:
        self._before = {name: _Condition(world.bot(name)) for name in world.bots}
        self._sampled = {name: (world.time_us, world.bot(name).energy.thrust_energy) for name in world.bots}
        # Of the bodies with docking hardware alone.
        self._faults = {name: world.faults(name).active for name in world.docks if name not in world.bots}
        self._sample_due_us = world.time_us
        self._going_on: dict[tuple[str, Hashable], Occurrence] = {}

    def look(self, world: World) -> list[Occurrence]:
        """Occurrences since the last look."""
        found = []
        for name, before in self._before.items():
            now = _Condition(world.bot(name))
            if now != before:
                found += [self._occurrence(name, one) for one in _changes(before, now, world.bot(name), world.time_us)]
                self._before[name] = now
        for name, faults in self._faults.items():
            active = world.faults(name).active
            if active != faults:
                found += [self._occurrence(name, one) for one in _fault_changes(faults, active, world.time_us)]
                self._faults[name] = active
        found += [self._joint(name, kind, payload) for name, kind, payload in world.docking.take_occurrences()]
        if world.time_us >= self._sample_due_us:
            self._sample_due_us += SAMPLE_US * (1 + (world.time_us - self._sample_due_us) // SAMPLE_US)
            found += [sample for name in world.bots if (sample := self._sample(world, name)) is not None]
        return found

    def _occurrence(self, bot: str, change: _Change) -> Occurrence:
        cause = self._going_on.pop((bot, change.ends), None)
        occurrence = Occurrence(bot, f"simulator.{change.kind}", {"bot": bot, **change.payload}, cause=cause)
        if change.begins is not None:
            self._going_on[bot, change.begins] = occurrence
        return occurrence

    def _joint(self, body: str, kind: str, payload: dict[str, Any]) -> Occurrence:
        """Of a pair of ports: each follows from the one before, back to the touch."""
        pair = tuple(payload.get(name) for name in ("bot", "port", "partner", "partner_port"))
        if kind in _OF_JOINTS:
            return self._occurrence(body, _Change(kind, payload, begins=pair, ends=pair))
        return self._occurrence(body, _Change(kind, payload))

    def _sample(self, world: World, name: str) -> Occurrence | None:
        reading = world.energy(name)
        if reading is None:
            return None
        then_us, before = self._sampled[name]
        self._sampled[name] = (world.time_us, reading.thrust_energy)
        passed = (world.time_us - then_us) * 1e-6
        payload = {
            "energy_used_j": reading.thrust_energy,
            "stored_j": reading.supercap_energy,
            "soc": reading.supercap_soc,
            "battery_stored_j": reading.battery_energy,
            "battery_soc": reading.battery_soc,
            "power_w": (reading.thrust_energy - before) / passed if passed > 0.0 else reading.thrust_power,
            "working_mass_kg": world.bot(name).working_mass,
        }
        return Occurrence(name, "energy.sampled", payload, is_sample=True)


class _Condition:
    """The part of a bot that changes seldom."""

    __slots__ = ("faults", "loads", "over_heated", "tripped", "trips", "used_up")

    def __init__(self, bot: Bot) -> None:
        self.trips = bot.bus.trips
        self.tripped = bot.bus.tripped_until_us is not None
        self.over_heated = bot.thermal.tripped.tobytes()
        self.loads = tuple(on and not bot.avionics.blackout for on in bot.avionics.load_on.values())
        self.used_up = bot.working_mass <= 0.0
        self.faults = bot.faults.active

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Condition) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]


def _changes(before: _Condition, now: _Condition, bot: Bot, now_us: int) -> Iterator[_Change]:
    if now.trips > before.trips:
        yield _Change("pdu_tripped", {"trips": now.trips}, begins="pdu")
    if not now.tripped and (before.tripped or now.trips > before.trips):
        yield _Change("pdu_restored", {}, ends="pdu")
    heat = bot.heat
    for index, (old, new) in enumerate(zip(before.over_heated, now.over_heated, strict=True)):
        if old != new:
            name, degrees = heat.names[index], float(heat.temperature[index])
            yield _heat(name, bool(new), degrees, float(heat.trip[index]))
    energy = bot.energy
    for load, old_on, new_on in zip(energy.loads, before.loads, now.loads, strict=True):
        if old_on != new_on:
            payload = {"load": load, "battery_soc": energy.battery_soc, "bus_voltage_v": energy.bus_voltage}
            shed = ("load", load)
            yield _Change("load_restored", payload, ends=shed) if new_on else _Change("load_shed", payload, begins=shed)
    if now.used_up and not before.used_up:
        yield _Change("working_mass_exhausted", {})
    yield from _fault_changes(before.faults, now.faults, now_us)


def _heat(name: str, hot: bool, temperature: float, limit: float) -> _Change:
    what: dict[str, Any] = {"temperature_degc": temperature}
    if name.startswith(_CLUSTER):
        kinds, what = ("cluster_tripped", "cluster_restored"), {"cluster": name.removeprefix(_CLUSTER), **what}
    else:
        kinds, what = ("node_overheated", "node_cooled"), {"node": name, **what}
    if hot:
        return _Change(kinds[0], {**what, "limit_degc": limit}, begins=("heat", name))
    return _Change(kinds[1], what, ends=("heat", name))


def _fault_changes(before: tuple[Fault, ...], now: tuple[Fault, ...], now_us: int) -> Iterator[_Change]:
    for fault in before:
        if fault not in now:
            expired = fault.until_us is not None and fault.until_us <= now_us
            reason = "expired" if expired else "by order"
            yield _Change("fault_cleared", {"kind": fault.kind, "target": fault.target, "reason": reason}, ends=fault)
    for fault in now:
        if fault not in before:
            left = None if fault.until_us is None else (fault.until_us - now_us) * 1e-6
            payload = {"kind": fault.kind, "target": fault.target, "value": fault.value, "duration_s": left}
            yield _Change("fault_injected", payload, begins=fault)
