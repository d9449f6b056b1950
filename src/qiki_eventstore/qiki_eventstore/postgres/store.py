"""The store on PostgreSQL: one process writes and takes over from another, any number on any machine read."""

from pathlib import Path
from typing import Any, Self

from qiki_eventstore.engine.store import EngineStore
from qiki_eventstore.postgres.backend import PostgresBackend
from qiki_eventstore.postgres.connection import Connector, split_mode
from qiki_eventstore.postgres.options import Options
from qiki_eventstore.retention.catalogue import StoreCatalogue


class PostgresStore(EngineStore):
    """See `EventStore`. One process writes, holding an advisory lock of the server; any number read with `?mode=ro`.

    >>> store = open_store("postgresql://user@host1,host2/events?sslmode=verify-full", standby=math.inf)

    waits until no other process writes, however long, and is then the one that does.
    """

    def __init__(self, connector: Connector, options: Options, *, read_only: bool) -> None:
        backend = PostgresBackend(connector, options, read_only=read_only)
        self._pool = backend.readers
        self._folder = None if options.segments is None else Path(options.segments)
        heads = None if options.heads is None else Path(options.heads)
        key = None if heads is None else Path(options.key or heads.with_suffix(".key"))
        try:
            super().__init__(
                backend, options, heads=heads, key=key, read_only="opened with mode=ro" if read_only else ""
            )
        except BaseException:
            backend.close()  # and with it the writer's lock
            raise

    @classmethod
    def open(cls, url: str, **options: Any) -> Self:
        """Open a store, making or migrating its tables unless `?mode=ro`.

        Args:
            url: of libpq: `postgresql://user@host1,host2:5432/database?sslmode=verify-full&sslrootcert=/path/ca.pem`.
                The first host that takes writes is used. A password is best given by `passfile=` or `password_file`.
            options: see `Options`.

        Raises:
            ValueError: an option is unknown or out of range, or the URL is none.
            StoreUnavailable: the server cannot be reached or does not sync to disk, another writer holds the store for
                longer than `standby`, or the tables are newer than this program.
        """
        chosen = Options.of(options)
        url, read_only = split_mode(url)
        password_file = None if chosen.password_file is None else Path(chosen.password_file)
        return cls(Connector(url, chosen.schema, password_file), chosen, read_only=read_only)

    @property
    def catalogue(self) -> StoreCatalogue:
        """Its sealed segments and legal holds."""
        return StoreCatalogue(self._pool.connection, self.record, self.store_id)

    @property
    def segments_folder(self) -> Path | None:
        """Folder of the files of its segments; None: it was opened without one."""
        return self._folder
