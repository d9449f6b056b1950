"""One bad callback, listener or reader costs only itself."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from qiki_eventstore import Event, Stats, StoreUnavailable, open_store
from qiki_eventstore.receipt import Receipt, callback_errors
from qiki_eventstore.ros import diagnosis, looking
from qiki_eventstore.sqlite.store import SqliteStore
from qiki_node.health import Level


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with open_store(f"sqlite:///{tmp_path}/a.db", reserve_bytes=0, checkpoint_bytes=1 << 16) as opened:
        assert isinstance(opened, SqliteStore)
        yield opened


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def failing(error: BaseException) -> Callable[[Receipt], None]:
    def callback(_receipt: Receipt) -> None:
        raise error

    return callback


ERRORS = (ZeroDivisionError(), SystemExit(3), asyncio.CancelledError(), KeyboardInterrupt(), GeneratorExit())


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_callback_that_raises_costs_nobody_else_anything(
    store: SqliteStore, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    before = callback_errors()
    called: list[Receipt] = []
    receipts: list[Receipt] = []
    # So that the writer's thread ends them.
    store.run(lambda _connection: receipts.extend(_submitted(store, error, called)))
    assert [receipt.result(30.0) for receipt in receipts] == [[1], [2], [3]]
    assert store.submit("a", [Event("x.y", {})]).result(30.0) == [4]
    assert called == receipts
    assert callback_errors() - before == 3 == store.stats().callback_errors - before
    assert "a callback of a receipt failed" in caplog.text


def _submitted(store: SqliteStore, error: BaseException, called: list[Receipt]) -> Iterator[Receipt]:
    for _ in range(3):
        receipt = store.submit("a", [Event("x.y", {})])
        receipt.add_done_callback(failing(error))
        receipt.add_done_callback(called.append)
        yield receipt


def test_a_callback_of_a_receipt_that_has_ended_raises_nothing(store: SqliteStore) -> None:
    receipt = store.submit("a", [Event("x.y", {})])
    assert receipt.result(30.0) == [1]
    receipt.add_done_callback(failing(ZeroDivisionError()))


def test_a_callback_that_closes_the_store_is_refused_and_leaves_it_whole(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    def submit(_connection: Any) -> Receipt:
        receipt = store.submit("a", [Event("x.y", {})])
        receipt.add_done_callback(lambda _: store.close())
        return receipt

    assert store.run(submit).result(30.0) == [1]
    assert store.append("a", [Event("x.y", {})]) == [2]
    assert "close: called by a callback of a receipt" in caplog.text
    store.close()
    assert not [one.name for one in threading.enumerate() if one.name == "eventstore-upkeep"]


def test_a_listener_of_commits_that_raises_ends_no_append(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_head: Any) -> None:
        raise RuntimeError("no memory")

    assert store._writer is not None
    monkeypatch.setattr(store._writer, "_committed", fail)
    assert store.append("a", [Event("x.y", {})]) == [1]
    assert store.submit("a", [Event("x.y", {})]).result(30.0) == [2]


@pytest.mark.requirement("EVENT-3a")
def test_a_reader_that_starves_the_checkpoint_is_reported(store: SqliteStore) -> None:
    store.append("a", [Event("x.y", {})])
    reader = apsw.Connection(str(store.path))
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM events").get == 1
    pad = {"pad": "x" * 1000}
    for _ in range(10):
        store.append("a", [Event("x.y", pad) for _ in range(50)])
        store._backend.upkeep()
    stats = store.stats()
    assert stats.log_bytes > 3 << 16
    assert "a reader has kept it" in stats.warning
    health = diagnosis.of_store(stats, 0, 0)
    assert (health.level, health.values["log_bytes"]) == (Level.WARN, stats.log_bytes)
    assert "MiB" in health.message
    reader.close()
    store._backend.upkeep()
    assert store.stats().warning == ""


UNCLOSED = {
    "store": "store.append('a', [Event('x.y', {})])",
    "subscription": "events = store.subscribe(); events.get(0.1)",
    "asyncio": """
async def main():
    shared = AsyncEventStore(store)
    events = await shared.subscribe()
    await events.get(0.1)
    await shared.append('a', [Event('x.y', {})])
    task = asyncio.create_task(events.get())
    await asyncio.sleep(0.05)
asyncio.run(main())
""",
    "states": """
async def main():
    states = AsyncStateStore(store)
    await states.set('a', {'n': 1}, NO_STREAM)
    changes = states.subscribe('a')
    await anext(aiter(changes))
asyncio.run(main())
""",
}


@pytest.mark.parametrize("case", list(UNCLOSED))
def test_what_is_not_closed_keeps_no_process_alive(tmp_path: Path, case: str) -> None:
    code = f"""
import asyncio
from qiki_eventstore import NO_STREAM, Event, open_store
from qiki_eventstore.aio import AsyncEventStore
from qiki_eventstore.state_store import AsyncStateStore
store = open_store("sqlite:///{tmp_path}/a.db", reserve_bytes=0)
{UNCLOSED[case]}
raise SystemExit(7)
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr


def test_counts_of_a_store_that_does_not_answer_are_outdated_and_hold_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "_PERIOD", 0.005)
    monkeypatch.setattr(looking, "_LATE", 0.05)
    frozen, found = threading.Event(), list[Stats]()
    frozen.set()
    with open_store(f"sqlite:///{tmp_path}/events.db") as store:
        counts = store.stats()

        def stats() -> Stats:
            assert frozen.wait(20)
            return counts

        monkeypatch.setattr(store, "stats", stats)
        look = looking.Looking(store, found.append)
        assert found == [counts] * len(found) != []
        assert look.problem == ""
        frozen.clear()
        wait_for(lambda: "has not answered for" in look.problem)
        health = diagnosis.of_store(found[-1], 0, 0, look.problem)
        assert (health.level, health.unready) == (Level.ERROR, look.problem)
        frozen.set()
        wait_for(lambda: not look.problem)
        frozen.clear()
        look.close()
        frozen.set()


def test_closing_ends_what_is_being_read(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/events.db", reserve_bytes=0)
    assert isinstance(store, SqliteStore)
    reading, ended = threading.Event(), list[Exception]()

    def read() -> None:
        endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(begun(x)) FROM n"
        try:
            with store._readers.connection() as connection:
                connection.create_scalar_function("begun", lambda _x: reading.set())
                connection.execute(endless)
        except StoreUnavailable as error:
            ended.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    reading.wait()
    store.close()
    thread.join()
    assert "closed" in str(ended[0])
