"""The event store on the graph: `/qiki/eventstore`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qiki_events.projections import PROJECTIONS
from qiki_eventstore.inbox import Inbox
from qiki_eventstore.opening import engine_of, open_store, shown
from qiki_eventstore.ros import diagnosis
from qiki_eventstore.ros.appending import Appending, AppendMetrics
from qiki_eventstore.ros.broadcast import Broadcast
from qiki_eventstore.ros.looking import Looking
from qiki_eventstore.ros.opening import Opening
from qiki_eventstore.ros.reading import Reading
from qiki_eventstore.ros.retaining import Retaining, RetentionParameters, policy_of
from qiki_eventstore.sqlite.location import parse_url
from qiki_node.health import Health, Level
from qiki_node.node import QikiNode
from qiki_node.parameters import parameter
from qiki_node.run import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from qiki_eventstore.store import EventStore, Stats

_INBOX_PERIOD = 0.5  # s
_OPENING = 3.0  # s that configuring waits for the store; the executor must go on
_MIB = 2**20


@dataclass(frozen=True)
class EventStoreParameters(RetentionParameters):
    # What this node has to say is in its diagnostics: it must not depend on itself.
    events_enabled: bool = parameter(False, "send events of its own to the event store", read_only=True)
    url: str = parameter(
        "sqlite:///events.db",
        "where the events are: sqlite:///path, the path of a file that ends in .db, or postgresql://host/database",
        read_only=True,
    )
    patience: float = parameter(
        0.0,
        "how long an append may hold up the node for room in the queue; the outboxes repeat what has no room",
        unit="s",
        minimum=0.0,
        maximum=1.0,
        read_only=True,
    )
    standby: float = parameter(
        5.0, "how long one attempt to open waits for the end of another process that writes (PostgreSQL)",
        unit="s", minimum=0.0, maximum=1e9, read_only=True,
    )  # fmt: skip
    reserve: int = parameter(
        64, "free space of the disk below which the store is read-only", unit="MiB", minimum=1, read_only=True
    )
    heads: str = parameter(
        "",
        "file of signed heads, best on another disk; empty: beside the store (SQLite), none are signed (PostgreSQL)",
        read_only=True,
    )
    key: str = parameter(
        "", "file of the private key that signs heads, made if it is not there; empty: beside the heads", read_only=True
    )
    inbox: str = parameter(
        "", "folder in which programs that are no nodes leave events, such as the launch runner; empty: none",
        read_only=True,
    )  # fmt: skip


class EventStoreNode(QikiNode[EventStoreParameters]):
    """The node `eventstore`; launch puts it into the namespace `/qiki`."""

    def __init__(self) -> None:
        super().__init__("eventstore", EventStoreParameters)
        self._store: EventStore | None = None
        self._broadcast: Broadcast | None = None
        self._retaining: Retaining | None = None
        self._opening: Opening | None = None
        self._inbox: Inbox | None = None
        self._looking: Looking | None = None
        self._was_read_only = ""
        self._append_metrics = AppendMetrics(self.registry)
        self._metrics = diagnosis.StoreMetrics(self.registry)
        self.add_diagnostic("store", self._health)
        self.add_diagnostic("retention", self._retention_health)

    def on_configure_node(self) -> None:
        params = self.params
        self._policy = policy_of(params, params.url)
        self._url = shown(params.url)
        opening = Opening(lambda: _open(params), self._url)
        store = opening.wait(_OPENING)
        if store is not None:
            self._opened(store)
        else:
            self._opening = opening
            self.configured.callback(self._give_up)
            self.log.error("the store is not open yet, it is tried on", url=self._url, reason=opening.reason)
        self.add_timer(_INBOX_PERIOD, self._look, steady=True)

    def on_activate_node(self) -> None:
        if self._store is not None:
            self._follow(self._store)

    def _look(self) -> None:
        if self._opening is not None and (store := self._opening.wait(0.0)) is not None:
            self._opened(store)
        if self._store is not None and self._broadcast is None and self.is_active:
            self._follow(self._store)
        if self._inbox is not None:
            self._inbox.look()

    def _opened(self, store: EventStore) -> None:
        self._opening, self._store = None, store
        # What is queued becomes durable and is answered: the append service is there until after it.
        self._undo(self.configured, self._close_store)
        Appending(self, store, self._append_metrics, lambda: self.is_active)
        self._undo(self.configured, Reading(self, store, self._url).close)
        if self.params.inbox:
            self._inbox = Inbox(Path(self.params.inbox), store, self._refused_file)
        self._looking = Looking(store, self._looked)
        self.log.info("store opened", url=self._url)

    def _undo(self, stack: ExitStack, undo: Callable[[], None]) -> None:
        """Undo something that may last as long as a segment is sealed, or as a database server is frozen."""

        def last() -> None:
            with self.turns.busy_with("close"):
                undo()

        stack.callback(last)

    def _follow(self, store: EventStore) -> None:
        self.activated.callback(self._forget_activation)
        self._broadcast = Broadcast(self, store)
        self._undo(self.activated, self._broadcast.close)
        self._retaining = Retaining(store, self._policy, self.params.retention_period, self.log, self.turns.join)
        self._undo(self.activated, self._retaining.close)

    def _forget_activation(self) -> None:
        self._broadcast = self._retaining = None

    def _give_up(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.close()

    def _close_store(self) -> None:
        store, self._store, self._inbox, self._metrics.latest = self._store, None, None, None
        if self._looking is not None:
            self._looking.close()
            self._looking = None
        if store is not None:
            store.close()

    def _refused_file(self, file: Path, reason: str) -> None:
        self.log.error("event left as a file is refused", file=str(file), reason=reason)

    def _retention_health(self) -> Health:
        return self._retaining.health() if self._retaining is not None else Health(Level.OK, "the node is not active")

    def _looked(self, stats: Stats) -> None:
        """In the thread that reads them."""
        broadcast, was, self._was_read_only = self._broadcast, self._was_read_only, stats.read_only
        self._metrics.latest = stats, 0 if broadcast is None else broadcast.lag(stats.head)
        if stats.read_only and stats.read_only != was:
            self.log.error("the store is read-only", reason=stats.read_only)
        elif was and not stats.read_only:
            self.log.info("the store takes events again")

    def _health(self) -> Health:
        if self._opening is not None:
            return Health(Level.ERROR, f"the store is not open yet: {self._opening.reason}")
        problem = self._looking.problem if self._looking is not None else ""
        stats, lag = self._metrics.latest or (None, 0)
        return diagnosis.of_store(stats, lag, self.params.reserve * _MIB, problem)


def _open(params: EventStoreParameters) -> EventStore:
    options: dict[str, Any] = {"patience": params.patience, "heads": params.heads or None, "key": params.key or None}
    options["projections"] = tuple(PROJECTIONS.values())
    if engine_of(params.url) == "sqlite":
        options["reserve_bytes"] = params.reserve * _MIB
        parse_url(params.url)[0].parent.mkdir(parents=True, exist_ok=True)
    else:
        options |= {"standby": params.standby, "segments": params.segments or None}
    return open_store(params.url, **options)


def main() -> None:
    """Entry point."""
    run(EventStoreNode)


if __name__ == "__main__":
    main()
