"""Backup with PostgreSQL's own pg_dump: consistent, while appends go on."""

import os
import shutil
import subprocess
from pathlib import Path

from psycopg.conninfo import make_conninfo

from qiki_eventstore.errors import EventStoreError, StoreUnavailable
from qiki_eventstore.postgres.connection import Connector


def dump(connector: Connector, path: Path) -> None:
    """Write the store's schema to a file for `pg_restore`.

    Raises:
        FileExistsError: the file exists.
        StoreUnavailable: pg_dump is not installed.
        EventStoreError: it failed; names the reason.
    """
    program = shutil.which("pg_dump")
    if program is None:
        raise StoreUnavailable("a backup of PostgreSQL needs pg_dump: apt-get install postgresql-client")
    parameters = dict(connector.parameters())
    password = parameters.pop("password", None)
    del parameters["options"]
    # Taken before pg_dump runs, so that no file that exists is ever written to. Events may be secret: 0600.
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    # The command line can be read by everybody on the machine, the environment cannot.
    environment = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    done = subprocess.run(
        [program, "--format=custom", "--no-password", f"--schema={connector.schema}", f"--file={path}",
         f"--dbname={make_conninfo(**parameters)}"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        path.unlink()
        raise EventStoreError(f"pg_dump failed, nothing was written: {done.stderr.strip()}")
