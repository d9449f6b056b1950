"""A scratch PostgreSQL cluster for tests: made, started, killed and removed by them, on a unix socket of its own."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg

HOW_TO_GET_IT = "PostgreSQL's server is not installed: apt-get install postgresql"

_PLACES = ("/usr/local/bin", "/usr/local/pgsql/bin")


def find_programs() -> Path | None:
    """The folder of initdb and postgres, or None."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: -float(folder.parent.name))
    for folder in [*([Path(found).resolve().parent] if found else []), *debian, *map(Path, _PLACES)]:
        if all((folder / name).exists() for name in ("initdb", "postgres", "pg_basebackup", "pg_ctl")):
            return folder
    return None


class Server:
    """One PostgreSQL server. As root it runs as an unprivileged user, because it refuses to be root."""

    def __init__(self, folder: Path, programs: Path, port: int) -> None:
        self.folder, self.programs, self.port = folder, programs, port
        self.data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def create(cls, settings: str = "") -> "Server":
        """A new cluster in a temporary folder; not started yet. `settings` are lines of postgresql.conf."""
        server = cls._empty()
        server._run("initdb", "-D", str(server.data), "-U", "qiki", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        with (server.data / "postgresql.conf").open("a") as file:
            file.write(
                f"listen_addresses = ''\nunix_socket_directories = '{server.folder}'\nport = {server.port}\n"
                f"max_connections = 200\nshared_buffers = 64MB\nmax_wal_senders = 4\nfsync = on\n"
                # Files instead of /dev/shm, where a killed server would leave them.
                f"dynamic_shared_memory_type = mmap\n{settings}\n"
            )
        return server

    @classmethod
    def _empty(cls) -> "Server":
        programs = find_programs()
        assert programs is not None, HOW_TO_GET_IT
        # Short: the path of a unix socket may have 107 bytes at most.
        folder = Path(tempfile.mkdtemp(prefix="qiki-pg-", dir="/tmp"))
        user = _unprivileged()
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        return cls(folder, programs, 5432)

    def replica(self, name: str) -> "Server":
        """A streaming replica of this running server, started, connecting under a name."""
        other = self._empty()
        primary = f"host={self.folder} port={self.port} user=qiki application_name={name}"
        self._run("pg_basebackup", "-d", primary, "-D", str(other.data), "-R", "-X", "stream", "-c", "fast")
        with (other.data / "postgresql.auto.conf").open("a") as file:
            file.write(f"unix_socket_directories = '{other.folder}'\nsynchronous_standby_names = ''\n")
        other.start()
        return other

    def put(self, name: str, text: str) -> None:
        """Write a file of the data folder, readable by the server alone."""
        path = self.data / name
        path.write_text(text)
        path.chmod(0o600)
        user = _unprivileged()
        if user is not None:
            os.chown(path, user.pw_uid, user.pw_gid)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql:///{database}?host={self.folder}&port={self.port}&user=qiki"

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data], stdout=log, stderr=log, cwd=self.folder, **_identity()
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url()).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()}") from None
                time.sleep(0.05)

    def kill(self) -> None:
        """kill -9 of the server and of all that it started; no shutdown checkpoint, no goodbye to clients."""
        if self._process is None:
            return
        pid = self._process.pid
        os.kill(pid, signal.SIGSTOP)
        # Once it has stopped it starts no more children, and lets go of none that ended: all ids stay theirs.
        _wait_until(lambda: _state(pid) in "TZ")
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        for process in [pid, *children]:
            os.kill(process, signal.SIGKILL)
        self._process.wait()
        self._process = None
        # A process that is being killed may still end a system call, and write into a folder that is being removed.
        _wait_until(lambda: all(_state(child) in "ZX" for child in children))

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # fast shutdown
            self._process.wait(60)
            self._process = None

    def promote(self) -> None:
        self._run("pg_ctl", "promote", "-w", "-D", str(self.data))

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def remove(self) -> None:
        self.kill()
        self._free_shared_memory()
        shutil.rmtree(self.folder)

    def _free_shared_memory(self) -> None:
        """A server that was killed leaves a segment of shared memory, of which the machine has 4096 at most."""
        pid_file = self.data / "postmaster.pid"
        lines = pid_file.read_text().splitlines() if pid_file.exists() else []
        if len(lines) > 6:
            subprocess.run(["ipcrm", "--shmem-id", lines[6].split()[1]], capture_output=True, check=False)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self.programs / program, *arguments], capture_output=True, text=True, cwd=self.folder, check=False,
            **_identity(),
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr}")


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "not within a minute"
        time.sleep(0.005)


def _state(process: int) -> str:
    """Its letter in /proc: T stopped, Z ended but not yet waited for; X if it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def free_port() -> int:
    """A TCP port that is free. Not one that the system chooses: until the server has bound that, another may get it."""
    # Below 32768, from where on Linux takes the ports of outgoing connections; each test process begins elsewhere.
    first = 23_000 + os.getpid() % 9_000
    for port in range(first, 32_768):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("localhost", port))
            return port
    raise RuntimeError(f"no TCP port from {first} to 32767 is free")


def _unprivileged() -> pwd.struct_passwd | None:
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def _identity() -> dict[str, object]:
    user = _unprivileged()
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
