"""Export and import of JSON lines: nothing is lost, nothing bad gets in."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from qiki_events import JSON, PROTOBUF, REGISTRY
from qiki_events.projections import PROJECTIONS
from qiki_eventstore import ANY, Encoded, Event, EventStore, PayloadError, Query, StoreUnavailable, jsonl, open_store
from qiki_eventstore.cli import lines
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.transfer import Imported, Restorable, TransferError, as_new, export_events, import_events


def open_at(path: Path) -> EventStore:
    return open_store(f"sqlite:///{path}", reserve_bytes=0)


def fill(store: EventStore, count: int = 20) -> None:
    for number in range(count):
        stream = f"s/{number % 3}"
        message = Struct()
        message.update({"n": number})
        store.append(
            stream,
            [
                Event(
                    "a.json", {"number": number, "text": "ü€\u2028\n"}, time=number * 10, correlation=f"c{number % 2}"
                ),
                Event("a.protobuf", message, source="/node", causation="x"),
                Event("a.verbatim", Encoded(JSON, b'{ "spaced": 1.50, "spaced": 2 }'), schema_version=3),
            ],
        )


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """An export of 60 events."""
    with open_at(tmp_path / "a.db") as store:
        fill(store)
        export_events(store, tmp_path / "a.jsonl")
    return tmp_path / "a.jsonl"


# Without loss -------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-7a")
def test_restored_store_is_the_same(tmp_path: Path, exported: Path) -> None:
    with open_at(tmp_path / "b.db") as store:
        assert import_events(store, exported) == Imported(stored=60, known=0, verbatim=True)
        with open_at(tmp_path / "a.db") as original:
            *same, record = store.read_all()
            assert same == list(original.read_all())
            assert (record.stream, record.data["stored"], record.data["verbatim"]) == ("qiki/eventstore", 60, True)
            assert isinstance(original, Restorable)
            assert isinstance(store, Restorable)
            assert store.store_id == original.store_id
        assert store.verify().ok
        # It goes on where the other was, and can be verified after it was opened again.
        assert store.append("s/0", [Event("b", {})], expected_version=20) == [62]
    with open_at(tmp_path / "b.db") as store:
        found = store.verify()
        assert (found.ok, found.checked, found.signed) == (True, 62, 62), found.reason
        assert store.read("s/0", 21)[0].type == "b"


def test_export_says_what_it_wrote(tmp_path: Path) -> None:
    with open_at(tmp_path / "a.db") as store:
        fill(store)
        done = export_events(store, tmp_path / "a.jsonl", Query(types=("a.json",), limit=7))
        assert (done.events, done.head) == (7, 19)
        last = list(store.read_all(Query(before=20)))[-1]
        assert done.hash == last.hash
        with pytest.raises(FileExistsError, match=r"a\.jsonl"):
            export_events(store, tmp_path / "a.jsonl")
        with pytest.raises(ValueError, match="backwards"):
            export_events(store, tmp_path / "b.jsonl", Query(backwards=True))
    assert sorted(path.suffix for path in tmp_path.glob("*.jsonl*")) == [".jsonl"]


def test_empty_store_is_a_file_of_two_lines(tmp_path: Path) -> None:
    with open_at(tmp_path / "a.db") as store:
        export_events(store, tmp_path / "a.jsonl")
    assert len((tmp_path / "a.jsonl").read_bytes().splitlines()) == 2
    with open_at(tmp_path / "b.db") as store:
        assert import_events(store, tmp_path / "a.jsonl").stored == 0
        assert store.append("s", [Event("a", {})]) == [1]


def is_utf8(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
).filter(is_utf8)
payloads = st.one_of(
    st.dictionaries(st.text(), json_values, max_size=3).filter(is_utf8),
    st.builds(Encoded, st.just(PROTOBUF), st.binary(max_size=40)),
    json_values.map(lambda value: Encoded(JSON, json.dumps(value).encode())),
    json_values.map(lambda value: Encoded(JSON, json.dumps(value, indent=1).encode())),
)
names = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=10)
events = st.builds(
    Event,
    type=names,
    data=payloads,
    id=st.none() | st.uuids(),
    time=st.none() | st.integers(-(2**63), 2**63 - 1),
    source=names | st.just(""),
    correlation=st.none() | names,
    causation=st.none() | names,
    schema_version=st.integers(1, 9),
)


@pytest.mark.requirement("EVENT-7a")
@given(
    st.lists(st.tuples(names, st.lists(events, max_size=3, unique_by=lambda event: event.id or uuid4())), max_size=5)
)
def test_export_import_export_gives_identical_bytes(
    tmp_path_factory: pytest.TempPathFactory, appends: list[tuple[str, list[Event]]]
) -> None:
    folder = tmp_path_factory.mktemp("transfer")
    with open_at(folder / "a.db") as store:
        for stream, some in appends:
            try:
                store.append(stream, some)
            except PayloadError:
                continue  # an id that another append had
        export_events(store, folder / "a.jsonl")
    with open_at(folder / "b.db") as store:
        import_events(store, folder / "a.jsonl")
        export_events(store, folder / "b.jsonl")
        assert store.verify().ok
    _, *lines, _ = (folder / "a.jsonl").read_bytes().splitlines()
    assert (folder / "b.jsonl").read_bytes().splitlines()[1 : len(lines) + 1] == lines


@given(
    st.builds(
        RecordedEvent,
        position=st.integers(1, 2**63 - 1),
        stream=names,
        version=st.integers(0, 2**63 - 1),
        id=st.uuids(),
        type=names,
        source=names,
        time=st.integers(-(2**63), 2**63 - 1),
        recorded=st.integers(0, 2**63 - 1),
        correlation=st.none() | names,
        causation=st.none() | names,
        schema_version=st.integers(1, 9),
        content_type=st.sampled_from([JSON, PROTOBUF]),
        payload=st.binary(max_size=60)
        | json_values.map(lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
        | st.sampled_from([b"NaN", b"1e999", b"-0", b'{"a":1,"a":2}', b"[" * 600 + b"]" * 600, b'"\\ud800"']),
        hash=st.binary(min_size=32, max_size=32) | st.just(b""),
    )
)
def test_a_line_gives_the_event_back(event: RecordedEvent) -> None:
    line = jsonl.encode(event)
    assert line.count(b"\n") == 1
    assert jsonl.decode(json.loads(line)) == event


# Into a store that has events ---------------------------------------------------------------------------------------


def test_import_appends_and_can_be_repeated(tmp_path: Path, exported: Path, store: EventStore) -> None:
    (own,) = store.append("s/0", [Event("own", {})])
    assert import_events(store, exported) == Imported(stored=60, known=0, verbatim=False)
    assert import_events(store, exported) == Imported(stored=0, known=60, verbatim=False)
    *_, record = store.read_all()
    assert (record.position, record.type, record.data["stored"]) == (62, "eventstore.imported", 60)
    assert store.version("s/0") == 21
    with open_at(tmp_path / "a.db") as original:
        for old, new in zip(original.read_all(), store.read_all(Query(after=own, before=62)), strict=True):
            kept = ("stream", "id", "type", "source", "time", "correlation", "causation", "schema_version")
            assert [getattr(new, name) for name in kept] == [getattr(old, name) for name in kept]
            assert (new.content_type, new.payload) == (old.content_type, old.payload)
    assert store.verify().ok


def test_import_that_was_interrupted_is_finished_by_repeating(
    tmp_path: Path, exported: Path, store: EventStore
) -> None:
    with open_at(tmp_path / "a.db") as original:
        first = next(original.read_all())
    store.append(first.stream, [as_new(first)])
    assert import_events(store, exported) == Imported(stored=59, known=1, verbatim=False)


def test_id_that_is_stored_with_other_content_is_refused_by_line(exported: Path, store: EventStore) -> None:
    id = UUID(json.loads(exported.read_bytes().splitlines()[40])["id"])
    store.append("s/0", [Event("own", {})])
    stream = json.loads(exported.read_bytes().splitlines()[40])["stream"]
    store.append(stream, [Event("a.json", {"number": "another"}, id=id)])
    with pytest.raises(TransferError, match=f"line 41: field id: {id}: is stored with other content"):
        import_events(store, exported)
    assert store.head() == 2


def test_changed_line_of_a_part_is_named(tmp_path: Path) -> None:
    with open_at(tmp_path / "a.db") as original:
        fill(original)
        export_events(original, tmp_path / "part.jsonl", Query(types=("a.json",)))
    lines = (tmp_path / "part.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "part.jsonl").write_bytes(b"".join(change(7, source="/forged")(lines)))
    with open_at(tmp_path / "b.db") as store, pytest.raises(TransferError, match="line 8: field sums"):
        import_events(store, tmp_path / "part.jsonl")


def test_what_another_engine_exports_is_appended_even_to_an_empty_store(tmp_path: Path, store: EventStore) -> None:
    fill(store)
    done = export_events(store, tmp_path / "part.jsonl", Query(after=3))
    with open_at(tmp_path / "other.db") as other:
        assert import_events(other, tmp_path / "part.jsonl") == Imported(done.events, 0, verbatim=False)
        for old, new in zip(store.read_all(Query(after=3)), other.read_all(Query(before=58)), strict=True):
            assert (new.stream, new.id, new.time, new.payload) == (old.stream, old.id, old.time, old.payload)
        assert other.verify().ok


@pytest.mark.requirement("EVENT-7a")
def test_whole_export_of_any_engine_can_be_imported_anywhere(
    tmp_path: Path, store: EventStore, make_store: Callable[[str], EventStore]
) -> None:
    fill(store)
    assert export_events(store, tmp_path / "all.jsonl").events == 60
    ids = [event.id for event in store.read_all()]
    with open_at(tmp_path / "other.db") as other:
        assert import_events(other, tmp_path / "all.jsonl").stored == 60
        assert [event.id for event in other.read_all(Query(before=61))] == ids
        assert other.verify().ok
    again = make_store("again")
    assert import_events(again, tmp_path / "all.jsonl").stored == 60
    assert [event.id for event in again.read_all(Query(before=61))] == ids


def test_restore_refuses_a_store_that_is_not_empty(tmp_path: Path) -> None:
    with open_at(tmp_path / "a.db") as store:
        fill(store, 2)
        assert isinstance(store, Restorable)
        id = store.store_id
        with pytest.raises(StoreUnavailable, match="not empty"):
            store.restore(list(store.read_all()), str(uuid4()), "")
        assert store.store_id == id
        assert store.append("t", [Event("a", {})], ANY) == [7]
    with open_at(tmp_path / "a.db") as store:
        assert store.verify().ok


# Bad files ----------------------------------------------------------------------------------------------------------


def change(number: int, **fields: Any) -> Callable[[list[bytes]], list[bytes]]:
    """Change fields of a line, 0 the header, -1 the trailer; `...` removes one."""

    def apply(lines: list[bytes]) -> list[bytes]:
        value = {**json.loads(lines[number]), **fields}
        lines[number] = jsonl.dumps({key: item for key, item in value.items() if item is not ...})
        return lines

    return apply


def put(number: int, name: bytes, value: bytes) -> Callable[[list[bytes]], list[bytes]]:
    """Put text as it is in place of a field of one line."""

    def damage(lines: list[bytes]) -> list[bytes]:
        marked = change(number, **{name.decode(): "@"})(lines)
        return [line.replace(b'"@"', value) for line in marked]

    return damage


BAD = {
    "other file": (change(0, format="csv"), "line 1: field format: 'csv'"),
    "newer file": (change(0, version=2), "line 1: field version: 2: allowed: 1"),
    "header without head": (change(0, head=...), "line 1: field head"),
    "no JSON": (lambda lines: [*lines[:5], b"{\n", *lines[6:]], "line 6: not JSON"),
    "no object": (lambda lines: [*lines[:5], b"[]\n", *lines[6:]], "line 6: not an object"),
    "no UTF-8": (lambda lines: [*lines[:5], b'{"a":"\xff"}\n', *lines[6:]], "line 6: not JSON"),
    "unknown field": (change(3, colour="red"), "line 4: field colour: unknown"),
    "missing field": (change(3, stream=...), "line 4: field stream: missing"),
    "no position": (change(3, position=True), "line 4: field position: True: allowed: an integer"),
    "negative version": (change(3, version=-1), "line 4: field version: -1: allowed: an integer from 0"),
    "too large": (change(3, time=2**63), "line 4: field time: 9223372036854775808"),
    "no UUID": (change(3, id="7"), "line 4: field id: '7'"),
    "no text": (change(3, correlation=5), "line 4: field correlation: 5: allowed: a text"),
    "half a character": (put(3, b"stream", rb'"\ud800"'), "line 4: field stream: '\\ud800'"),
    "no number": (put(1, b"data", b"NaN"), "line 2: field data: not JSON"),
    "half a character in the payload": (put(1, b"data", rb'"\ud800"'), "line 2: field data: not JSON"),
    "empty type": (change(3, type=""), "line 4: field type: ''"),
    "content type": (change(3, content_type="text/plain"), "line 4: field content_type: 'text/plain'"),
    "short hash": (change(3, hash="00"), "line 4: field hash: '00'"),
    "no payload": (change(3, data=..., data_base64=...), "line 4: field data: one of"),
    "two payloads": (change(3, data={}, data_base64="AA=="), "line 4: field data: one of"),
    "no base64": (change(2, data_base64="%"), "line 3: field data_base64: not base64"),
    "changed payload": (change(1, data={"number": 1}), "line 2: field hash"),
    "changed time": (change(4, time=5), "line 5: field hash"),
    "missing line": (lambda lines: [*lines[:5], *lines[6:]], "line 6: field position: 6: allowed in a complete"),
    "repeated line": (lambda lines: [*lines[:5], *lines[4:]], "line 6: field position: 4: allowed: more than 4"),
    "swapped lines": (lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]], "line 6: field position"),
    "cut off": (lambda lines: lines[:30], "line 30: no trailer follows: the file was cut off"),
    "cut off in a line": (lambda lines: [*lines[:29], lines[29][:20]], "line 30: not JSON"),
    "empty": (lambda _lines: [], "is empty"),
    "lost end": (lambda lines: [*lines[:-5], lines[-1]], "field events: 60, but the lines before give 56"),
    "wrong count": (change(-1, events=61), "field events: 61"),
    "wrong digest": (change(-1, sha256="0" * 64), "field sha256"),
    "something behind": (lambda lines: [*lines, lines[-2]], "line 63: field end: a line follows the trailer"),
}


@pytest.mark.requirement("EVENT-7a")
@pytest.mark.parametrize("case", list(BAD))
@pytest.mark.parametrize("empty", [True, False])
def test_bad_file_is_refused_by_line_and_field_and_nothing_of_it_is_stored(
    tmp_path: Path, exported: Path, case: str, empty: bool
) -> None:
    damage, text = BAD[case]
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(b"".join(damage(exported.read_bytes().splitlines(keepends=True))))
    with open_at(tmp_path / "b.db") as store:
        if not empty:
            store.append("own", [Event("own", {})])
        with pytest.raises(TransferError) as caught:
            import_events(store, bad)
        assert text in str(caught.value)
        assert str(bad) in str(caught.value)
        assert store.head() == (0 if empty else 1)


def test_part_with_two_events_of_one_id_is_refused(tmp_path: Path) -> None:
    with open_at(tmp_path / "a.db") as store:
        fill(store, 2)
        export_events(store, tmp_path / "part.jsonl", Query(after=1))
    lines = (tmp_path / "part.jsonl").read_bytes().splitlines(keepends=True)
    lines = change(2, id=json.loads(lines[1])["id"])(lines)
    (tmp_path / "part.jsonl").write_bytes(b"".join(lines))
    with open_at(tmp_path / "b.db") as store, pytest.raises(TransferError, match=r"line 3: field id: .*another line"):
        import_events(store, tmp_path / "part.jsonl")


def test_id_in_another_stream_is_an_error_that_names_it(tmp_path: Path, exported: Path) -> None:
    id = UUID(json.loads(exported.read_bytes().splitlines()[1])["id"])
    with open_at(tmp_path / "b.db") as store:
        store.append("elsewhere", [Event("own", {}, id=id)])
        with pytest.raises(TransferError, match=f"line 2: id {id} is stored already at position 1"):
            import_events(store, exported)
        assert store.head() == 1


texts_of_json = json_values.map(lambda value: json.dumps(value).encode()) | st.sampled_from(
    [b'{"a":1e999}', b'{"a":"\\ud800"}', b"[" * 900 + b"]" * 900, b'{"a":1,"a":2}', b"NaN", b""]
)
commands = st.fixed_dictionaries({"command_id": st.text(), "arguments": st.dictionaries(st.text(), json_values)})
types = st.sampled_from(["energy.sampled", "launch.node_died", "test.any"])
odd = st.one_of(
    st.tuples(st.just("test.any"), payloads),
    st.tuples(st.just("allocator.mode_changed"), st.builds(Encoded, st.just(PROTOBUF), st.binary(max_size=12))),
    st.tuples(st.just("operator.command_issued"), commands),
    st.tuples(types, st.builds(Encoded, st.just(JSON), texts_of_json)),
)


@pytest.mark.requirement("EVENT-6a")
@given(st.lists(st.tuples(odd, st.integers(1, 3)), max_size=6))
def test_what_can_be_stored_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, offered: list[tuple[tuple[str, Any], int]]
) -> None:
    """By every reader: as mapping or as bytes, as a line, as a state, exported and imported."""
    folder = tmp_path_factory.mktemp("odd")
    with open_at(folder / "a.db") as store:
        for (type, data), version in offered:
            try:
                store.append("alpha/x", [Event(type, data, schema_version=version)])
            except PayloadError:
                continue
        export_events(store, folder / "a.jsonl")
        stored = list(store.read_all())
        for event in stored:
            known = REGISTRY.schema(event.type) is not None
            if not known or event.schema_version == 1:
                assert isinstance(event.data, Mapping)
            lines.line(event).encode()
            assert json.loads(lines.as_json(event))["position"] == event.position
        for rebuilt in store.rebuild(list(PROJECTIONS.values()), "*"):
            assert rebuilt.skipped <= len(stored)
        assert store.verify().ok
    with open_at(folder / "b.db") as store:
        import_events(store, folder / "a.jsonl")
        assert list(store.read_all())[: len(stored)] == stored
