"""Open a store by its URL."""

import re
from typing import Any, Final
from urllib.parse import unquote

from qiki_eventstore.store import EventStore

_SECRETS: Final = ("password", "sslpassword")
"""Parameters of libpq that nobody but the server may see."""


def open_store(url: str, **options: Any) -> EventStore:
    """Open an event store, creating it if it is new.

    Args:
        url: `sqlite:///relative/path.db`, `sqlite:////absolute/path.db` or `postgresql://…` (libpq's form), or the path
            of a SQLite database that ends in `.db`, character by character.
        options: of the engine: see `SqliteStore` and `PostgresStore`.

    Raises:
        ValueError: not such a URL.
        StoreUnavailable: it cannot be opened: held by another writer, no permission, server not reachable.
        StoreFull: no room on the disk to open it; it can be tried again.
        StoreCorrupt: it is damaged.
    """
    if engine_of(url) == "sqlite":
        from qiki_eventstore.sqlite.store import SqliteStore

        return SqliteStore.open(url, **options)
    from qiki_eventstore.postgres.store import PostgresStore

    return PostgresStore.open(url, **options)


def engine_of(url: str) -> str:
    """`sqlite` or `postgresql`.

    Raises:
        ValueError: the URL is of neither.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", url)
    if scheme is None:
        if url.endswith(".db"):
            return "sqlite"
        raise ValueError("store URL: the scheme must be sqlite or postgresql; a path without one must end in .db")
    if scheme[1] == "sqlite":
        return "sqlite"
    if scheme[1] in ("postgresql", "postgres"):
        return "postgresql"
    # The rest may contain a password.
    raise ValueError(f"store URL {scheme[0]}…: the scheme must be sqlite or postgresql")


def shown(url: str) -> str:
    """A store's URL as others may see and use it: an absolute path, no password.

    Raises:
        ValueError: not such a URL.
    """
    if engine_of(url) == "sqlite":
        from qiki_eventstore.sqlite.location import parse_url, url_of

        path, read_only = parse_url(url)
        return url_of(path, read_only=read_only)
    # As libpq reads it: a password may contain a question mark, and the name of a parameter may be encoded.
    address = re.sub(r"^(\w+://[^:@/]*):[^@/]*@", r"\1:***@", url)
    return re.sub(r"([?&])([^=&]*)=([^&]*)", _masked, address)


def _masked(parameter: re.Match[str]) -> str:
    mark, name, value = parameter.groups()
    return f"{mark}{name}={'***' if unquote(name) in _SECRETS else value}"
