"""Stores for tests: `make_store` runs a test once with every engine."""

import itertools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from qiki_eventstore import EventStore, open_store

if TYPE_CHECKING:
    from postgres_server import Server

sys.path.insert(0, str(Path(__file__).parent))  # for the helpers beside the tests


class MakeStore(Protocol):
    """Opens the store of a name, empty at first; all are closed after the test."""

    def __call__(self, name: str = "events", **options: Any) -> EventStore: ...


def sqlite_stores(request: pytest.FixtureRequest) -> Iterator[MakeStore]:
    folder = request.getfixturevalue("tmp_path")
    opened: list[EventStore] = []

    def make(name: str = "events", **options: Any) -> EventStore:
        store = open_store(f"sqlite:///{folder}/{name}.db", **{"reserve_bytes": 0, **options})
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


def postgres_stores(request: pytest.FixtureRequest) -> Iterator[MakeStore]:
    server = request.getfixturevalue("postgres_server")
    prefix = f"t{next(_numbers)}_"
    opened: list[EventStore] = []

    def make(name: str = "events", **options: Any) -> EventStore:
        store = open_store(server.url(), schema=prefix + name, **options)
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


_numbers = itertools.count()

ENGINES = {"sqlite": sqlite_stores, "postgresql": postgres_stores}
"""Each gives an iterator of one `MakeStore`."""


@pytest.fixture(scope="session")
def postgres_server() -> "Iterator[Server]":
    """A running PostgreSQL server; without one installed its tests are skipped."""
    from postgres_server import HOW_TO_GET_IT, Server, find_programs

    if find_programs() is None:
        pytest.skip(HOW_TO_GET_IT)
    server = Server.create()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(params=list(ENGINES))
def make_store(request: pytest.FixtureRequest) -> Iterator[MakeStore]:
    """Every engine in turn."""
    yield from ENGINES[request.param](request)


@pytest.fixture
def store(make_store: MakeStore) -> EventStore:
    """An empty store of every engine."""
    return make_store()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("no mount program: install it to test with a real full disk")
    mounted = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted ({mounted.stderr.strip()}): run the tests as root")
    yield folder
    subprocess.run(["umount", folder], check=True)
