"""The asyncio facade, over every engine: equal answers, a loop that goes on, nothing lost by cancelling."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from qiki_eventstore import (
    ANY,
    AtVersion,
    Delivery,
    Event,
    EventStore,
    Query,
    StoreUnavailable,
    VersionConflict,
)
from qiki_eventstore.aio import AsyncEventStore

ALLOCATOR = "alpha/allocator"


def event(number: int = 0, **fields: Any) -> Event:
    return Event("test.began", {"number": number}, **fields)


class Sum:
    name = "sum"
    version = 1

    def initial(self) -> int:
        return 0

    def apply(self, state: int, _event: Any, data: Any) -> int:
        return state + int(data["number"])

    def dump(self, state: int) -> dict[str, int]:
        return {"sum": state}

    def load(self, data: Any) -> int:
        return int(data["sum"])


@pytest.mark.requirement("EVENT-2f")
def test_the_same_calls(store: EventStore) -> None:
    async def run() -> None:
        async with AsyncEventStore(store) as events:
            assert len(await events.append(ALLOCATOR, [event(1), event(2)])) == 2
            with pytest.raises(VersionConflict):
                await events.append(ALLOCATOR, [event()], 7)
            assert len(await events.append("operator", [event()], delivery=Delivery.TELEMETRY)) == 1
            assert [found.version for found in await events.read(ALLOCATOR, 1)] == [1]
            assert [found.stream async for found in events.read_all(Query(backwards=True, limit=1))] == ["operator"]
            assert await events.version(ALLOCATOR) == 1
            assert await events.streams("alpha/*") == [ALLOCATOR]
            assert await events.head() == store.head()
            assert await events.reconstruct(Sum(), ALLOCATOR, AtVersion(0)) == 1
            await events.snapshot(Sum(), ALLOCATOR)
            assert await events.reconstruct(Sum(), ALLOCATOR) == 3
            assert (await events.verify()).ok
            assert (await events.stats()).events == 3
        with pytest.raises(StoreUnavailable):
            store.append(ALLOCATOR, [event()])

    asyncio.run(run())


def test_appends_keep_the_order_of_their_calls(store: EventStore) -> None:
    async def run() -> None:
        async with AsyncEventStore(store) as events:
            calls = [events.append(ALLOCATOR, [event(number)], number - 1) for number in range(100)]
            assert await asyncio.gather(*calls) == [[found.position] for found in store.read(ALLOCATOR)]
            assert [found.version async for found in events.read_all()] == list(range(100))

    asyncio.run(run())


def test_following(store: EventStore) -> None:
    async def run() -> None:
        async with AsyncEventStore(store) as events:
            async with await events.subscribe(name="ledger") as follower:
                assert await follower.get(0.01) is None
                await events.append(ALLOCATOR, [event(number) for number in range(600)])
                found = []
                async for one in follower:
                    found.append(one.version)
                    if one.version == 400:
                        await follower.checkpoint(one)
                    if one.version == 599:
                        break
                assert found == list(range(600))
            async with await events.subscribe(name="ledger") as follower:
                first = await follower.get(10)
                assert first is not None
                assert first.version == 401

    asyncio.run(run())


@pytest.mark.requirement("EVENT-2f")
def test_cancelling_a_follower_loses_no_event(store: EventStore) -> None:
    async def run() -> None:
        async with AsyncEventStore(store) as events:
            follower = await events.subscribe()
            for number in range(20):
                waiting = asyncio.create_task(follower.get())
                await asyncio.sleep(0)
                append = asyncio.create_task(events.append(ALLOCATOR, [event(number)]))
                await asyncio.sleep(0.001 * (number % 3))
                waiting.cancel()
                await append
                result = (await asyncio.gather(waiting, return_exceptions=True))[0]
                found = await follower.get(10) if isinstance(result, asyncio.CancelledError) else result
                assert found is not None
                assert not isinstance(found, BaseException)
                assert found.version == number
            await follower.close()
            assert await follower.get() is None

    asyncio.run(run())


@pytest.mark.requirement("EVENT-2f")
def test_a_cancelled_append_can_be_repeated(store: EventStore) -> None:
    async def run() -> None:
        async with AsyncEventStore(store) as events:
            for number in range(20):
                call = [event(number, id=uuid4())]
                append = asyncio.create_task(events.append(ALLOCATOR, call, ANY))
                await asyncio.sleep(0.0003 * (number % 4))
                append.cancel()
                await asyncio.gather(append, return_exceptions=True)
                (position,) = await events.append(ALLOCATOR, call, ANY)
                assert (await events.read(ALLOCATOR, number))[0].position == position
            assert await events.version(ALLOCATOR) == 19

    asyncio.run(run())


def test_closing_ends_followers(make_store: Callable[..., EventStore]) -> None:
    async def run() -> None:
        events = AsyncEventStore(make_store("closing"))
        follower = await events.subscribe()
        waiting = asyncio.create_task(follower.get())
        await asyncio.sleep(0.05)
        await events.close()
        assert await waiting is None

    asyncio.run(run())


@pytest.mark.requirement("EVENT-2f")
def test_the_loop_goes_on_while_the_queue_is_full(tmp_path: Path) -> None:
    from threading import Event as Flag

    from qiki_eventstore.sqlite.store import SqliteStore

    busy, go_on = Flag(), Flag()

    def hold(_connection: Any) -> None:
        busy.set()
        assert go_on.wait(30)

    async def run() -> None:
        store = SqliteStore.open(f"sqlite:///{tmp_path}/events.db", max_events=1, patience=30, reserve_bytes=0)
        async with AsyncEventStore(store) as events:
            holding = asyncio.create_task(asyncio.to_thread(store.run, hold))
            await asyncio.to_thread(busy.wait, 10)
            appends = [asyncio.create_task(events.append(ALLOCATOR, [event(number)])) for number in range(5)]
            turns = 0
            for _ in range(20):
                await asyncio.sleep(0.002)
                turns += 1
            assert not any(append.done() for append in appends)
            assert await events.append(ALLOCATOR, [event()], delivery=Delivery.TELEMETRY) == []
            assert turns == 20
            go_on.set()
            await holding
            assert await asyncio.gather(*appends) == [[1], [2], [3], [4], [5]]

    asyncio.run(run())


def test_backup(tmp_path: Path) -> None:
    from qiki_eventstore import open_store

    async def run() -> None:
        async with AsyncEventStore(open_store(f"sqlite:///{tmp_path}/events.db", reserve_bytes=0)) as events:
            await events.append(ALLOCATOR, [event()])
            await events.backup(tmp_path / "copy.db")
        assert (tmp_path / "copy.db").exists()

    asyncio.run(run())


def test_one_thread_reads_for_many_followers(tmp_path: Path) -> None:
    """Slow and fast ones, with and without a choice of events; nothing is left out and nothing comes twice."""
    from qiki_eventstore import open_store

    count, most = 2000, 0

    def expected(number: int) -> list[int]:
        positions = range((100 if number % 3 else 0) + 1, count + 1)
        return [position for position in positions if number % 5 or (position - 1) % 4 == 1]

    async def listen(events: AsyncEventStore, number: int) -> list[int]:
        nonlocal most
        streams, wanted = () if number % 5 else ("bot/1",), len(expected(number))
        found: list[int] = []
        async with await events.subscribe(100 if number % 3 else 0, streams=streams) as follower:
            while len(found) < wanted:
                one = await follower.get(30)
                assert one is not None
                found.append(one.position)
                if number % 7 == 0 and len(found) % 100 == 0:
                    await asyncio.sleep(0.005)
                most = max(most, threading.active_count())
            assert await follower.get(0.01) is None
        return found

    async def run() -> None:
        before = threading.active_count()
        async with AsyncEventStore(open_store(f"sqlite:///{tmp_path}/events.db", reserve_bytes=0)) as events:
            listening = [asyncio.create_task(listen(events, number)) for number in range(50)]
            for number in range(0, count, 10):
                for i in range(number, number + 10):
                    events.store.submit(f"bot/{i % 4}", [event(i)])
                await asyncio.sleep(0.001)
            assert await asyncio.gather(*listening) == [expected(number) for number in range(50)]
        assert most <= before + 20  # those of the store, of its asynchronous calls, and of asyncio

    asyncio.run(run())


def test_a_subscription_that_is_not_closed_keeps_no_process_alive(tmp_path: Path) -> None:
    code = f"""
import asyncio
from qiki_eventstore import open_store
from qiki_eventstore.aio import AsyncEventStore

async def run():
    events = AsyncEventStore(open_store("sqlite:///{tmp_path}/events.db"))
    follower = await events.subscribe()
    assert await follower.get(0.05) is None

asyncio.run(run())
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
