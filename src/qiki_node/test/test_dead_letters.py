"""Dead letters: kept whole, bounded, shared with other programs, there again however the process ended."""

import fcntl
import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_node import dead_letters as module
from qiki_node.dead_letters import DeadLetters
from qiki_node.outbox import OutgoingEvent
from qiki_node.spool import Spool
from qiki_node.spool_record import line_of


def event(number: int, size: int = 2) -> OutgoingEvent:
    return OutgoingEvent(UUID(int=number + 1), "a/b", "test.happened", "/a/b", number, b'"' + b"x" * size + b'"')


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.b.dead"


def test_they_are_kept_with_reason_and_time_until_they_are_removed(path: Path) -> None:
    letters = DeadLetters(path)
    assert (letters.count(), letters.letters(), letters.remove(["x"])) == (0, [], 0)
    before = time.time_ns()
    for number in range(3):
        letters.add([line_of(event(number))], f"reason {number}")
    found = DeadLetters(path).letters()
    assert [letter.event for letter in found] == [event(number) for number in range(3)]
    assert [letter.reason for letter in found] == ["reason 0", "reason 1", "reason 2"]
    assert all(before <= letter.refused <= time.time_ns() for letter in found)
    other = DeadLetters(path)
    assert other.remove([found[1].key, "unknown"]) == 1
    assert letters.count() == 2, "another program's change is seen"
    letters.add([line_of(event(0))], "again")
    assert [(letter.event, letter.reason) for letter in letters.letters()] == [
        (event(2), "reason 2"),
        (event(0), "again"),
    ]
    other.remove([letter.key for letter in other.letters()])
    assert letters.count() == 0


def test_the_number_is_bounded_and_the_oldest_go(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 4000)
    letters = DeadLetters(path)
    dropped = sum(letters.add([line_of(event(number))], "r") for number in range(100))
    left = [letter.event for letter in letters.letters()]
    assert path.stat().st_size <= 4000
    assert dropped == 100 - len(left)
    assert left == [event(number) for number in range(dropped, 100)]
    assert letters.add([line_of(event(200, 9000))], "r") == len(left)
    assert [letter.event for letter in letters.letters()] == [event(200, 9000)], "the newest stays, whatever its size"


@given(cut=st.integers(0, 2000))
def test_the_end_of_a_process_costs_nothing_but_the_line_it_wrote(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("letters") / "a.b.dead"
    letters = DeadLetters(path)
    for number in range(3):
        letters.add([line_of(event(number))], "r")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - cut % len(whole)])
    left = sum(
        before == after for before, after in zip(whole.splitlines(), path.read_bytes().splitlines(), strict=False)
    )
    letters.add([line_of(event(9))], "r")
    assert [letter.event for letter in letters.letters()] == [*(event(number) for number in range(left)), event(9)]


def test_a_node_does_not_wait_for_another_program_that_holds_the_file(path: Path) -> None:
    letters = DeadLetters(path)
    letters.add([line_of(event(0))], "r")
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(OSError, match=r"a\.b\.dead is in use"):
            letters.add([line_of(event(1))], "r")
        assert [letter.event for letter in letters.letters()] == [event(0)], "it can be read"
    letters.add([line_of(event(1))], "r")
    assert letters.count() == 2


def test_a_file_that_was_replaced_while_it_was_opened_is_not_written_to(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters, real = DeadLetters(path), fcntl.flock
    letters.add([line_of(event(0))], "r")

    def replace_then_lock(file: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        DeadLetters(path).remove([event(0).id.hex])
        real(file, how)

    monkeypatch.setattr(fcntl, "flock", replace_then_lock)
    letters.add([line_of(event(1))], "r")
    assert [letter.event for letter in letters.letters()] == [event(1)]


POISON = {
    "correlation": [7, "\ud800", "a\0b", "x" * 300],
    "causation": [["x"]],
    "time": [1.5, -5, 5 * 10**19, "now"],
    "schema_version": [-1, "1", 2**40],
    "type": [5, "", "a\nb"],
    "stream": [5, "", "bad\nstream", "x" * 300],
    "source": [None],
    "payload": ["no base64", 5, None],
    "content_type": ["text/plain"],
    "delivery": ["often"],
    "id": ["x", 5, None],
    "extra": [1],
}
POISONED = [{name: value} for name, values in POISON.items() for value in values]


@pytest.mark.requirement("EVENT-11d")
def test_a_poisoned_spool_is_opened_and_its_bad_records_become_dead_letters(tmp_path: Path) -> None:
    path = tmp_path / "a.b.jsonl"
    good = [event(number) for number in range(2)]
    records = [{**json.loads(line_of(event(9 + number))), **bad} for number, bad in enumerate(POISONED)]
    garbage = [b"\0" * 100, b"[1]", b"null", b"{}", b"\xff\xfe", b'{"done": 5}', b'{"done": ["x"]}', b"[" * 100_000]
    lines = [json.dumps(record).encode() for record in records] + garbage
    path.write_bytes(line_of(good[0]) + b"\n".join(lines) + b"\n" + line_of(good[1]) + b'{"cut off')
    spool = Spool(path)
    assert spool.left() == good
    letters = spool.dead_letters.letters()
    spool.close()
    assert len(letters) == len({letter.key for letter in letters}) == len(lines)
    assert all(letter.reason for letter in letters)
    for letter, record in zip(letters, records, strict=False):
        assert letter.record == record
        with pytest.raises(ValueError, match=r"."):
            _ = letter.event
    again = Spool(path)
    assert again.left() == good
    assert again.dead_letters.count() == len(lines), "they went there once"
    again.close()


def test_bad_records_stay_where_the_dead_letters_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "a.b.jsonl"
    path.write_bytes(b"garbage\n" + line_of(event(0)))
    path.with_suffix(".dead").mkdir()
    spool = Spool(path)
    assert spool.left() == [event(0)]
    with pytest.raises(OSError, match=r"a\.b\.dead"):
        spool.refuse([event(0)], "r")
    assert spool.left() == [event(0)], "it is sent again after a restart"
    spool.done([event(0).id])
    spool.close()
    path.with_suffix(".dead").rmdir()
    again = Spool(path)
    assert (again.left(), again.dead_letters.count()) == ([], 1)
    again.close()


@pytest.mark.requirement("EVENT-11d")
def test_a_refused_event_survives_kill_9_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two files it is in both: then it is sent once more and refused once more, and counts once."""
    path = tmp_path / "a.b.jsonl"
    spool = Spool(path)
    spool.add(event(0))
    monkeypatch.setattr(Spool, "done", lambda *_: None)
    spool.refuse([event(0)], "first")
    os.close(spool._file)
    monkeypatch.undo()
    again = Spool(path)
    assert again.left() == [event(0)]
    again.refuse(again.left(), "second")
    (letter,) = again.dead_letters.letters()
    assert (letter.event, letter.reason, again.left()) == (event(0), "second", [])
    again.close()


@given(st.lists(st.tuples(st.sampled_from(["add", "add large", "remove", "count"]), st.integers(0, 4)), max_size=12))
def test_the_count_follows_every_change_and_reads_each_byte_once(steps: list[tuple[str, int]]) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_COUNTED_AT_ONCE", 500)  # a large letter is longer
        letters, other = DeadLetters(Path(folder, "a.dead")), DeadLetters(Path(folder, "a.dead"))
        for step, number in steps:
            if step == "remove":
                other.remove([event(number).id.hex, str(event(number).id)])
            elif step == "count":
                letters.count()
            else:
                other.add([line_of(event(number, 900 if "large" in step else 2))], "reason")
        for _ in range(20):
            letters.count()
        assert letters.count() == len(other.letters())
        read: list[int] = []
        pread = os.pread
        patch.setattr(module.os, "pread", lambda *args: read.append(len(data := pread(*args))) or data)
        letters.count()
        assert sum(read) <= 256, "only the end of what was counted, to know the file again"
