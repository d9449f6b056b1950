"""What only the PostgreSQL engine has: migrations, TLS, passwords, full disks, backups, verification."""

import datetime
import logging
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from postgres_server import HOW_TO_GET_IT, Server, find_programs, free_port

from qiki_eventstore import Event, EventStoreError, Query, StoreFull, StoreUnavailable, open_store
from qiki_eventstore.postgres import schema as schemas
from qiki_eventstore.postgres.connection import Connector
from qiki_eventstore.postgres.store import PostgresStore


def happened() -> Event:
    return Event("test.happened", {"what": "something"})


@pytest.fixture
def where(postgres_server: Server, request: pytest.FixtureRequest) -> SimpleNamespace:
    """URL and a schema of this test's own."""
    return SimpleNamespace(url=postgres_server.url(), schema=request.node.name[:40].lower().split("[")[0])


def opened(where: SimpleNamespace, **options: object) -> PostgresStore:
    return PostgresStore.open(where.url, schema=where.schema, **options)


def sql(where: SimpleNamespace, statement: str) -> list[tuple[object, ...]]:
    options = f"-c search_path={where.schema}"
    with psycopg.connect(where.url, options=options, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


# Migrations -----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-4a")
def test_migrations_are_numbered_without_gap_and_recorded(where: SimpleNamespace) -> None:
    with opened(where):
        known = schemas.migrations()
        assert [migration.number for migration in known] == list(range(1, len(known) + 1))
        rows = sql(where, "SELECT number, name, checksum FROM migrations ORDER BY number")
        assert rows == [(migration.number, migration.name, migration.checksum) for migration in known]


@pytest.mark.requirement("EVENT-4a")
def test_a_later_migration_is_applied_once_and_a_failing_one_leaves_nothing(where: SimpleNamespace) -> None:
    with opened(where) as store:
        store.append("bot", [happened()])
        number = len(schemas.migrations()) + 1
        good = schemas.Migration(number, "good.sql", "ALTER TABLE events ADD COLUMN extra integer")
        bad = schemas.Migration(number + 1, "bad.sql", "CREATE TABLE left_over (n int); SELECT no_such_function()")
        connector = Connector(where.url, where.schema, None)
        with connector.connect() as connection:
            with pytest.raises(psycopg.Error):
                schemas.migrate(connection, where.schema, [*schemas.migrations(), good, bad])
            assert sql(where, "SELECT to_regclass('left_over')") == [(None,)]
            for _ in range(2):
                schemas.migrate(connection, where.schema, [*schemas.migrations(), good])
        assert sql(where, "SELECT count(*) FROM migrations") == [(number,)]
        assert [event.stream for event in store.read_all()] == ["bot"]


@pytest.mark.requirement("EVENT-4a")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("INSERT INTO migrations (number, name, checksum) VALUES (99, 'future', '')", "install a newer QIKI"),
        ("UPDATE migrations SET checksum = 'other' WHERE number = 1", "0001_events.sql differs"),
    ],
)
def test_a_schema_of_another_program_is_refused(where: SimpleNamespace, change: str, reason: str) -> None:
    with opened(where):
        pass
    sql(where, change)
    with pytest.raises(StoreUnavailable, match=reason):
        opened(where)
    sql(where, f"DROP SCHEMA {where.schema} CASCADE")


def test_many_may_open_a_new_store_at_once(where: SimpleNamespace) -> None:
    def use(number: int) -> list[int]:
        with opened(where) as store:
            return store.append(f"bot/{number}", [happened()])

    with ThreadPoolExecutor(8) as pool:
        positions = sorted(position for found in pool.map(use, range(8)) for position in found)
    assert positions == list(range(1, 9))


@pytest.mark.requirement("EVENT-1a")
def test_recording_time_never_falls_when_the_clock_jumps_back(where: SimpleNamespace) -> None:
    times = iter([5_000, 4_000, 3_000, 9_000])
    with opened(where, clock=lambda: next(times)) as store:
        for _ in range(4):
            store.append("bot", [happened()])
        assert [event.recorded for event in store.read("bot")] == [5_000, 5_001, 5_002, 9_000]
        assert store.verify().ok


# Full disk ------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-15c")
def test_a_full_disk_makes_it_read_only_until_there_is_room(where: SimpleNamespace) -> None:
    """The server's own error, raised where it would raise it."""
    with opened(where) as store:
        store.append("bot", [happened()])
        sql(
            where,
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING"
            " ERRCODE = 'disk_full', MESSAGE = 'could not extend file: No space left on device'; END $$;"
            "CREATE TRIGGER no_room BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION no_room()",
        )
        with pytest.raises(StoreFull, match="No space left"):
            store.append("bot", [happened()])
        assert "full" in store.stats().read_only
        with pytest.raises(StoreFull):
            store.append("bot", [happened()])
        assert len(store.read("bot")) == 1
        sql(where, "DROP FUNCTION no_room CASCADE")
        deadline = time.monotonic() + 30
        while True:
            try:
                store.append("bot", [happened()])
                break
            except StoreFull:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert store.stats().read_only == ""
        assert [event.version for event in store.read("bot")] == [0, 1]


# Connections ----------------------------------------------------------------------------------------------------------


def test_connections_that_are_cut_are_made_again(where: SimpleNamespace) -> None:
    with opened(where) as store, store.subscribe(after=0) as subscription:
        for number in range(3):
            store.append("bot", [happened()])
            event = subscription.get(timeout=10)
            assert event is not None
            assert event.version == number
            sql(
                where,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'qiki_eventstore'",
            )
            assert len(list(store.read_all())) == number + 1
        assert store.stats().appended == 3


def test_a_server_that_does_not_sync_is_refused() -> None:
    if find_programs() is None:
        pytest.skip(HOW_TO_GET_IT)
    server = Server.create("fsync = off")
    try:
        server.start()
        with pytest.raises(StoreUnavailable, match="fsync=off"):
            open_store(server.url())
    finally:
        server.remove()


def test_a_database_that_commits_without_waiting_is_made_to_wait(where: SimpleNamespace) -> None:
    with Connector(where.url + "&options=-c%20synchronous_commit%3Doff", where.schema, None).connect() as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


@pytest.mark.requirement("EVENT-4b")
@pytest.mark.parametrize(
    "url", ["host=somewhere password=geheim nonsense", "postgresql://user:geheim@/database?nonsense=1"]
)
def test_a_url_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="libpq") as caught:
        PostgresStore.open(url)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [("schema", "Robert'); DROP"), ("patience", -1), ("max_events", 0), ("standby", -1), ("nonsense", 1)],
)
def test_an_option_out_of_range_is_named(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=option):
        open_store("postgresql:///nowhere", **{option: value})


# TLS and passwords ----------------------------------------------------------------------------------------------------


def certificate(folder: Path) -> None:
    """A self-signed certificate for localhost: tls.pem, tls.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    folder.joinpath("tls.pem").write_bytes(made.public_bytes(encoding))
    folder.joinpath("tls.key").write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A server that takes nothing but TLS with a password."""
    if find_programs() is None:
        pytest.skip(HOW_TO_GET_IT)
    folder = tmp_path_factory.mktemp("tls")
    certificate(folder)
    port = free_port()
    server = Server.create(f"port = {port}\nssl = on\nssl_cert_file = 'tls.pem'\nssl_key_file = 'tls.key'")
    server.port = port
    try:
        server.put("tls.pem", folder.joinpath("tls.pem").read_text())
        server.put("tls.key", folder.joinpath("tls.key").read_text())
        with (server.data / "postgresql.conf").open("a") as file:
            file.write("listen_addresses = 'localhost'\n")
        server.put("pg_hba.conf", "local all all trust\nhostssl all all all scram-sha-256\n")
        server.start()
        server.execute("ALTER USER qiki PASSWORD 'geheim'")
        url = f"postgresql://qiki@localhost:{port}/postgres?sslmode=verify-full&sslrootcert="
        yield SimpleNamespace(url=url, root=folder / "tls.pem", port=port)
    finally:
        server.remove()


@pytest.mark.requirement("EVENT-4b")
def test_tls_is_verified_and_the_password_comes_from_a_file(
    guarded: SimpleNamespace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = tmp_path / "secret"
    secret.write_text("geheim\n")
    passfile = tmp_path / "passfile"
    passfile.write_text("*:*:*:*:geheim\n")
    passfile.chmod(0o600)
    with open_store(f"{guarded.url}{guarded.root}", password_file=secret) as store:
        store.append("bot", [happened()])
        with Connector(f"{guarded.url}{guarded.root}&passfile={passfile}", "qiki", None).connect() as connection:
            row = connection.execute("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                                     " WHERE application_name = 'qiki_eventstore'").fetchone()  # fmt: skip
            assert row == (True,)
    secret.write_text("falsch\n")
    with pytest.raises(StoreUnavailable, match="password authentication failed") as caught:
        open_store(f"{guarded.url}{guarded.root}", password_file=secret)
    with pytest.raises(StoreUnavailable, match="password_file"):
        open_store(f"{guarded.url}{guarded.root}", password_file=tmp_path / "missing")
    other = tmp_path / "other"
    other.mkdir()
    certificate(other)
    with pytest.raises(StoreUnavailable, match="certificate"):
        open_store(f"{guarded.url}{other / 'tls.pem'}", password_file=secret)
    for text in ("geheim", "falsch"):
        assert text not in caplog.text
        assert text not in str(caught.value)


# Verification ---------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-5")
@pytest.mark.parametrize(
    ("change", "position", "reason"),
    [
        ("UPDATE events SET payload = '{}' WHERE position = 7", 7, "hash does not fit"),
        ("UPDATE events SET correlation = 'x' WHERE position = 7", 7, "hash does not fit"),
        ("UPDATE events SET hash = sha256('x') WHERE position = 7", 7, "hash does not fit"),
        ("UPDATE events SET recorded = 0 WHERE position = 7", 7, "recorded before"),
        ("DELETE FROM events WHERE position = 7", 7, "event 7 is missing"),
        ("UPDATE events SET version = 70 WHERE position = 7", 7, "has version 70"),
        ("UPDATE types SET name = 'test.invented' WHERE name = 'test.happened'", 1, "hash does not fit"),
        ("DELETE FROM types", 1, "cannot be"),
    ],
)
def test_verify_names_what_was_changed(where: SimpleNamespace, change: str, position: int | None, reason: str) -> None:
    with opened(where) as store:
        for _ in range(10):
            store.append("bot", [happened()])
        found = store.verify()
        assert found.ok
        assert found.checked == found.head == 10
        sql(where, change)
        found = store.verify()
        assert not found.ok
        assert found.first_bad == position
        assert reason in found.reason
    sql(where, f"DROP SCHEMA {where.schema} CASCADE")


@pytest.mark.requirement("EVENT-5a")
def test_signed_heads_know_of_a_tail_that_was_cut_off(where: SimpleNamespace, tmp_path: Path) -> None:
    options = {"heads": tmp_path / "station.heads", "sign_events": 5}
    with opened(where, **options) as store:
        for _ in range(10):
            store.append("bot", [happened()])
    with opened(where, **options) as store:
        found = store.verify()
        assert found.ok, found.reason
        assert found.signed == 10
    sql(where, "DELETE FROM events WHERE position > 8")
    with opened(where) as store:
        assert store.verify().ok, "without the signed heads nothing is missing"
    with opened(where, **options) as store:
        found = store.verify()
        assert not found.ok
        assert "missing at the end" in found.reason
        assert found.first_bad is None


# Backup ---------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-2e")
def test_a_backup_restored_elsewhere_goes_on(where: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "events.dump"
    with opened(where) as store:
        for number in range(20):
            store.append(f"bot/{number % 2}", [Event("test.happened", {"number": number})])
        store.backup(path)
        assert path.stat().st_mode & 0o077 == 0
        with pytest.raises(FileExistsError):
            store.backup(path)
        original = list(store.read_all())
    sql(where, f"ALTER SCHEMA {where.schema} RENAME TO {where.schema}_old")
    restore = shutil.which("pg_restore")
    assert restore is not None
    subprocess.run([restore, "--dbname", where.url, "--exit-on-error", str(path)], check=True, capture_output=True)
    with opened(where) as store, store.subscribe(after=0) as subscription:
        assert [event.id for event in store.read_all()] == [event.id for event in original]
        added = store.append("bot/0", [happened()])
        followed = [subscription.get(timeout=10) for _ in range(21)]
        assert [event and event.position for event in followed] == [event.position for event in original] + added
        verification = store.verify()
        assert verification.ok, verification.reason
        assert verification.checked == 21


def test_a_backup_without_pg_dump_says_how_to_get_it(
    where: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(where) as store:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(StoreUnavailable, match="postgresql-client"):
            store.backup(tmp_path / "events.dump")


# Reading --------------------------------------------------------------------------------------------------------------


def test_patterns_of_like_are_no_patterns_here(where: SimpleNamespace) -> None:
    names = ["a_b/x", "aXb/x", "a%/x", "a\\/x"]
    with opened(where) as store:
        for name in names:
            store.append(name, [happened()])
        for name in names:
            assert store.streams(name) == [name]
            assert store.streams(name[:-1] + "*") == [name]
            assert [event.stream for event in store.read_all(Query(streams=(name,)))] == [name]


def test_a_failed_backup_leaves_no_file(where: SimpleNamespace, tmp_path: Path) -> None:
    with opened(where) as store:
        sql(where, f"ALTER SCHEMA {where.schema} RENAME TO {where.schema}_gone")
        with pytest.raises(EventStoreError, match="pg_dump"):
            store.backup(tmp_path / "events.dump")
        assert not list(tmp_path.iterdir())
        sql(where, f"ALTER SCHEMA {where.schema}_gone RENAME TO {where.schema}")
