"""Versioned states over an event store."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qiki_eventstore import NO_STREAM, EventStore, PayloadError, StoreUnavailable, VersionConflict, open_store
from qiki_eventstore.state_store import AsyncStateStore, StateChange, StateMetrics

PATIENCE = 30.0
"""s that a test waits for what must come; it does not depend on how fast it comes."""


async def next_of(changes: AsyncIterator[StateChange]) -> StateChange:
    async with asyncio.timeout(PATIENCE):
        return await anext(changes)


# Reading and setting --------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-8")
def test_a_state_is_read_as_it_was_set(store: EventStore) -> None:
    async def scenario() -> None:
        async with AsyncStateStore(store) as states:
            assert await states.get("alpha") is None
            assert await states.get_with_meta("alpha") is None
            assert await states.history("alpha") == []
            assert await states.set("alpha", {"mode": "IDLE", "limits": [1, None]}, NO_STREAM, time=7, source="/a") == 0
            assert await states.get("alpha") == {"mode": "IDLE", "limits": [1, None]}
            stored = await states.get_with_meta("alpha")
            assert stored is not None
            assert (stored.version, stored.time, stored.source) == (0, 7, "/a")
            assert stored.position == store.head()
            assert await states.get("bravo") is None

    asyncio.run(scenario())


def test_versions_follow_each_other_and_are_all_kept(store: EventStore) -> None:
    async def scenario() -> None:
        async with AsyncStateStore(store) as states:
            version = NO_STREAM
            for number in range(5):
                version = await states.set("alpha", {"n": number}, version)
                assert version == number
            assert [(one.version, one.state["n"]) for one in await states.history("alpha")] == [
                (n, n) for n in range(5)
            ]
            assert [one.version for one in await states.history("alpha", 1, 3)] == [1, 2]

    asyncio.run(scenario())


@pytest.mark.requirement("EVENT-8")
@pytest.mark.parametrize("stale", [NO_STREAM, 0, 2, 7])
def test_a_stale_version_is_refused_and_changes_nothing(store: EventStore, stale: int) -> None:
    async def scenario() -> None:
        async with AsyncStateStore(store) as states:
            await states.set("alpha", {"n": 0}, NO_STREAM)
            await states.set("alpha", {"n": 1}, 0)
            with pytest.raises(VersionConflict) as refused:
                await states.set("alpha", {"n": 99}, stale)
            assert (refused.value.expected, refused.value.actual) == (stale, 1)
            assert [one.state["n"] for one in await states.history("alpha")] == [0, 1]
            assert states.metrics.conflicts == 1

    asyncio.run(scenario())


def test_of_many_who_set_the_same_version_one_wins_and_the_others_know(store: EventStore) -> None:
    async def scenario() -> None:
        async with AsyncStateStore(store) as states:
            await states.initialize_if_empty("counter", {"n": 0})

            async def add_one() -> None:
                while True:
                    stored = await states.get_with_meta("counter")
                    assert stored is not None
                    try:
                        await states.set("counter", {"n": stored.state["n"] + 1}, stored.version)
                        return
                    except VersionConflict:
                        continue

            await asyncio.gather(*(add_one() for _ in range(20)))
            stored = await states.get_with_meta("counter")
            assert stored is not None
            assert (stored.state, stored.version) == ({"n": 20}, 20)

    asyncio.run(scenario())


@pytest.mark.requirement("EVENT-8a")
def test_only_the_first_initializes(store: EventStore) -> None:
    async def scenario() -> None:
        async with AsyncStateStore(store) as states:
            first = await asyncio.gather(*(states.initialize_if_empty("alpha", {"by": n}) for n in range(8)))
            assert sum(first) == 1
            assert await states.get("alpha") == {"by": first.index(True)}
            assert not await states.initialize_if_empty("alpha", {"by": 99})
            assert len(await states.history("alpha")) == 1

    asyncio.run(scenario())


@pytest.mark.requirement("EVENT-8")
@pytest.mark.parametrize("version", [-2, -3, None, 0.0, "0", True])
def test_any_is_no_expected_version(store: EventStore, version: Any) -> None:
    async def scenario() -> None:
        async with AsyncStateStore(store) as states:
            with pytest.raises(ValueError, match="expected_version: "):
                await states.set("alpha", {}, version)
            assert await states.get("alpha") is None

    asyncio.run(scenario())


def test_what_cannot_be_stored_is_refused_by_name(store: EventStore) -> None:
    async def scenario() -> None:
        async with AsyncStateStore(store) as states:
            for id in ("", "alpha*", 5):
                with pytest.raises(ValueError, match="id: "):
                    await states.get(id)  # type: ignore[arg-type]
            with pytest.raises(PayloadError, match="JSON"):
                await states.set("alpha", {"x": float("nan")}, NO_STREAM)
            assert await states.get("alpha") is None
            assert states.metrics.errors == 1

    asyncio.run(scenario())


@pytest.mark.requirement("EVENT-8")
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from("ab"), st.integers(-1, 4)), max_size=20))
def test_a_version_is_stored_exactly_if_it_was_the_one_expected(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    async def scenario() -> None:
        model: dict[str, list[int]] = {"a": [], "b": []}
        url = f"sqlite:///{tmp_path_factory.mktemp('model')}/states.db"
        async with AsyncStateStore.open(url, reserve_bytes=0) as states:
            for number, (id, expected) in enumerate(steps):
                try:
                    assert await states.set(id, {"n": number}, expected) == len(model[id])
                    assert expected == len(model[id]) - 1
                    model[id].append(number)
                except VersionConflict:
                    assert expected != len(model[id]) - 1
            for id, numbers in model.items():
                assert [one.state["n"] for one in await states.history(id)] == numbers

    asyncio.run(scenario())


# Subscribing ----------------------------------------------------------------------------------------------------------


def test_a_subscriber_gets_the_state_now_and_each_that_follows(store: EventStore) -> None:
    async def scenario() -> None:
        async with AsyncStateStore(store) as states:
            await states.set("alpha", {"n": 0}, NO_STREAM)
            changes = states.subscribe("alpha")
            first = await next_of(changes)
            assert (first.current.state, first.current.version, first.missed) == ({"n": 0}, 0, 0)
            for number in range(1, 4):
                await states.set("bravo", {"n": -1}, number - 2)
                await states.set("alpha", {"n": number}, number - 1)
                change = await next_of(changes)
                assert (change.current.state, change.current.version, change.missed) == ({"n": number}, number, 0)
            await changes.aclose()
            assert states.metrics.subscribers == 0

    asyncio.run(scenario())


def test_a_subscriber_of_nothing_waits_for_the_first_state(store: EventStore) -> None:
    async def scenario() -> None:
        async with AsyncStateStore(store) as states:
            changes = states.subscribe("alpha")
            waiting = asyncio.create_task(next_of(changes))
            done, _ = await asyncio.wait([waiting], timeout=0.1)
            assert not done
            await states.set("alpha", {"n": 0}, NO_STREAM)
            assert (await waiting).current.state == {"n": 0}
            await changes.aclose()

    asyncio.run(scenario())


@pytest.mark.requirement("EVENT-8a")
def test_a_slow_subscriber_gets_the_newest_and_learns_how_many_it_missed(store: EventStore) -> None:
    async def scenario() -> None:
        async with AsyncStateStore(store) as states:
            slow, quick = states.subscribe("alpha"), states.subscribe("alpha")
            await states.set("alpha", {"n": 0}, NO_STREAM)
            assert (await next_of(slow)).current.version == 0
            assert (await next_of(quick)).current.version == 0
            for number in range(1, 51):
                await states.set("alpha", {"n": number}, number - 1)
            while (change := await next_of(quick)).current.version < 50:
                pass
            late = await next_of(slow)
            assert (late.current.state, late.missed) == ({"n": 50}, 49)
            await states.set("alpha", {"n": 51}, 50)
            assert [(await next_of(one)).missed for one in (slow, quick)] == [0, 0]
            assert change.current.version == 50
            await slow.aclose()
            await quick.aclose()

    asyncio.run(scenario())


@pytest.mark.requirement("EVENT-8a")
def test_versions_seen_and_missed_add_up(store: EventStore) -> None:
    async def scenario() -> None:
        async with AsyncStateStore(store) as states:
            last = 200
            await states.set("alpha", {"n": 0}, NO_STREAM)
            changes = states.subscribe("alpha")
            assert (await next_of(changes)).current.version == 0

            async def write() -> None:
                for number in range(1, last + 1):
                    await states.set("alpha", {"n": number}, number - 1)

            async def read() -> tuple[list[int], int]:
                seen, missed = [0], 0
                while seen[-1] < last:
                    change = await next_of(changes)
                    seen.append(change.current.version)
                    missed += change.missed
                    assert change.current.state == {"n": seen[-1]}
                    await asyncio.sleep(0.002)
                return seen, missed

            _, (seen, missed) = await asyncio.gather(write(), read())
            assert seen == sorted(set(seen))
            assert len(seen) + missed == last + 1
            assert (states.metrics.delivered, states.metrics.missed) == (len(seen), missed)
            await changes.aclose()

    asyncio.run(scenario())


def test_closing_ends_subscriptions(store: EventStore) -> None:
    async def scenario() -> None:
        states = AsyncStateStore(store)
        await states.set("alpha", {"n": 0}, NO_STREAM)
        changes = states.subscribe("alpha")
        await next_of(changes)
        waiting = asyncio.create_task(next_of(changes))
        await asyncio.sleep(0)
        await states.close()
        await states.close()
        with pytest.raises(StopAsyncIteration):
            await waiting
        with pytest.raises(StoreUnavailable):
            await states.get("alpha")
        assert store.version("state/alpha") == 0, "the store is its owner's"

    asyncio.run(scenario())


# Care -----------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-8a")
def test_health_and_metrics(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = open_store(f"sqlite:///{tmp_path}/states.db", reserve_bytes=0)
        states = AsyncStateStore(store)
        healthy = await states.health_check()
        assert (healthy.ok, healthy.reason, healthy.head) == (True, "", 0)
        await states.set("alpha", {"n": 0}, NO_STREAM)
        await states.get("alpha")
        with pytest.raises(VersionConflict):
            await states.set("alpha", {"n": 1}, NO_STREAM)
        assert states.metrics == StateMetrics(reads=1, sets=1, conflicts=1)
        assert (await states.health_check()).head == 1
        store.close()
        ill = await states.health_check()
        assert not ill.ok
        assert ill.reason
        await states.close()

    asyncio.run(scenario())


# Kill and reopen ------------------------------------------------------------------------------------------------------

_WRITER = """
    import asyncio, sys
    from qiki_eventstore.state_store import AsyncStateStore

    async def main():
        async with AsyncStateStore.open(sys.argv[1], reserve_bytes=0) as states:
            stored = await states.get_with_meta("alpha")
            version = -1 if stored is None else stored.version
            while True:
                version = await states.set("alpha", {"n": version + 1, "squared": (version + 1) ** 2}, version)
                print(version, flush=True)

    asyncio.run(main())
"""


@pytest.mark.requirement("EVENT-8b")
def test_after_kill_9_state_version_and_history_are_the_same(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/states.db"
    acknowledged = -1
    for _ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(_WRITER), url], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        with writer.stdout:
            for _ in range(25):
                line = writer.stdout.readline()
                assert line, "the writer died"
                assert int(line) > acknowledged
                acknowledged = int(line)
            os.kill(writer.pid, signal.SIGKILL)
            rest = writer.stdout.read().split("\n")
        assert writer.wait() == -signal.SIGKILL
        acknowledged = max([acknowledged, *map(int, filter(None, rest[:-1]))])

        async def check(at_least: int) -> None:
            async with AsyncStateStore.open(url, reserve_bytes=0) as states:
                stored = await states.get_with_meta("alpha")
                assert stored is not None
                # One more than acknowledged may be durable: the writer died before it could say so.
                assert stored.version in (at_least, at_least + 1)
                history = await states.history("alpha")
                assert [one.version for one in history] == list(range(stored.version + 1))
                assert all(one.state == {"n": n, "squared": n * n} for n, one in enumerate(history))
                assert history[-1] == stored

        asyncio.run(check(acknowledged))


def test_a_set_that_is_repeated_with_its_id_is_stored_once(store: EventStore) -> None:
    async def use() -> None:
        async with AsyncStateStore(store) as states:
            first, second = uuid4(), uuid4()
            assert await states.set("alpha", {"n": 0}, NO_STREAM, event_id=first) == 0
            assert await states.set("alpha", {"n": 1}, 0, event_id=second) == 1
            assert await states.set("alpha", {"n": 1}, 0, event_id=second) == 1
            assert await states.set("alpha", {"n": 0}, NO_STREAM, event_id=first) == 0
            with pytest.raises(VersionConflict):
                await states.set("alpha", {"n": 2}, 0, event_id=uuid4())
            assert [stored.event_id for stored in await states.history("alpha")] == [first, second]

    asyncio.run(use())


def test_event_times_are_of_the_callers_clock(store: EventStore) -> None:
    async def use() -> None:
        times = iter((100, 50))
        async with AsyncStateStore(store, clock=lambda: next(times)) as states:
            await states.initialize_if_empty("alpha", {})
            await states.set("alpha", {}, 0, time=7)
            await states.set("alpha", {}, 1)
            assert [stored.time for stored in await states.history("alpha")] == [100, 7, 50]

    asyncio.run(use())
