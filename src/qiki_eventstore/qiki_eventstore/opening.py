"""Open a store by its URL."""

from typing import Any
from urllib.parse import urlsplit

from qiki_eventstore.store import EventStore


def open_store(url: str, **options: Any) -> EventStore:
    """Open an event store, creating it if it is new.

    Args:
        url: `sqlite:///relative/path.db`, `sqlite:////absolute/path.db` or `postgresql://…` (libpq's form).
        options: of the engine: see `SqliteStore` and `PostgresStore`.

    Raises:
        ValueError: not such a URL.
        StoreUnavailable: it cannot be opened: held by another writer, no permission, server not reachable.
        StoreCorrupt: it is damaged.
    """
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        from qiki_eventstore.sqlite.store import SqliteStore

        return SqliteStore.open(url, **options)
    if scheme in ("postgresql", "postgres"):
        from qiki_eventstore.postgres.store import PostgresStore

        return PostgresStore.open(url, **options)
    raise ValueError(f"store URL {url!r}: the scheme must be sqlite or postgresql")
