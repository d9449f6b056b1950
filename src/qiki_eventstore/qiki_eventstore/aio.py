"""The event store for asyncio: the same calls, none of which blocks the event loop."""

import asyncio
import threading
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
from qiki_eventstore.engine.following import Follower
from qiki_eventstore.engine.pump import MOST, Page, Pump
from qiki_eventstore.engine.store import EngineStore
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

        async with AsyncEventStore(open_store("sqlite:///events.db")) as store:
            await store.append("alpha/allocator", [Event("allocator.armed", {"mode": "MANUAL_OVERRIDE"})])

    A call that is cancelled goes on in its thread: an append may be stored all the same. Repeated with the same events
    it gives their positions and stores nothing twice.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        # One thread, so that appends are queued in the order in which they were called.
        self._submitter = ThreadPoolExecutor(1, thread_name_prefix="eventstore-submit")
        self._callers = ThreadPoolExecutor(_READERS, thread_name_prefix="eventstore-call")
        self._subscriptions: dict[Subscription, AsyncSubscription] = {}
        self._pump: Pump | None = None

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
        source = await self._call(subscribe)
        subscription = AsyncSubscription(source, self._reading(source), self._ended)
        self._subscriptions[source] = subscription
        return subscription

    def _reading(self, source: Subscription) -> Callable[[], None]:
        """Function that requests the next page of a subscription: one thread reads for all, if the store can."""
        loop = asyncio.get_running_loop()

        def give(pages: Sequence[tuple[Subscription, Page]]) -> None:
            with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
                loop.call_soon_threadsafe(self._hand_out, pages)

        if isinstance(self._store, EngineStore) and isinstance(source, Follower):
            if self._pump is None:
                self._pump = self._store.pump(give)
            return partial(self._pump.want, source)
        return _OwnThread(source, lambda page: give([(source, page)])).want

    def _hand_out(self, pages: Sequence[tuple[Subscription, Page]]) -> None:
        for source, page in pages:
            if (subscription := self._subscriptions.get(source)) is not None:
                subscription.arrived(page)

    def _ended(self, subscription: "AsyncSubscription") -> None:
        self._subscriptions.pop(subscription.subscription, None)

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
        for subscription in list(self._subscriptions.values()):
            await subscription.close()
        await asyncio.to_thread(self._close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None
    ) -> None:
        await self.close()

    def _close(self) -> None:
        if self._pump is not None:
            self._pump.close()
        self._submitter.shutdown()
        self._callers.shutdown()
        self._store.close()

    async def _call(self, function: Callable[..., R], *arguments: Any) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._callers, partial(function, *arguments))


class AsyncSubscription:
    """See `Subscription`; an async iterator. A `get` that is cancelled or times out loses no event.

        async for event in await store.subscribe(types=("allocator.*",)):
            print(event.type, event.data)

    Args:
        subscription: read by others, in pages.
        want: asks for the next page, which comes through `arrived`; empty at the end.
        ended: called when it is closed.
    """

    def __init__(
        self,
        subscription: Subscription,
        want: Callable[[], None],
        ended: Callable[["AsyncSubscription"], None],
    ) -> None:
        self.subscription, self._want, self._ended = subscription, want, ended
        self._page: deque[RecordedEvent] = deque()
        self._arrived = asyncio.Event()
        self._error: Exception | None = None
        self._wanted = self._closed = False

    def arrived(self, page: Page) -> None:
        """In the loop: the page that was asked for."""
        self._wanted = False
        if isinstance(page, Exception):
            self._error = page
        elif not self._closed:
            self._page.extend(page)
            self._closed = not page
        self._arrived.set()

    async def get(self, timeout: float | None = None) -> RecordedEvent | None:
        """The next event; None if none came within `timeout` s or the subscription was closed."""
        while not self._page:
            if self._closed:
                return None
            if not self._wanted:
                self._wanted = True
                self._arrived.clear()
                self._want()
            # Not taken back with the caller: the page that comes meanwhile is for the next call.
            try:
                await asyncio.wait_for(self._arrived.wait(), timeout)
            except TimeoutError:
                return None
            if self._error is not None:
                error, self._error = self._error, None
                raise error
        return self._page.popleft()

    async def checkpoint(self, event: RecordedEvent) -> None:
        """See `Subscription.checkpoint`."""
        await asyncio.to_thread(self.subscription.checkpoint, event)

    async def close(self) -> None:
        """End it; a waiting `get` returns None."""
        if not self._closed:
            self._closed = True
            self._page.clear()
            self._arrived.set()
            await asyncio.to_thread(self.subscription.close)
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


class _OwnThread:
    """Reads one subscription of a store that has no pump, in a thread that keeps no process alive."""

    def __init__(self, subscription: Subscription, give: Callable[[Page], None]) -> None:
        self._subscription, self._give = subscription, give
        self._wanted = threading.Semaphore(0)
        threading.Thread(target=self._run, name="eventstore-follow", daemon=True).start()

    def want(self) -> None:
        """Give the next page."""
        self._wanted.release()

    def _run(self) -> None:
        page: Page | None = None
        while page != []:
            self._wanted.acquire()
            try:
                page = self._next()
            except Exception as error:
                page = error
            self._give(page)

    def _next(self) -> list[RecordedEvent]:
        page: list[RecordedEvent] = []
        event = self._subscription.get()
        while event is not None:
            page.append(event)
            event = self._subscription.get(0) if len(page) < MOST else None
        return page
