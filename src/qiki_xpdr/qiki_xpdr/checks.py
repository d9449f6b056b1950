"""Fair queue of signature checks: a flood under one key or from one direction does not delay the others."""

from collections import Counter, OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class CheckQueue(Generic[Item]):
    """Items in lanes, taken in turns.

    Args:
        largest: items in all. per_lane: items of one lane.
    """

    def __init__(self, largest: int, per_lane: int) -> None:
        self._largest, self._per_lane = largest, per_lane
        self._lanes: OrderedDict[Hashable, deque[Item]] = OrderedDict()
        self._count = 0
        self.dropped: Counter[str] = Counter()
        """Items refused: `lane`, `queue`."""

    def __len__(self) -> int:
        return self._count

    def put(self, lane: Hashable, item: Item) -> Item | None:
        """Add an item. Returns the one that is dropped for it: itself, or the newest of the longest lane.

        A full queue makes room at the cost of the longest lane, so that a flood displaces itself.
        """
        waiting = self._lanes.get(lane, ())
        if len(waiting) >= self._per_lane:
            self.dropped["lane"] += 1
            return item
        dropped = None
        if self._count >= self._largest:
            longest = max(self._lanes, key=lambda name: len(self._lanes[name]))
            self.dropped["queue"] += 1
            if len(self._lanes[longest]) <= len(waiting) + 1:
                return item
            dropped = self._lanes[longest].pop()
            self._count -= 1
        self._lanes.setdefault(lane, deque()).append(item)
        self._count += 1
        return dropped

    def take(self) -> Item | None:
        """Oldest item of the next lane; None: empty."""
        while self._lanes:
            lane, items = self._lanes.popitem(last=False)
            if not items:
                continue
            item = items.popleft()
            self._count -= 1
            if items:
                self._lanes[lane] = items
            return item
        return None
