"""One copy of each message of a topic that several subscriptions receive."""

from collections import OrderedDict, deque
from typing import Final

_PATIENCE: Final = 1.0
"""s after which a message that comes with the same content is another one, unless it can be one of a history."""


class Echoes:
    """Recognises the copies of a message that came through another subscription of the same topic already.

    The middleware names no message, so that they are compared by content: of n equal messages, each subscription is
    expected to receive n copies at most, and of a message that is lost on one way the other has the copy.

    Args:
        window: number of distinct messages that are remembered.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._received: OrderedDict[int, deque[tuple[float, list[int]]]] = OrderedDict()
        self._subscriptions: set[int] = set()

    def is_new(self, subscription: int, data: bytes, now: float, *, latched: bool = False) -> bool:
        """Take a message; False for a copy of one that another subscription has received.

        Args:
            subscription: number of the subscription that it came through.
            now: s, steady.
            latched: the subscription gets messages from before it was made.
        """
        key = hash(data)
        equal = self._received.pop(key, None)
        if equal is None:
            equal = deque(maxlen=self._window)
        self._received[key] = equal
        if len(self._received) > self._window:
            self._received.popitem(last=False)
        self._subscriptions.add(subscription)
        if len(self._subscriptions) > 1:
            for received, ways in equal:
                if subscription not in ways and (latched or now - received <= _PATIENCE):
                    ways.append(subscription)
                    return False
        equal.append((now, [subscription]))
        return True
