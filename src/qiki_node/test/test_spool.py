"""The spool: unacknowledged events are there again, however the process ended."""

from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_node import spool as module
from qiki_node.outbox import Delivery, OutgoingEvent
from qiki_node.spool import Spool


def event(number: int, payload: bytes = b"{}") -> OutgoingEvent:
    return OutgoingEvent(UUID(int=number + 1), "a/b", "test.happened", "/a/b", number, payload, correlation="ü")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "a.b.jsonl"


def test_what_is_open_comes_back_in_order_and_whole(path: Path) -> None:
    spool = Spool(path)
    events = [event(i, bytes(range(i, i + 5))) for i in range(5)]
    for each in events:
        spool.add(each)
    spool.done([events[1].id, events[3].id])
    spool.close()
    again = Spool(path)
    assert again.left() == [events[0], events[2], events[4]]
    again.done([each.id for each in again.left()])
    assert path.stat().st_size == 0
    again.close()


def test_a_line_cut_off_by_a_crash_is_left_out(path: Path) -> None:
    spool = Spool(path)
    spool.add(event(0))
    spool.add(event(1))
    spool.close()
    whole = path.read_bytes()
    for end in range(len(whole) // 2 + 1, len(whole) - 1):
        path.write_bytes(whole[:end])
        again = Spool(path)
        assert again.left() == [event(0)]
        again.add(event(2))
        again.close()
        last = Spool(path)
        assert last.left() == [event(0), event(2)]
        last.close()


def test_two_processes_do_not_share_it(path: Path) -> None:
    spool = Spool(path)
    with pytest.raises(OSError, match=r"a\.b\.jsonl is in use"):
        Spool(path)
    spool.close()
    Spool(path).close()


def test_it_does_not_grow_with_what_is_done(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REWRITE_AT", 4096)
    spool = Spool(path)
    spool.add(event(0))
    for number in range(1, 500):
        spool.add(event(number))
        spool.done([event(number).id])
        assert path.stat().st_size < 6000
    with pytest.raises(OSError, match="in use"):
        Spool(path)
    spool.close()
    again = Spool(path)
    assert again.left() == [event(0)]
    again.close()


@pytest.mark.requirement("EVENT-11a")
@given(steps=st.lists(st.tuples(st.sampled_from(("add", "done", "restart")), st.integers(0, 9)), max_size=40))
def test_it_holds_what_was_added_and_is_not_done(tmp_path_factory: pytest.TempPathFactory, steps) -> None:
    path = tmp_path_factory.mktemp("spool") / "x.jsonl"
    spool, expected = Spool(path), {}
    for count, (step, number) in enumerate(steps):
        if step == "add":
            new = event(count)
            spool.add(new)
            expected[new.id] = new
        elif step == "done":
            ids = list(expected)[number : number + 2]
            spool.done(ids)
            for id in ids:
                del expected[id]
        else:
            spool.close()
            spool = Spool(path)
        assert spool.left() == list(expected.values())
    spool.close()


def test_delivery_is_kept_and_that_there_is_no_time_yet(path: Path) -> None:
    spool = Spool(path)
    telemetry = OutgoingEvent(UUID(int=1), "a", "b.c", "", None, b"", delivery=Delivery.TELEMETRY)
    spool.add(telemetry)
    assert spool.left() == [telemetry]
    spool.close()
