"""The store's tables: migrations, each applied once."""

from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from uuid import uuid4

from psycopg import sql

from qiki_eventstore.chain import link_event
from qiki_eventstore.engine.rows import COLUMNS, Names
from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.postgres.arrays import bytea_array, int8_array
from qiki_eventstore.postgres.connection import Connection
from qiki_eventstore.retention.catalogue import mark_recorded

_PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Migration:
    """A numbered SQL file of `migrations/`."""

    number: int
    name: str
    statements: str

    @property
    def checksum(self) -> str:
        return sha256(self.statements.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All that this version of the code knows, in order."""
    files = [file for file in resources.files(__package__).joinpath("migrations").iterdir() if file.name[-4:] == ".sql"]
    return [
        Migration(int(file.name.split("_")[0]), file.name, file.read_text("utf-8"))
        for file in sorted(files, key=lambda file: file.name)
    ]


def migrate(connection: Connection, schema: str, known: list[Migration] | None = None) -> None:
    """Bring the schema up to date: in one transaction, by one process at a time; nothing changes if it fails.

    Raises:
        StoreUnavailable: the schema is newer than the code, or was made by other migrations than these.
    """
    known = migrations() if known is None else known
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('qiki_eventstore ' || $1, 0))", [schema])
        if connection.execute("SELECT to_regnamespace($1)::text", [schema]).fetchone() == (None,):
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, name text NOT NULL,"
            " checksum text NOT NULL, applied timestamptz NOT NULL DEFAULT now())"
        )
        applied = check(connection, schema, known)
        for migration in known:
            if migration.number not in applied:
                connection.execute(migration.statements, binary=False)
                connection.execute(
                    "INSERT INTO migrations (number, name, checksum) VALUES ($1, $2, $3)",
                    [migration.number, migration.name, migration.checksum],
                )
        if connection.execute("SELECT FROM store").fetchone() is None:
            connection.execute("INSERT INTO store (id) VALUES ($1)", [uuid4()])
            mark_recorded(connection)
        if len(applied) < len(known):
            _complete_chain(connection)


def check(connection: Connection, schema: str, known: list[Migration]) -> set[int]:
    """Numbers of the migrations that were applied.

    Raises:
        StoreUnavailable: as `migrate`.
    """
    applied: dict[int, str] = dict(connection.execute("SELECT number, checksum FROM migrations"))
    newest = max(applied, default=0)
    if newest > max(migration.number for migration in known):
        raise StoreUnavailable(
            f"schema {schema!r} is at migration {newest}, this program knows {len(known)}: install a newer QIKI"
        )
    for migration in known:
        if applied.get(migration.number, migration.checksum) != migration.checksum:
            raise StoreUnavailable(
                f"schema {schema!r}: migration {migration.name} differs from the one that was applied: this "
                "program and the store do not belong together"
            )
    return set(applied)


def _complete_chain(connection: Connection) -> None:
    """Hash the events that version 0.1 had not sealed yet; they are the last ones."""
    names = Names()
    while rows := list(
        connection.execute(f"SELECT {COLUMNS} FROM events WHERE hash = '' ORDER BY position LIMIT {_PAGE}")
    ):
        before = list(
            connection.execute(
                "SELECT hash FROM events WHERE position < $1 ORDER BY position DESC LIMIT 1", [rows[0][0]]
            )
        )
        hash = before[0][0] if before else bytes(32)
        hashes = []
        for event in names.events(connection, rows):
            hash = link_event(hash, event)
            hashes.append(hash)
        connection.execute(
            "UPDATE events SET hash = h.hash FROM unnest($1, $2) AS h(position, hash)"
            " WHERE events.position = h.position",
            [int8_array([row[0] for row in rows]), bytea_array(hashes)],
        )
