"""Emitted events as they are read from the store; what it refused, and `qiki events dead-letters`."""

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import qiki_events
from qiki_events.projections import PROJECTIONS
from qiki_eventstore import AtPosition, AtRecorded, AtTime, Event, EventStoreError, open_store
from qiki_eventstore.cli.events import events as command
from qiki_eventstore.ros.conversions import to_event, to_message, to_recorded
from qiki_eventstore.store import Query
from qiki_node import events as node_events
from qiki_node.dead_letters import DeadLetters
from qiki_node.emission import outgoing
from qiki_node.outbox import OutgoingEvent
from qiki_node.spool_record import event_of, line_of


def nested(inner: Any, depth: int) -> Any:
    for level in range(depth):
        inner = {"a": inner} if level % 2 else [inner]
    return inner


SCALARS = st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(st.text(max_size=5), deeper, max_size=3),
)
LEVELS = st.builds(nested, VALUES, st.integers(0, 40))
NAMES = st.text(max_size=12) | st.text("abc.*/\0\ud800", max_size=6)


def expected(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: expected(item) for key, item in value.items()}
    return [expected(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("emitted")
    with open_store(f"sqlite:///{folder}/events.db", reserve_bytes=0) as store:
        yield store


@pytest.mark.requirement("EVENT-11c")
@given(
    type=st.just("test.happened") | NAMES,
    arguments=st.dictionaries(st.text(max_size=5), LEVELS, max_size=3),
    free=st.booleans(),
    stream=st.just("alpha/node") | NAMES,
    correlation=st.none() | NAMES,
    time=st.integers(-1, 2**31 * 10**9) | st.just(5),
    version=st.integers(0, 3) | st.just(2**31),
)
def test_what_emit_takes_is_stored_and_read(
    store, *, type, arguments, free, stream, correlation, time, version
) -> None:
    payload = arguments
    if free:  # a known type with a free part, as protobuf
        type, version, names = "operator.command_issued", 1, ("command_id", "name", "target", "operator")
        payload = {**dict.fromkeys(names, "x"), "arguments": arguments}
    try:
        event = outgoing(
            type,
            payload,
            stream=stream,
            source="/alpha/node",
            time=time,
            correlation=correlation,
            causation=None,
            delivery="audit",
            schema_version=version,
        )
    except qiki_events.PayloadError:
        return
    sent = node_events._message(event_of(line_of(event)), 7)
    (position,) = store.append(event.stream, [to_event(sent)])
    (stored,) = store.read_all(Query(after=position - 1, limit=1))
    read = to_recorded(to_message(stored))
    assert (read.id, read.stream, read.type, read.time) == (event.id, stream, type, time or 7)
    assert read.correlation == (correlation or None)
    if type == "operator.command_issued" or qiki_events.REGISTRY.schema(type) is None:
        data = read.data["arguments"] if free else read.data
        assert json.loads(json.dumps(data)) == expected(arguments)


# Dead letters -------------------------------------------------------------------------------------------------------


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, ["dead-letters", *(str(argument) for argument in arguments)])


def emitted(number: int, payload: bytes, type: str = "test.happened") -> OutgoingEvent:
    return OutgoingEvent(UUID(int=number), "alpha/node", type, "/alpha/node", 5, payload, correlation="c")


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Two events of one node, of which the second can never be stored, and one line of another that is no event."""
    folder = tmp_path / "outbox"
    folder.mkdir()
    letters = DeadLetters(folder / "alpha.node.dead")
    letters.add([line_of(emitted(0xA1, b'{"n":1}'))], "refused by an older store")
    letters.add([line_of(emitted(0xB2, b'{"new":1}', "allocator.mode_changed"))], "mode: missing\33[2J")
    DeadLetters(folder / "bravo.node.dead").add([b"garbage"], "no event")
    return folder


@pytest.mark.requirement("EVENT-11d")
def test_they_are_listed_with_node_and_reason(spool: Path) -> None:
    result = run("list", "--spool", spool)
    assert result.exit_code == 0
    first, second, third = result.output.splitlines()
    for text in (UUID(int=0xA1).hex, "/alpha/node", "test.happened", "refused by an older store"):
        assert text in first
    assert r"mode: missing\u001b[2J" in second
    assert "/bravo/node" in third
    records = [json.loads(line) for line in run("list", "--spool", spool, "--json").output.splitlines()]
    assert [record["reason"] for record in records] == ["refused by an older store", "mode: missing\33[2J", "no event"]
    assert records[0]["record"]["stream"] == "alpha/node"


@pytest.mark.requirement("EVENT-11d")
def test_retry_stores_what_can_be_stored_as_it_was_and_keeps_the_rest(spool: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    open_store(url, reserve_bytes=0).close()
    result = run("retry", "--all", "--spool", spool, "--store", url)
    assert result.exit_code == 1, result.output
    assert "1 events stored" in result.output
    assert f"{UUID(int=0xB2).hex}: refused again: event 'allocator.mode_changed'" in result.output
    with open_store(f"{url}?mode=ro") as store:
        (stored,) = store.read_all()
    assert (stored.id, stored.time, stored.stream, stored.correlation) == (UUID(int=0xA1), 5, "alpha/node", "c")
    assert stored.data == {"n": 1}
    assert len(run("list", "--spool", spool).output.splitlines()) == 2
    assert run("retry", "--all", "--spool", spool, "--store", url).exit_code == 1


@pytest.mark.requirement("EVENT-11d")
def test_drop_takes_ids_or_their_beginnings(spool: Path) -> None:
    result = run("drop", str(UUID(int=0xA1)), UUID(int=0xB2).hex, "--spool", spool)
    assert (result.exit_code, result.output) == (0, "2 events dropped\n")
    assert len(run("list", "--spool", spool).output.splitlines()) == 1
    assert run("drop", "--all", "--spool", spool).output == "1 events dropped\n"
    assert run("list", "--spool", spool).stdout == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["drop"], "give the IDs of events, or --all"),
        (["drop", "--all", "a1"], "give the IDs of events, or --all"),
        (["drop", "ffff"], "'ffff': no dead letter has it"),
        (["drop", ""], "'': no dead letter has it"),
        (["retry", "-", "--store", "sqlite:////nowhere"], "'-': no dead letter has it"),
    ],
)
def test_a_wrong_id_changes_nothing(spool: Path, arguments: list[str], text: str) -> None:
    result = run(*arguments, "--spool", spool)
    assert result.exit_code == 2
    assert text in result.output
    assert len(run("list", "--spool", spool).output.splitlines()) == 3


def test_without_a_run_there_are_none_and_a_folder_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QIKI_RUN_DIR", str(tmp_path / "run"))
    listed = run("list")
    assert (listed.exit_code, listed.stdout) == (0, "")
    assert listed.stderr == f"no dead letters in {tmp_path}/run/outbox\n"
    assert run("drop", "--all").output == "0 events dropped\n"
    assert "no such folder" in run("list", "--spool", tmp_path / "x").output


# Bounds -------------------------------------------------------------------------------------------------------------

FAR = st.integers(-(2**80), 2**80) | st.sampled_from([2**63, 2**63 - 1, -(2**63), -(2**63) - 1, 2**64])


@given(name=st.sampled_from(("after", "before", "start", "end", "recorded_start", "recorded_end", "limit")), bound=FAR)
def test_a_bound_that_no_event_can_have_is_clamped(store_of_three, name: str, bound: int) -> None:
    if name == "limit":
        bound = abs(bound)
    events = store_of_three.read_all()
    value = {"after": "position", "before": "position", "start": "time", "end": "time"}.get(name, "recorded")
    kept = {
        "limit": lambda index, _: index < bound,
        "after": lambda _, number: number > bound,
        "start": lambda _, number: number >= bound,
        "recorded_start": lambda _, number: number >= bound,
    }.get(name, lambda _, number: number < bound)
    expected = [event.id for index, event in enumerate(events) if kept(index, getattr(event, value))]
    assert [event.id for event in store_of_three.read_all(Query(**{name: bound}))] == expected


@given(bound=FAR)
def test_a_moment_that_no_event_can_have_is_clamped(store_of_three, bound: int) -> None:
    for moment in (AtTime(bound), AtRecorded(bound), AtPosition(bound)):
        with suppress(EventStoreError):  # a position before the first, or after the last
            store_of_three.reconstruct(PROJECTIONS["commands"], "a/b", moment)


@pytest.fixture(scope="module")
def store_of_three(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("three")
    with open_store(f"sqlite:///{folder}/events.db", reserve_bytes=0) as store:
        store.append("a/b", [Event("test.happened", {}, time=time) for time in (1, 2, 3)])
        yield store
