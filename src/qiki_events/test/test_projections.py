"""Projections, folded from zero and from snapshots."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_events import mappings

from qiki_events import REGISTRY
from qiki_events.projections import BOT_STATE, COMMAND_LEDGER, DOCKING, ENERGY_LEDGER, PROJECTIONS, Fold
from qiki_events.projections.table import Table


class Happening(NamedTuple):
    """An event before it is stored; `time` in ns."""

    type: str
    data: dict[str, Any]
    time: int = 0
    stream: str = "alpha/allocator"


@dataclass(frozen=True)
class Stored:
    """An event with its payload as a store gives it back."""

    position: int
    stream: str
    type: str
    time: int
    data: Mapping[str, Any]


def _as_stored(type: str, data: dict[str, Any]) -> Any:
    newest = REGISTRY.newest(type)
    return REGISTRY.decode(type, newest, *REGISTRY.encode(type, data, newest))


def recorded(happenings: Iterable[Happening]) -> list[Stored]:
    return [
        Stored(position, stream, type, time, _as_stored(type, data))
        for position, (type, data, time, stream) in enumerate(happenings, 1)
    ]


def fold(projection: Fold[Any], events: Iterable[Stored], state: Any = None) -> Any:
    state = projection.initial() if state is None else state
    for event in events:
        state = projection.apply(state, event, event.data)
    return state


def folded(projection: Fold[Any], *happenings: Happening) -> Any:
    return fold(projection, recorded(happenings))


def through_snapshot(projection: Fold[Any], state: Any) -> Any:
    return projection.load(json.loads(json.dumps(projection.dump(state), allow_nan=False)))


# Every projection, whatever happened ----------------------------------------------------------------------------------

_TYPES = sorted({type for projection in PROJECTIONS.values() for type in projection.types})
_NAMES = st.sampled_from(["", "a", "b", "ü"])


@st.composite
def happenings(draw: st.DrawFn, types: Sequence[str]) -> list[Happening]:
    chosen = draw(st.lists(st.sampled_from([*types, "nobody.knows"]), max_size=12))
    return [draw(_happening(type)) for type in chosen]


@st.composite
def _happening(draw: st.DrawFn, type: str) -> Happening:
    cls = REGISTRY.message_class(type)
    data = {"x": 1} if cls is None else draw(mappings(cls.DESCRIPTOR, _NAMES))
    for name, value in data.items():
        if isinstance(value, float):
            data[name] = round(value % 1e6, 3)  # sums stay finite
    return Happening(type, data, draw(st.integers(0, 10**12)), draw(st.sampled_from(["alpha/a", "alpha/b"])))


@pytest.mark.requirement("EVENT-9")
@pytest.mark.parametrize("projection", PROJECTIONS.values(), ids=lambda projection: projection.name)
@given(data=st.data())
def test_from_any_snapshot_the_state_is_the_same_as_from_zero(projection: Fold[Any], data: st.DataObject) -> None:
    events = recorded(data.draw(happenings(projection.types)))
    cut = data.draw(st.integers(0, len(events)))
    whole = fold(projection, events)
    head = fold(projection, events[:cut])
    untouched = through_snapshot(projection, head)
    assert untouched == head
    assert fold(projection, events[cut:], untouched) == whole
    assert untouched == head, "folding changed a state in place"
    assert head == fold(projection, events[:cut])


@pytest.mark.parametrize("projection", PROJECTIONS.values(), ids=lambda projection: projection.name)
@given(data=st.data())
def test_types_that_a_projection_does_not_know_leave_its_state(projection: Fold[Any], data: st.DataObject) -> None:
    others = [type for type in REGISTRY.types if type not in projection.types]
    state = fold(projection, recorded(data.draw(happenings(projection.types))))
    for event in recorded(data.draw(happenings(others))):
        assert projection.apply(state, event, event.data) is state


def test_all_projections_are_there_by_name() -> None:
    assert set(PROJECTIONS) == {"bot", "energy", "commands", "docking"}
    assert all(name == projection.name for name, projection in PROJECTIONS.items())
    assert set(_TYPES) <= set(REGISTRY.types), "a projection handles a type that is not registered"


# The bot --------------------------------------------------------------------------------------------------------------

CONFIGURED = Happening(
    "allocator.configured",
    {
        "cause": "start",
        "mode": "ADAPTIVE",
        "armed": False,
        "gate": "BOOST",
        "attitude_mode": "OFF",
        "health": [{"health": "OK", "share": 1.0}] * 2,
        "profile": None,
        "modulator": "pulse_width",
    },
    1,
)


def test_nothing_is_known_of_a_bot_before_it_tells() -> None:
    state = BOT_STATE.initial()
    assert (state.mode, state.gate, state.armed, state.attitude_mode, state.profile) == (None,) * 5
    assert not state.thrusters


def test_what_the_allocator_tells_is_the_bots_state() -> None:
    state = folded(
        BOT_STATE,
        CONFIGURED,
        Happening("allocator.mode_changed", {"mode": "MANUAL_OVERRIDE", "before": "ADAPTIVE"}, 2),
        Happening("allocator.armed", {"mode": "MANUAL_OVERRIDE"}, 3),
        Happening("allocator.gate_changed", {"gate": "HOLD", "reason": "soc 0.59", "warning": False}, 4),
        Happening("allocator.attitude_mode_changed", {"attitude_mode": "DAMP", "before": "OFF"}, 5),
        Happening("allocator.modulator_changed", {"modulator": "impulse_bit", "before": "pulse_width"}, 5),
        Happening("allocator.thruster_health_changed", {"thruster": 1, "health": "WEAK", "share": 0.4}, 6),
        Happening(
            "allocator.fault_detected",
            {"finding": "thruster 1 weak", "source": "motion", "thrusters": [1], "health": "WEAK", "held_back": 0},
            6,
        ),
        Happening("allocator.profile_started", {"profile": "c1", "segments": 2, "duration": 4.0}, 7),
    )
    assert (state.mode, state.armed, state.gate, state.gate_reason) == ("MANUAL_OVERRIDE", True, "HOLD", "soc 0.59")
    assert (state.attitude_mode, state.modulator) == ("DAMP", "impulse_bit")
    assert {index: (one.health, one.share) for index, one in state.thrusters.items()} == {
        0: ("OK", 1),
        1: ("WEAK", 0.4),
    }
    assert (state.last_fault.thrusters, state.last_fault.health, state.last_fault.time) == ((1,), "WEAK", 6)
    assert (state.profile.command_id, state.profile.started, state.last_profile, state.changed) == ("c1", 7, None, 7)


def test_a_profile_that_ended_is_not_flown_any_more() -> None:
    state = folded(
        BOT_STATE,
        CONFIGURED,
        Happening("allocator.profile_started", {"profile": "c1", "segments": 2, "duration": 4.0}, 2),
        Happening(
            "allocator.profile_ended",
            {"profile": "c1", "outcome": "CANCELED", "reason": "stopped", "segment": 0, "elapsed": 1.0, "energy": 5.0},
            3,
        ),
        Happening("allocator.disarmed", {"mode": "AUTO"}, 4),
    )
    assert state.profile is None
    assert (state.last_profile.command_id, state.last_profile.outcome, state.last_profile.ended) == (
        "c1",
        "CANCELED",
        3,
    )
    assert state.armed is False


def test_an_allocator_that_begins_anew_forgets_what_it_was() -> None:
    state = folded(
        BOT_STATE,
        CONFIGURED,
        Happening("allocator.thruster_health_changed", {"thruster": 1, "health": "DEAD", "share": 0.0}, 2),
        Happening("allocator.profile_started", {"profile": "c1", "segments": 2, "duration": 4.0}, 3),
        CONFIGURED,
    )
    assert state.profile is None
    assert {one.health for one in state.thrusters.values()} == {"OK"}


# Energy ---------------------------------------------------------------------------------------------------------------


def sample(energy: float, impulse: float | None = None, time: int = 0) -> Happening:
    return Happening("energy.sampled", {"energy_used_j": energy, "impulse_n_s": impulse, "soc": 0.8}, time)


@pytest.mark.requirement("EVENT-9")
def test_energy_is_booked_under_gate_and_mode() -> None:
    books = folded(
        ENERGY_LEDGER,
        CONFIGURED,
        sample(100.0, 10.0),
        Happening("allocator.gate_changed", {"gate": "HOLD", "warning": False}),
        sample(160.0, 14.0),
        Happening("allocator.mode_changed", {"mode": "AUTO"}),
        sample(170.0, 15.0, 9),
    )
    assert (books.used.energy_j, books.used.impulse_n_s) == (170.0, 15.0)
    assert {gate: (used.energy_j, used.impulse_n_s) for gate, used in books.by_gate.items()} == {
        "BOOST": (100.0, 10.0),
        "HOLD": (70.0, 5.0),
    }
    assert {mode: used.energy_j for mode, used in books.by_mode.items()} == {"ADAPTIVE": 160.0, "AUTO": 10.0}
    assert (books.samples, books.sampled, books.soc, books.stored_j) == (3, 9, 0.8, None)


@pytest.mark.parametrize("first", [sample(30.0, 2.0, 9), sample(100.0, 8.0, 1), sample(120.0, 2.0, 0)])
def test_a_new_run_begins_the_books_at_zero(first: Happening) -> None:
    """A counter or a clock that falls belongs to a reset, or to an emitter that was started again."""
    then = sample(first.data["energy_used_j"] + 20.0, 13.0, 10)
    books = folded(ENERGY_LEDGER, CONFIGURED, sample(90.0, 7.0, 4), sample(100.0, 8.0, 5), first, then)
    assert (books.used.energy_j, books.used.impulse_n_s) == (then.data["energy_used_j"], 13.0)
    assert (set(books.by_gate), books.samples, books.mode) == ({"BOOST"}, 2, "ADAPTIVE")


def test_an_impulse_that_was_never_told_is_unknown() -> None:
    assert folded(ENERGY_LEDGER, sample(100.0), sample(130.0)).used.impulse_n_s is None


@given(st.lists(st.floats(0, 1e6), max_size=20))
def test_what_gates_and_modes_used_adds_up(amounts: list[float]) -> None:
    total, happened = 0.0, []
    for index, amount in enumerate(amounts):
        total += amount
        gate = {"gate": ("BOOST", "HOLD", "STABILISE")[index % 3], "warning": False}
        happened += [Happening("allocator.gate_changed", gate), sample(total)]
    books = folded(ENERGY_LEDGER, *happened)
    assert books.used.energy_j == pytest.approx(total)
    assert sum(used.energy_j for used in books.by_gate.values()) == pytest.approx(total)


# Commands -------------------------------------------------------------------------------------------------------------


def verdict(command_id: str, kind: str, time: int, reason_code: str = "") -> Happening:
    return Happening(f"command.{kind}", {"command_id": command_id, "reason_code": reason_code}, time)


@pytest.mark.requirement("EVENT-9")
def test_each_command_has_its_verdict_and_those_without_are_open() -> None:
    ledger = folded(
        COMMAND_LEDGER,
        Happening("operator.command_issued", {"command_id": "c1", "name": "dock", "operator": "kim"}, 1),
        Happening("operator.command_issued", {"command_id": "c2", "name": "brake", "target": "alpha"}, 2),
        verdict("c1", "accepted", 3),
        verdict("c3", "rejected", 4, "NOT_ARMED"),
        verdict("c1", "executed", 5),
        verdict("c1", "timeout", 6),
    )
    one, two, three = ledger.in_order
    assert (one.name, one.operator, one.issued, one.accepted, one.verdict, one.ended) == (
        "dock", "kim", 1, 3, "EXECUTED", 5,
    )  # fmt: skip
    assert one.later_verdicts == 1
    assert (three.command_id, three.verdict, three.reason_code, three.issued) == ("c3", "REJECTED", "NOT_ARMED", None)
    assert ledger.open == (two,)


def test_a_thrust_profile_is_a_command_with_its_energy() -> None:
    ended = {"profile": "p1", "outcome": "FAILED", "reason": "gate", "segment": 0, "elapsed": 1.0, "energy": 7.5}
    started = Happening("allocator.profile_started", {"profile": "p1", "segments": 1, "duration": 2.0}, 1)
    assert [one.command_id for one in folded(COMMAND_LEDGER, started).open] == ["p1"]
    ledger = folded(COMMAND_LEDGER, started, Happening("allocator.profile_ended", ended, 2))
    (one,) = ledger.in_order
    assert (one.accepted, one.verdict, one.ended, one.message, one.energy) == (1, "FAILED", 2, "gate", 7.5)


@given(st.lists(st.tuples(st.text(max_size=2), st.integers())))
def test_a_table_is_a_mapping_whose_older_versions_stay(entries: list[tuple[str, int]]) -> None:
    versions = [(Table[int](), dict[str, int]())]
    for key, value in entries:
        table, model = versions[-1]
        versions.append((table.put(key, value), {**model, key: value}))
    for table, model in versions:
        assert table == model
        assert len(table) == len(model)


# Docking --------------------------------------------------------------------------------------------------------------


def test_docking_has_the_newest_state_of_the_machine_and_the_last_report() -> None:
    order = {"partner": "station", "partner_port": "A", "own_port": "B", "profile": "FULL"}
    numbers = {"hold": 0, "tries": 0, "retry": False, "reason": 0, "cause": 0}
    changes = [
        Happening("docking.phase_changed", {**order, **numbers, "phase": phase, "step": step, "passed": ["lock"]}, time)
        for time, (phase, step) in enumerate([("APPROACH", "hold"), ("HARD_DOCK", "pull")], 1)
    ]
    report = {"docking_id": "d1", "outcome": "FAILED", "code": 501, "tries": 1, "seconds": {"APPROACH": 12.5}}
    edge = {"edge": "alpha:B-station:A", "state": "CLOSED", "before": "SOFT_START"}
    state = folded(
        DOCKING,
        Happening("docking.started", {**order, "docking_id": "d1"}, 1),
        *changes,
        Happening("bridge.edge_changed", edge, 7),
        Happening("bridge.shed", {"shed": ["alpha/charge"], "before": []}, 8),
        Happening("docking.ended", report, 9),
    )
    assert (state.state["phase"], state.state["step"], state.state["passed"]) == ("HARD_DOCK", "pull", ["lock"])
    assert {name: state.state[name] for name in order} == order
    assert (state.docking_id, state.started, state.changed) == ("d1", 1, 9)
    assert (state.edges, state.shed) == ({"alpha:B-station:A": "CLOSED"}, ("alpha/charge",))
    assert (state.last.ended, state.last.report["code"], state.last.report["seconds"]) == (9, 501, {"APPROACH": 12.5})
