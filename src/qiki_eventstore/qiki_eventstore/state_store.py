"""States of entities with all their versions: a stream per entity, an event per version."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from uuid import UUID

from qiki_eventstore.aio import AsyncEventStore
from qiki_eventstore.errors import EventStoreError, StoreUnavailable, VersionConflict
from qiki_eventstore.events import NO_STREAM, Event, RecordedEvent
from qiki_eventstore.opening import open_store
from qiki_eventstore.state_changes import StateChanges
from qiki_eventstore.store import EventStore, Query

T = TypeVar("T")

STATE_SET: Final = "state.set"
_PREFIX: Final = "state/"


@dataclass(frozen=True, slots=True)
class StoredState:
    """A version of an entity's state.

    Attributes:
        state: as it was set.
        version: from 0, without gap.
        position: of its event in the store.
        time: event time, ns.
        recorded: recording time, ns since the Unix epoch.
        source: of its event.
        event_id: of its event.
    """

    state: Mapping[str, Any]
    version: int
    position: int
    time: int
    recorded: int
    source: str
    event_id: UUID


@dataclass(frozen=True, slots=True)
class StateChange:
    """The newest state, and the number of versions that the subscriber missed since the state before."""

    current: StoredState
    missed: int


@dataclass(frozen=True, slots=True)
class StateHealth:
    """Health: states can be read and set. `reason`: why not; `head`: last position, None if it cannot be read."""

    ok: bool
    reason: str
    head: int | None


@dataclass(slots=True)
class StateMetrics:
    """Counts since the store was made.

    Attributes:
        reads: of a state or a history.
        sets: calls that stored their version, or found it stored by an earlier one.
        conflicts: versions refused because the expected one was stale.
        errors: calls that failed otherwise.
        subscribers: now.
        delivered: states given to subscribers.
        missed: versions that slow subscribers did not see.
    """

    reads: int = 0
    sets: int = 0
    conflicts: int = 0
    errors: int = 0
    subscribers: int = 0
    delivered: int = 0
    missed: int = 0


class AsyncStateStore:
    """Versioned states over an event store, for one event loop.

        async with AsyncStateStore.open("sqlite:///states.db") as states:
            version = await states.set("alpha", {"mode": "IDLE"}, NO_STREAM)
            await states.set("alpha", {"mode": "FLY"}, version)

    A version is stored, durably, when `set` returns. A call that is cancelled may or may not have stored its version:
    repeat it with the same `event_id`, and it is stored once.

    Args:
        store: stays the caller's to close; may be shared with others, also in other processes.
        clock: time of the caller's clock, ns, for the event time of each version; None: the recording time.
    """

    def __init__(self, store: EventStore, *, clock: Callable[[], int] | None = None) -> None:
        self._events = AsyncEventStore(store)
        self._clock = clock
        self._owned = False
        self._metrics = StateMetrics()
        self._changes: StateChanges | None = None
        self._changes_lock = asyncio.Lock()
        self._closed = False

    @classmethod
    def open(cls, url: str, *, clock: Callable[[], int] | None = None, **options: Any) -> Self:
        """Open an event store for this purpose alone; `close` closes it. Raises what `open_store` raises."""
        states = cls(open_store(url, **options), clock=clock)
        states._owned = True
        return states

    # States -----------------------------------------------------------------------------------------------------------

    async def get(self, id: str) -> Mapping[str, Any] | None:
        """The newest state; None if there is none.

        Raises:
            ValueError: such an id cannot be.
            StoreUnavailable: the store is closed or cannot be reached.
        """
        stored = await self.get_with_meta(id)
        return None if stored is None else stored.state

    async def get_with_meta(self, id: str) -> StoredState | None:
        """The newest state with version and times; None if there is none. Raises what `get` raises."""
        stream = _stream(id)
        self._metrics.reads += 1
        return await self._call(self._newest(stream))

    async def history(self, id: str, start: int = 0, end: int | None = None) -> list[StoredState]:
        """The versions from `start` to before `end`. Raises what `get` raises."""
        stream = _stream(id)
        self._metrics.reads += 1
        return [_stored(event) for event in await self._call(self._events.read(stream, start, end))]

    async def set(
        self,
        id: str,
        state: Mapping[str, Any],
        expected_version: int,
        *,
        source: str = "",
        time: int | None = None,
        correlation: str | None = None,
        event_id: UUID | None = None,
    ) -> int:
        """Store the next version.

        Args:
            id: of the entity.
            state: a mapping that JSON can hold.
            expected_version: that the caller has seen; `NO_STREAM` if none.
            source, time, correlation: of the event, see `Event`; `time` None: of the `clock`.
            event_id: of the event; a call with an id that is stored already is a retry: it stores nothing and does not
                conflict. None: a new one.

        Returns:
            The version stored, `expected_version` + 1; of a retry the version that the first call stored.

        Raises:
            VersionConflict: the entity is at another version; nothing is stored.
            PayloadError: JSON cannot hold the state.
            ValueError: no such id or expected version can be.
            StoreFull, StoreUnavailable: see `EventStore.append`.
        """
        stream = _stream(id)
        if type(expected_version) is not int or expected_version < NO_STREAM:
            allowed = f"the version that was seen, or NO_STREAM ({NO_STREAM})"
            raise ValueError(f"expected_version: {expected_version!r}; allowed: {allowed}")
        if time is None and self._clock is not None:
            time = self._clock()
        event = Event(STATE_SET, state, event_id, time, source, correlation)
        if event_id is None:
            await self._call(self._events.append(stream, [event], expected_version))
            self._metrics.sets += 1
            return expected_version + 1
        (position,) = await self._call(self._events.append(stream, [event], expected_version))
        (stored,) = await self._call(self._at(position))
        self._metrics.sets += 1
        return stored.version

    async def initialize_if_empty(self, id: str, state: Mapping[str, Any], *, source: str = "") -> bool:
        """Store version 0 unless there is a state; whether this call stored it. Raises what `set` raises."""
        if await self.get_with_meta(id) is not None:
            return False
        try:
            await self.set(id, state, NO_STREAM, source=source)
        except VersionConflict:
            return False
        return True

    async def subscribe(self, id: str) -> AsyncGenerator[StateChange, None]:
        """The state now, if there is one, then each that follows.

        A slow subscriber gets the newest, and the number of versions it missed. Ends when the state store or its store
        is closed.

        Raises:
            ValueError: such an id cannot be.
            EventStoreError: the store fails.
        """
        stream = _stream(id)
        feed = await self._following()
        slot = feed.join(stream)
        self._metrics.subscribers += 1
        try:
            newest, seen = await self._call(self._newest(stream)), NO_STREAM
            if newest is not None:
                yield self._delivered(StateChange(newest, 0))
                seen = newest.version
            while (event := await slot.next(seen)) is not None:
                yield self._delivered(StateChange(_stored(event), event.version - seen - 1))
                seen = event.version
        finally:
            feed.leave(stream, slot)
            self._metrics.subscribers -= 1

    # Care -------------------------------------------------------------------------------------------------------------

    async def health_check(self, patience: float = 2.0) -> StateHealth:
        """Check that states can be read and set; an answer that takes longer than `patience` s counts as none."""
        try:
            async with asyncio.timeout(patience):
                stats = await self._call(self._events.stats())
        except TimeoutError:
            return StateHealth(False, f"no answer from the store in {patience:g} s", None)
        except EventStoreError as error:
            return StateHealth(False, str(error), None)
        if self._changes is not None and self._changes.error is not None:
            return StateHealth(False, f"changes are not followed: {self._changes.error}", stats.head)
        return StateHealth(not stats.read_only, stats.read_only, stats.head)

    @property
    def metrics(self) -> StateMetrics:
        """A copy of the counts."""
        return replace(self._metrics)

    async def close(self) -> None:
        """End all subscriptions, and the store if `open` opened it. May be called twice."""
        self._closed = True
        async with self._changes_lock:
            if self._changes is not None:
                await self._changes.close()
        if self._owned:
            await self._events.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None
    ) -> None:
        await self.close()

    # Inside -----------------------------------------------------------------------------------------------------------

    async def _call(self, call: Coroutine[Any, Any, T]) -> T:
        if self._closed:
            call.close()
            raise StoreUnavailable("the state store is closed")
        try:
            return await call
        except VersionConflict:
            self._metrics.conflicts += 1
            raise
        except EventStoreError:
            self._metrics.errors += 1
            raise

    async def _newest(self, stream: str) -> StoredState | None:
        version = await self._events.version(stream)
        if version == NO_STREAM:
            return None
        (event,) = await self._events.read(stream, version, version + 1)
        return _stored(event)

    async def _at(self, position: int) -> list[RecordedEvent]:
        return [event async for event in self._events.read_all(Query(after=position - 1, before=position + 1))]

    async def _following(self) -> StateChanges:
        """The changes of states; followed from the first subscriber on."""
        async with self._changes_lock:
            if self._changes is None:
                head = await self._call(self._events.head())
                subscription = await self._call(self._events.subscribe(head, streams=(f"{_PREFIX}*",)))
                self._changes = StateChanges(subscription)
            return self._changes

    def _delivered(self, change: StateChange) -> StateChange:
        self._metrics.delivered += 1
        self._metrics.missed += change.missed
        return change


def _stream(id: str) -> str:
    if not isinstance(id, str) or not id or id.endswith("*"):
        raise ValueError(f"id: {id!r}; allowed: text that is not empty and does not end in *")
    return f"{_PREFIX}{id}"


def _stored(event: RecordedEvent) -> StoredState:
    return StoredState(
        state=event.data,
        version=event.version,
        position=event.position,
        time=event.time,
        recorded=event.recorded,
        source=event.source,
        event_id=event.id,
    )
