"""Backup with PostgreSQL's own pg_dump: consistent, while appends go on."""

import errno
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from psycopg.conninfo import make_conninfo

from qiki_eventstore.errors import EventStoreError, StoreFull, StoreUnavailable
from qiki_eventstore.files import draft_of, publish, sync
from qiki_eventstore.postgres.connection import Connector


def dump(connector: Connector, path: Path) -> None:
    """Write the store's schema to a file for `pg_restore`.

    Raises:
        FileExistsError: the file exists.
        StoreUnavailable: pg_dump is not installed.
        StoreFull: no room for it.
        EventStoreError: it failed; names the reason.
    """
    program = shutil.which("pg_dump")
    if program is None:
        raise StoreUnavailable("a backup of PostgreSQL needs pg_dump: apt-get install postgresql-client")
    parameters = dict(connector.parameters())
    password = parameters.pop("password", None)
    del parameters["options"]
    secret = parameters.pop("sslpassword", None)
    environment = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    with draft_of(path) as draft, TemporaryDirectory() as folder:
        # The command line can be read by everybody on the machine, the environment and this file cannot.
        if secret:
            service = Path(folder) / "service"
            service.write_text(f"[qiki]\nsslpassword={secret}\n")
            parameters, environment["PGSERVICEFILE"] = parameters | {"service": "qiki"}, str(service)
        # Events may be secret: 0600.
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        done = subprocess.run(
            [program, "--format=custom", "--no-password", f"--schema={connector.schema}", f"--file={draft}",
             f"--dbname={make_conninfo(**parameters)}"],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            reason = " ".join(done.stderr.split())
            if os.strerror(errno.ENOSPC) in reason:
                raise StoreFull(f"{path}: no room for it: give another disk; nothing was written: {reason}")
            raise EventStoreError(f"pg_dump failed, nothing was written: {reason}")
        with draft.open("rb") as file:
            sync(file)
        publish(draft, path)
