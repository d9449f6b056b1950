"""The store's tables: migrations, each applied once, and partitions made before they are needed."""

import logging
import time
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from uuid import uuid4

import psycopg
from psycopg import sql

from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.postgres.connection import Connection

_log = logging.getLogger(__name__)

_DAY_NS = 86_400 * 10**9
_PARTITIONS_AHEAD = 3


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


def migrate(connection: Connection, schema: str, partition_days: int, known: list[Migration] | None = None) -> None:
    """Bring the schema up to date: in one transaction, by one process at a time; nothing changes if it fails.

    Raises:
        StoreUnavailable: the schema is newer than the code, or was made by other migrations than these.
    """
    known = migrations() if known is None else known
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('qiki_eventstore ' || %s, 0))", [schema])
        if connection.execute("SELECT to_regnamespace(%s)", [schema]).fetchone() == (None,):
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, name text NOT NULL,"
            " checksum text NOT NULL, applied timestamptz NOT NULL DEFAULT now())"
        )
        applied: dict[int, str] = dict(connection.execute("SELECT number, checksum FROM migrations").fetchall())
        newest = max(applied, default=0)
        if newest > max(migration.number for migration in known):
            raise StoreUnavailable(
                f"schema {schema!r} is at migration {newest}, this program knows {len(known)}: install a newer QIKI"
            )
        for migration in known:
            if migration.number not in applied:
                connection.execute(migration.statements.encode())
                connection.execute(
                    "INSERT INTO migrations (number, name, checksum) VALUES (%s, %s, %s)",
                    [migration.number, migration.name, migration.checksum],
                )
            elif applied[migration.number] != migration.checksum:
                raise StoreUnavailable(
                    f"schema {schema!r}: migration {migration.name} differs from the one that was applied: this "
                    "program and the store do not belong together"
                )
        connection.execute(
            "INSERT INTO store (id, tx_base, partition_days) SELECT %s, 0, %s WHERE NOT EXISTS (SELECT FROM store)",
            [uuid4(), partition_days],
        )
        _raise_tx_base(connection)


def _raise_tx_base(connection: Connection) -> None:
    """After a restore into another cluster its transaction ids may be lower than stored ones: lift them above.

    Otherwise what is stored would look as if it were still to be decided, and followers would wait for years.
    """
    connection.execute(
        "UPDATE store SET tx_base = newest.tx FROM (SELECT max(tx) AS tx FROM events) AS newest"
        " WHERE newest.tx >= tx_base + pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    )


def make_partitions(connection: Connection, now: int | None = None) -> None:
    """Make the partitions of the present period and of the next ones. What cannot be made now is made later.

    Args:
        now: ns since the epoch.
    """
    row = connection.execute(
        "SELECT partition_days, greatest(%s, last_value) FROM store, last_recorded",
        [time.time_ns() if now is None else now],
    ).fetchone()
    assert row is not None
    width = row[0] * _DAY_NS
    first = row[1] // width
    for period in range(first, first + _PARTITIONS_AHEAD):
        day = time.strftime("%Y%m%d", time.gmtime(period * width // 10**9))
        name = f"events_{day}"
        if connection.execute("SELECT to_regclass(%s)", [name]).fetchone() != (None,):
            continue
        try:
            with connection.transaction():
                # Attaching waits for readers, and writers would queue behind it: rather try again later.
                connection.execute("SET LOCAL lock_timeout = '200ms'")
                connection.execute(
                    sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF events FOR VALUES FROM ({}) TO ({})").format(
                        sql.Identifier(name), sql.Literal(period * width), sql.Literal((period + 1) * width)
                    )
                )
        except (psycopg.errors.LockNotAvailable, psycopg.errors.CheckViolation, psycopg.errors.DuplicateTable) as error:
            # CheckViolation: events of that period are in the default partition already; there they stay.
            _log.info("partition %s is not made now: %s", name, error.diag.message_primary)
