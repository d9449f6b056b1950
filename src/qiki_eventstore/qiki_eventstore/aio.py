"""The event store for asyncio: the same calls, none of which blocks the event loop."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from qiki_events import Projection
from qiki_eventstore.events import ANY, Event, Moment, RecordedEvent
from qiki_eventstore.receipt import Receipt
from qiki_eventstore.store import Delivery, EventStore, Query, Stats, Subscription, Verification

R = TypeVar("R")
S = TypeVar("S")

_EVERYTHING: Final = Query()


_READ: Final = 256
"""Events handed from a thread to the loop at once."""

_READERS: Final = 4
"""Calls other than appends that run at the same time."""


async def _settled(receipt: Receipt) -> list[int]:
    """The receipt's result. Cancelling the wait does not call back what is queued."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def wake(_receipt: Receipt) -> None:
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
            loop.call_soon_threadsafe(ended.set)

    receipt.add_done_callback(wake)
    await ended.wait()
    return receipt.result()


class AsyncEventStore:
    """A store, of any engine, for one event loop; an async context manager that closes the store.

    A call that is cancelled goes on in its thread: an append may be stored all the same. Repeating it with the same ids
    tells, and stores nothing twice.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        # One thread, so that appends are queued in the order in which they were called.
        self._submitter = ThreadPoolExecutor(1, thread_name_prefix="eventstore-submit")
        self._callers = ThreadPoolExecutor(_READERS, thread_name_prefix="eventstore-call")
        self._subscriptions: set[AsyncSubscription] = set()

    @property
    def store(self) -> EventStore:
        return self._store

    async def append(
        self, stream: str, events: Sequence[Event], expected_version: int = ANY, delivery: Delivery = Delivery.AUDIT
    ) -> list[int]:
        """See `EventStore.append`."""
        submit = partial(self._store.submit, stream, events, expected_version, delivery)
        if delivery is Delivery.TELEMETRY:
            receipt = submit()  # never waits for room
        else:
            receipt = await asyncio.get_running_loop().run_in_executor(self._submitter, submit)
        return await _settled(receipt)

    async def read(self, stream: str, start: int = 0, end: int | None = None) -> list[RecordedEvent]:
        """See `EventStore.read`."""
        return await self._call(self._store.read, stream, start, end)

    async def read_all(self, query: Query = _EVERYTHING) -> AsyncIterator[RecordedEvent]:
        """See `EventStore.read_all`."""
        events = self._store.read_all(query)
        while page := await self._call(lambda: list(islice(events, _READ))):
            for event in page:
                yield event

    async def version(self, stream: str) -> int:
        """See `EventStore.version`."""
        return await self._call(self._store.version, stream)

    async def streams(self, pattern: str = "*") -> list[str]:
        """See `EventStore.streams`."""
        return await self._call(self._store.streams, pattern)

    async def head(self) -> int:
        """See `EventStore.head`."""
        return await self._call(self._store.head)

    async def subscribe(
        self,
        after: int | None = None,
        *,
        name: str | None = None,
        types: Sequence[str] = (),
        streams: Sequence[str] = (),
    ) -> "AsyncSubscription":
        """See `EventStore.subscribe`."""
        subscribe = partial(self._store.subscribe, after, name=name, types=types, streams=streams)
        subscription = AsyncSubscription(await self._call(subscribe), self._subscriptions.discard)
        self._subscriptions.add(subscription)
        return subscription

    async def reconstruct(self, projection: Projection[S], stream: str, at: Moment | None = None) -> S:
        """See `EventStore.reconstruct`."""
        return await self._call(self._store.reconstruct, projection, stream, at)

    async def snapshot(self, projection: Projection[Any], stream: str) -> int:
        """See `EventStore.snapshot`."""
        return await self._call(self._store.snapshot, projection, stream)

    async def verify(self) -> Verification:
        """See `EventStore.verify`."""
        return await self._call(self._store.verify)

    async def backup(self, path: Path) -> None:
        """See `EventStore.backup`."""
        await self._call(self._store.backup, path)

    async def stats(self) -> Stats:
        """See `EventStore.stats`."""
        return await self._call(self._store.stats)

    async def close(self) -> None:
        """See `EventStore.close`."""
        for subscription in list(self._subscriptions):
            await subscription.close()
        await asyncio.to_thread(self._close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None
    ) -> None:
        await self.close()

    def _close(self) -> None:
        self._submitter.shutdown()
        self._callers.shutdown()
        self._store.close()

    async def _call(self, function: Callable[..., R], *arguments: Any) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._callers, partial(function, *arguments))


class AsyncSubscription:
    """See `Subscription`; an async iterator. A `get` that is cancelled or times out loses no event."""

    def __init__(self, subscription: Subscription, ended: Callable[["AsyncSubscription"], None]) -> None:
        self._subscription, self._ended = subscription, ended
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="eventstore-follow")
        self._page: deque[RecordedEvent] = deque()
        self._coming: asyncio.Future[list[RecordedEvent]] | None = None
        self._closed = False

    async def get(self, timeout: float | None = None) -> RecordedEvent | None:
        """The next event; None if none came within `timeout` s or the subscription was closed."""
        while not self._page:
            if self._closed:
                return None
            if self._coming is None:
                self._coming = asyncio.get_running_loop().run_in_executor(self._thread, self._take)
            # Not cancelled with the caller: what the thread takes meanwhile is for the next call.
            await asyncio.wait([self._coming], timeout=timeout)
            if not self._coming.done():
                return None
            coming, self._coming = self._coming, None
            page = coming.result()
            if not page:
                return None
            self._page.extend(page)
        return self._page.popleft()

    async def checkpoint(self, event: RecordedEvent) -> None:
        """See `Subscription.checkpoint`."""
        await asyncio.to_thread(self._subscription.checkpoint, event)

    async def close(self) -> None:
        """End it; a waiting `get` returns None."""
        if not self._closed:
            self._closed = True
            self._page.clear()
            self._subscription.close()
            await asyncio.to_thread(self._thread.shutdown)
            self._ended(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RecordedEvent:
        event = await self.get()
        if event is None:
            raise StopAsyncIteration
        return event

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None
    ) -> None:
        await self.close()

    def _take(self) -> list[RecordedEvent]:
        """In the thread: wait for an event, and take what is there already."""
        first = self._subscription.get()
        if first is None:
            return []
        page = [first]
        while len(page) < _READ and (event := self._subscription.get(0)) is not None:
            page.append(event)
        return page
