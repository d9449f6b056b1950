"""Copies are there whole or not at all: without hard links, without room, beside files that are there already."""

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from qiki_eventstore import Event, EventStore, StoreFull, open_store
from qiki_eventstore.backup import restore
from qiki_eventstore.retention.policy import Policy
from qiki_eventstore.retention.retention import Retention
from qiki_eventstore.retention.segment import Retainable
from qiki_eventstore.sqlite.location import url_of
from qiki_eventstore.transfer import export_events


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    """300 kB of events, signed up to the end; what is copied is bigger than any limit of this file."""
    (tmp_path / "data").mkdir()
    for _ in range(2):
        store = open_store(url_of(tmp_path / "data" / "events.db"), reserve_bytes=0)
        if not store.head():
            store.append("alpha/x", [Event("test.made", {"text": "x" * 3000}) for _ in range(100)])
            store.close()
    with store:
        yield store


def make_backup(store: EventStore, folder: Path) -> None:
    store.backup(folder / "copy.db")


def make_export(store: EventStore, folder: Path) -> None:
    export_events(store, folder / "copy.db")


def make_restored(store: EventStore, folder: Path) -> None:
    backup = folder.parent / "backup.db"
    if not backup.exists():
        with unlimited():
            store.backup(backup)
    restore(backup, folder / "copy.db")


def make_segments(store: EventStore, folder: Path) -> None:
    assert isinstance(store, Retainable)
    Retention(store, store.catalogue, folder, Policy(max_events=10, segment_events=80)).apply()


COPIES = [make_backup, make_export, make_restored, make_segments]


@contextmanager
def limited(size: int) -> Iterator[None]:
    """Files end at that many bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def unlimited() -> Any:
    return limited(resource.RLIM_INFINITY)


@pytest.mark.requirement("EVENT-7d")
@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("size", [0, 50, 20_000, 150_000])
def test_a_copy_without_room_leaves_nothing_and_names_it(
    store: EventStore, tmp_path: Path, copy: Callable[[EventStore, Path], None], size: int
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    if copy is make_restored:
        store.backup(tmp_path / "backup.db")
    with limited(size), pytest.raises(StoreFull, match="no room for it") as caught:
        copy(store, folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(folder.iterdir()) == []
    copy(store, folder)
    if copy is make_segments:
        folder.rename(tmp_path / "data" / "events.db.segments")
    assert store.verify().ok


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_hard_links_does(
    store: EventStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    copy: Callable[[EventStore, Path], None],
    code: int,
) -> None:
    def link(*_arguments: Any, **_named: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", link)
    folder = tmp_path / "copies"
    folder.mkdir()
    copy(store, folder)
    names = {file.name for file in folder.iterdir()}
    assert not [name for name in names if ".part" in name]
    if copy in (make_backup, make_restored):
        written = (
            {"copy.db.key", "copy.db.lock"} if copy is make_restored else set()
        )  # a restore is an event of the copy
        assert names == {"copy.db", "copy.db.heads", "copy.db.pub"} | written
        with open_store(url_of(folder / "copy.db", read_only=True)) as copied:
            assert copied.verify().signed == (101 if copy is make_restored else 100)
    if copy is make_segments:
        assert len(names) == 1
    else:
        with pytest.raises(FileExistsError, match="already"):
            copy(store, folder)
        # A reader of a store that was written leaves SQLite's log.
        assert {file.name for file in folder.iterdir()} - {"copy.db-wal", "copy.db-shm"} == names


@pytest.mark.parametrize("suffix", ["", ".heads", ".pub"])
def test_a_backup_replaces_nothing_of_another(store: EventStore, tmp_path: Path, suffix: str) -> None:
    taken = tmp_path / f"copy.db{suffix}"
    taken.symlink_to("nowhere")
    with pytest.raises(FileExistsError, match="already"):
        store.backup(tmp_path / "copy.db")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(["data", taken.name])
