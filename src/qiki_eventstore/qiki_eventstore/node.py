"""The event store on the graph: `/qiki/eventstore`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from qiki_events.projections import PROJECTIONS
from qiki_eventstore.inbox import Inbox
from qiki_eventstore.opening import open_store
from qiki_eventstore.ros import diagnosis
from qiki_eventstore.ros.appending import Appending, AppendMetrics
from qiki_eventstore.ros.broadcast import Broadcast
from qiki_eventstore.ros.reading import Reading
from qiki_eventstore.ros.retaining import Retaining, RetentionParameters, policy_of
from qiki_node.health import Health, Level
from qiki_node.node import QikiNode
from qiki_node.parameters import parameter
from qiki_node.run import run

if TYPE_CHECKING:
    from qiki_eventstore.store import EventStore

_INBOX_PERIOD = 0.5  # s
_MIB = 2**20


@dataclass(frozen=True)
class EventStoreParameters(RetentionParameters):
    # What this node has to say is in its diagnostics: it must not depend on itself.
    events_enabled: bool = parameter(False, "send events of its own to the event store", read_only=True)
    url: str = parameter(
        "sqlite:///events.db", "where the events are: sqlite:///path or postgresql://host/database", read_only=True
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
        5.0, "how long configuring waits for the end of another process that writes (PostgreSQL)",
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
        self._was_read_only = ""
        self._append_metrics = AppendMetrics(self.registry)
        self._metrics = diagnosis.StoreMetrics(self.registry)
        self.add_diagnostic("store", self._health)
        self.add_diagnostic("retention", self._retention_health)

    def on_configure_node(self) -> None:
        params = self.params
        self._policy = policy_of(params, params.url)
        self._store = store = _open(params)
        self._appending = Appending(self, store, self._append_metrics, lambda: self.is_active)
        url = shown(params.url)
        self._reading = Reading(self, store, url)
        if params.inbox:
            inbox = Inbox(Path(params.inbox), store, self._refused_file)
            self.add_timer(_INBOX_PERIOD, inbox.look, steady=True)
        stats = store.stats()
        self.log.info("store opened", url=url, events=stats.events, head=stats.head)

    def on_activate_node(self) -> None:
        assert self._store is not None
        self._broadcast = Broadcast(self, self._store)
        self._retaining = Retaining(self._store, self._policy, self.params.retention_period, self.log)

    def on_deactivate_node(self) -> None:
        if self._retaining is not None:
            self._retaining.close()
            self._retaining = None
        if self._broadcast is not None:
            self._broadcast.close()
            self._broadcast = None

    def on_cleanup_node(self) -> None:
        assert self._store is not None
        self._reading.close()
        store, self._store = self._store, None
        store.close()  # what is queued becomes durable and is answered
        self._appending.close()
        self._metrics.latest = None

    def _refused_file(self, file: Path, reason: str) -> None:
        self.log.error("event left as a file is refused", file=str(file), reason=reason)

    def _lag(self) -> int:
        return self._broadcast.lag if self._broadcast is not None else 0

    def _retention_health(self) -> Health:
        return self._retaining.health() if self._retaining is not None else Health(Level.OK, "the node is not active")

    def _health(self) -> Health:
        stats = self._store.stats() if self._store is not None else None
        lag = self._lag()
        self._metrics.latest = None if stats is None else (stats, lag)
        if stats is not None and stats.read_only != self._was_read_only:
            self._was_read_only = stats.read_only
            if stats.read_only:
                self.log.error("the store is read-only", reason=stats.read_only)
            else:
                self.log.info("the store takes events again")
        return diagnosis.of_store(stats, lag, self.params.reserve * _MIB)


def shown(url: str) -> str:
    """A store's URL as others may see and use it: an absolute path, no password."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return f"sqlite:///{_path_of(url).absolute()}"
    if parts.password is None:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@", 1)))


def _open(params: EventStoreParameters) -> EventStore:
    options: dict[str, Any] = {"patience": params.patience, "heads": params.heads or None, "key": params.key or None}
    options["projections"] = tuple(PROJECTIONS.values())
    if urlsplit(params.url).scheme == "sqlite":
        options["reserve_bytes"] = params.reserve * _MIB
        _path_of(params.url).parent.mkdir(parents=True, exist_ok=True)
    else:
        options |= {"standby": params.standby, "segments": params.segments or None}
    return open_store(params.url, **options)


def _path_of(url: str) -> Path:
    return Path(unquote(urlsplit(url).path.removeprefix("/")))


def main() -> None:
    """Entry point."""
    run(EventStoreNode)


if __name__ == "__main__":
    main()
