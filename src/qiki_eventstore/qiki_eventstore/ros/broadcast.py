"""The topic of committed events: a thread follows the store while somebody listens."""

import threading
from typing import Any

from qiki_eventstore.errors import EventStoreError
from qiki_eventstore.ros.conversions import to_message
from qiki_eventstore.store import EventStore
from qiki_msgs.msg import Event
from qiki_node.node import QikiNode
from qiki_node.qos import EVENT

_WAIT = 0.5
"""s between two looks at whether to end."""
_LOOK = 0.1
"""s between two looks for a listener: nothing is read from disk for nobody."""
_PAUSE = 1.0
"""s before the store is asked again after an error."""


class Broadcast:
    """Publishes what is committed from its beginning on; `position` is that of the last event published."""

    def __init__(self, node: QikiNode[Any], store: EventStore) -> None:
        self._node, self._store = node, store
        self._publisher = node.create_publisher(Event, "/qiki/event", EVENT)
        self._end = threading.Event()
        self.position: int | None = None
        self._thread = threading.Thread(target=self._run, name="broadcast", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop publishing."""
        self._end.set()
        self._node.turns.join(self._thread)
        self._node.destroy_publisher(self._publisher)

    def lag(self, head: int) -> int:
        """Events up to a head that are not published yet; 0 while nobody listens."""
        return max(0, head - self.position) if self.position is not None and self._is_heard() else 0

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                if self.position is not None and self._is_heard():
                    self._follow(self.position)
                else:
                    self.position = self._store.head()
                    self._end.wait(_LOOK)
            except EventStoreError as error:
                self._node.log.warning("events cannot be followed", throttle=5.0, reason=str(error))
                self._end.wait(_PAUSE)
            except Exception as error:  # one event that cannot be published must not end the others
                self._node.callbacks.failed("broadcast", error, drives=False)
                self._end.wait(_PAUSE)

    def _follow(self, after: int) -> None:
        with self._store.subscribe(after) as subscription:
            while not self._end.is_set() and self._is_heard():
                event = subscription.get(_WAIT)
                if event is not None:
                    self.position = event.position
                    self._publisher.publish(to_message(event))

    def _is_heard(self) -> bool:
        return bool(self._publisher.get_subscription_count())
