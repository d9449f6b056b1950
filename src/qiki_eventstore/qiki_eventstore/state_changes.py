"""Changes of states for many subscribers, from one subscription of the store."""

import asyncio

from qiki_eventstore.aio import AsyncSubscription
from qiki_eventstore.errors import EventStoreError
from qiki_eventstore.events import RecordedEvent


class Slot:
    """The newest event that one subscriber has not taken yet."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._newest: RecordedEvent | None = None
        self._error: EventStoreError | None = None
        self._ended = False

    def put(self, event: RecordedEvent) -> None:
        """Replace the event by a newer one."""
        self._newest = event
        self._news.set()

    def end(self, error: EventStoreError | None) -> None:
        """End, after an error if one is given."""
        self._ended, self._error = True, error
        self._news.set()

    async def next(self, seen: int) -> RecordedEvent | None:
        """The newest event after version `seen`, once there is one; None at the end."""
        while True:
            await self._news.wait()
            event = self._newest
            if event is not None and event.version > seen:
                return event
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            self._news.clear()


class StateChanges:
    """One subscription to all states, with a slot for each subscriber of one state.

    Attributes:
        error: that ended it; None while there is none.
    """

    def __init__(self, subscription: AsyncSubscription) -> None:
        self.error: EventStoreError | None = None
        self._subscription = subscription
        self._slots: dict[str, list[Slot]] = {}
        self._task = asyncio.create_task(self._follow())

    def join(self, stream: str) -> Slot:
        """A slot for the events of a stream from now on."""
        slot = Slot()
        if self._task.done():
            slot.end(self.error)
        self._slots.setdefault(stream, []).append(slot)
        return slot

    def leave(self, stream: str, slot: Slot) -> None:
        """Forget a slot."""
        self._slots[stream].remove(slot)
        if not self._slots[stream]:
            del self._slots[stream]

    async def close(self) -> None:
        """End it."""
        await self._subscription.close()
        await self._task

    async def _follow(self) -> None:
        try:
            async for event in self._subscription:
                for slot in self._slots.get(event.stream, ()):
                    slot.put(event)
        except EventStoreError as failure:
            self.error = failure
        finally:
            for slots in self._slots.values():
                for slot in slots:
                    slot.end(self.error)
