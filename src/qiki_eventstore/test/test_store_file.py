"""The file of a SQLite store: one writer whatever its names, its own under its name, the one that signed its heads."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from qiki_eventstore import Event, EventStore, StoreCorrupt, StoreFull, StoreUnavailable, open_store
from qiki_eventstore.heads import read_heads
from qiki_eventstore.opening import shown
from qiki_eventstore.sqlite.location import parse_url, url_of

FAST = {"reserve_bytes": 0, "sign_seconds": 0.02, "probe": 0.02}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "events.db"


def opened(path: Path, **options: Any) -> EventStore:
    return open_store(url_of(path), **{**FAST, **options})


def append(store: EventStore, count: int = 1) -> list[int]:
    return [store.append("alpha/x", [Event("test.made", {"n": n})])[0] for n in range(count)]


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# One writer ---------------------------------------------------------------------------------------------------------


def linked(path: Path) -> str:
    (path.parent.parent / "alias.db").symlink_to(path)
    return str(path.parent.parent / "alias.db")


def linked_folder(path: Path) -> str:
    (path.parent.parent / "alias").symlink_to(path.parent)
    return str(path.parent.parent / "alias" / path.name)


def relative(path: Path) -> str:
    os.chdir(path.parent)
    return path.name


def by_way_of_a_parent(path: Path) -> str:
    return str(path.parent / ".." / "data" / path.name)


def without_its_lock_file(path: Path) -> str:
    path.with_name("events.db.lock").unlink()
    return str(path)


def hard_linked(path: Path) -> str:
    os.link(path, path.parent.parent / "second.db")
    return str(path.parent.parent / "second.db")


def mounted(path: Path) -> str:
    (path.parent.parent / "mounted.db").touch()
    subprocess.run(["mount", "--bind", path, path.parent.parent / "mounted.db"], check=True)
    return str(path.parent.parent / "mounted.db")


@pytest.fixture
def unmounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    if (tmp_path / "mounted.db").exists():
        subprocess.run(["umount", tmp_path / "mounted.db"], check=True)


@pytest.mark.usefixtures("unmounted")
@pytest.mark.requirement("EVENT-15h")
@pytest.mark.parametrize(
    "name",
    [
        *(linked, linked_folder, relative, by_way_of_a_parent, without_its_lock_file, hard_linked),
        pytest.param(mounted, marks=pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")),
    ],
)
def test_a_file_has_one_writer_whatever_it_is_called(path: Path, name: Callable[[Path], str]) -> None:
    with opened(path) as store:
        append(store)
        with open_store(url_of(path, read_only=True)) as reader:
            second = name(path)
            for _ in range(3):  # a failed attempt changes nothing
                with pytest.raises(StoreUnavailable, match=r"held by another|hard links"):
                    open_store(f"sqlite:///{second}", **FAST)
            # From another process too, and SQLite's own locks of this one still hold.
            code = f"from qiki_eventstore import open_store; open_store('sqlite:///{second}')"
            other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
            assert "StoreUnavailable" in other.stderr
            if name is hard_linked:  # another program may write by that name at any time
                with pytest.raises(StoreFull, match="another name"):
                    append(store)
                Path(second).unlink()
                wait_for(lambda: not store.stats().read_only)
            append(store)
            assert reader.head() == store.head() == 2
            assert "POSIX" in locks_of(path)
        assert store.verify().ok


def locks_of(path: Path) -> set[str]:
    lines = Path("/proc/locks").read_text().splitlines()
    return {line.split()[1] for line in lines if f":{path.stat().st_ino} " in line}


def test_a_store_is_reached_by_all_its_names_in_turn(path: Path) -> None:
    with opened(path) as store:
        append(store)
    with open_store(f"sqlite:///{linked(path)}", **FAST) as store:
        assert append(store) == [2]
        assert store.verify().signed == 1  # the files beside the database are those of its own name
    assert sorted(file.name for file in path.parent.parent.iterdir()) == ["alias.db", "data"]


def test_a_fork_neither_writes_nor_keeps_the_lock(path: Path) -> None:
    code = """
import os, sys, time
from qiki_eventstore import Event, StoreUnavailable, open_store
store = open_store(sys.argv[1], reserve_bytes=0)
store.append("alpha/x", [Event("test.made", {})])
ready, go = os.pipe()
if os.fork():
    os.write(go, b"x")
    os._exit(0)  # with the lock
os.read(ready, 1)
time.sleep(0.05)
try:
    store.append("alpha/x", [Event("test.made", {})])
except StoreUnavailable as error:
    print(error, flush=True)
store.close()
print("left", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-W", "ignore", "-c", code, url_of(path)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert "is a fork" in child.stdout.readline()
    assert child.stdout.readline() == "left\n"
    with opened(path) as store:  # while the child lives
        assert append(store) == [2]
        assert store.verify().ok
    child.communicate("")


# The file under its name --------------------------------------------------------------------------------------------


def files(path: Path) -> list[Path]:
    return sorted(path.parent.glob("events.db*"))


def move(path: Path) -> None:
    path.rename(path.with_name("old.db"))


def remove(path: Path) -> None:
    path.unlink()


def remove_all(path: Path) -> None:
    for file in files(path):
        file.unlink()


def remove_log(path: Path) -> None:
    path.with_name("events.db-wal").unlink()


def remove_index(path: Path) -> None:
    path.with_name("events.db-shm").unlink()


def replace_log(path: Path) -> None:
    log = path.with_name("events.db-wal")
    content = log.read_bytes()
    log.unlink()
    log.write_bytes(content)


def replace(path: Path) -> None:
    shutil.copy(path, path.with_name("x"))
    path.with_name("x").rename(path)


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


@pytest.mark.requirement("EVENT-15i")
@pytest.mark.parametrize(
    "change", [move, remove, remove_all, remove_log, remove_index, replace_log, replace, move_folder]
)
def test_nothing_is_acknowledged_into_a_file_that_is_not_there(path: Path, change: Callable[[Path], None]) -> None:
    store = opened(path)
    append(store, 5)
    change(path)
    wait_for(lambda: store.stats().read_only)  # nobody appends
    with pytest.raises(StoreFull, match=r"was (moved or removed|replaced by another file) while"):
        append(store)
    with pytest.raises(StoreFull):
        store.submit("alpha/x", [Event("test.made", {})]).result(10)
    store.close()
    if change is not remove_all and change is not remove:
        kept = {move: path.with_name("old.db"), move_folder: path.parent.with_name("elsewhere") / path.name}
        heads = path.parent / "none.heads"
        if change is replace:  # the copy has none of the log's events; the file that was replaced is gone
            return
        with open_store(url_of(kept.get(change, path), read_only=True), heads=heads) as reader:
            assert reader.head() == 5
            assert reader.verify().ok


def test_nothing_is_acknowledged_between_two_looks(path: Path) -> None:
    with opened(path, sign_seconds=10) as store:
        append(store)
        for _ in range(20):
            path.rename(path.with_name("old.db"))
            with pytest.raises(StoreFull, match="moved or removed"):
                append(store)
            path.with_name("old.db").rename(path)
            wait_for(lambda: not store.stats().read_only)  # it goes on by itself
            assert append(store) == [store.head()]
        assert store.verify().ok
        assert store.head() == 21


@pytest.mark.requirement("EVENT-15i")
def test_closing_leaves_the_files_of_a_successor_alone(path: Path) -> None:
    first = opened(path)
    append(first, 3)
    move_folder(path)
    path.parent.mkdir()
    with opened(path) as second:
        append(second, 2)
        with pytest.raises((StoreFull, StoreUnavailable)):
            append(first)
        first.close()
        with pytest.raises(StoreUnavailable):
            first.head()
        assert append(second) == [3]
        with open_store(url_of(path, read_only=True)) as reader:
            assert reader.head() == 3
        names = {file.name for file in files(path)}
        assert {"events.db-wal", "events.db-shm"} <= names
    with opened(path) as second:
        assert second.head() == 3
        assert second.verify().ok
    with opened(path.parent.with_name("elsewhere") / path.name) as store:
        assert store.head() == 3
        assert store.verify().ok


def test_a_reader_does_not_read_a_store_that_took_the_place(path: Path) -> None:
    with opened(path) as store:
        append(store, 3)
    reader = open_store(url_of(path, read_only=True))
    move(path)
    with opened(path, heads=path.parent / "second.heads"), pytest.raises(StoreUnavailable, match="replaced by another"):
        reader.head()
    reader.close()


def test_a_copy_over_the_open_database_stops_it(path: Path, tmp_path: Path) -> None:
    with opened(path) as store:
        append(store, 3)
    with opened(path) as store:
        store.backup(tmp_path / "backup.db")
        append(store, 3)
        path.write_bytes((tmp_path / "backup.db").read_bytes())
        wait_for(lambda: "overwritten by another program" in store.stats().read_only)
        with pytest.raises(StoreCorrupt, match="restore a backup"):
            append(store)
    assert path.read_bytes() == (tmp_path / "backup.db").read_bytes()


def cut_log(path: Path) -> None:
    os.truncate(path.with_name("events.db-wal"), 0)


def halve_log(path: Path) -> None:
    log = path.with_name("events.db-wal")
    os.truncate(log, log.stat().st_size // 2)


def cut_and_refill_log(path: Path) -> None:
    """As a cut just before a commit: SQLite writes behind it, so that the size is as before."""
    log = path.with_name("events.db-wal")
    size = log.stat().st_size
    os.truncate(log, 0)
    os.truncate(log, size)


@pytest.mark.requirement("EVENT-15i")
@pytest.mark.parametrize("change", [cut_log, halve_log, cut_and_refill_log])
def test_nothing_is_acknowledged_into_a_log_that_was_cut(path: Path, change: Callable[[Path], None]) -> None:
    with opened(path) as store:
        append(store)
    with opened(path) as store:
        append(store, 9)
        change(path)
        if change is cut_and_refill_log:
            wait_for(store._read_only)  # type: ignore[attr-defined]
        for _ in range(2):
            with pytest.raises(StoreCorrupt, match=r"events.db-wal was (cut short|changed) by another program"):
                append(store)
        assert "by another program" in store.stats().read_only
    with opened(path) as store:  # the loss is known, and nothing hides it
        assert 1 <= store.head() < 10
        assert "knows position 10: events are missing at the end" in store.stats().read_only


@pytest.mark.requirement("EVENT-5b")
def test_signed_heads_that_are_removed_meanwhile_are_reported(path: Path) -> None:
    heads = path.with_name("events.db.heads")
    with opened(path) as store:
        append(store)
        wait_for(heads.exists)
        heads.unlink()
        append(store)
        wait_for(lambda: store.stats().warning)
        assert "events.db.heads was removed or replaced" in store.stats().warning
        wait_for(lambda: store.verify().signed == 2)


@pytest.mark.parametrize("suffix", [".heads", ".key", ".pub", ".lock"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_no_pipe_beside_the_store_blocks_it(path: Path, suffix: str, make: Callable[[Path], None]) -> None:
    with opened(path) as store:
        append(store)
    file = path.with_name(path.name + suffix) if suffix != ".pub" else path.with_suffix(".db.pub")
    file.unlink(missing_ok=True)
    make(file)
    with pytest.raises(StoreUnavailable, match=re.escape(str(file))):
        opened(path)
    if suffix == ".heads":
        with open_store(url_of(path, read_only=True)) as reader, pytest.raises(StoreUnavailable, match="regular file"):
            reader.verify()


def test_another_program_may_vacuum_an_open_store(path: Path) -> None:
    with opened(path) as store:
        store.append("alpha/x", [Event("test.made", {"pad": "x" * 50_000})])
        other = apsw.Connection(str(path))
        other.set_busy_timeout(10_000)
        other.execute("CREATE TABLE junk(x); INSERT INTO junk VALUES (zeroblob(1000000)); DROP TABLE junk")
        other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        before = path.stat().st_size
        store._backend.upkeep()  # type: ignore[attr-defined]
        other.execute("VACUUM")
        other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        after = path.stat().st_size
        assert after < before
        # A look in the middle of that checkpoint finds the new head and the old size.
        for size in (before, after):
            os.truncate(path, size)
            store._backend.upkeep()  # type: ignore[attr-defined]
        other.close()
        assert append(store) == [2]
        assert store.verify().ok


# The store that signed ----------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-5b")
def test_a_store_that_was_rolled_back_takes_nothing(path: Path, tmp_path: Path) -> None:
    with opened(path) as store:
        append(store, 5)
        store.backup(tmp_path / "backup.db")
        append(store, 5)
    heads = path.with_name("events.db.heads")
    evidence = heads.read_bytes()
    shutil.copy(tmp_path / "backup.db", path)
    with opened(path) as store:
        assert "knows position 10: events are missing at the end" in store.stats().read_only
        with pytest.raises(StoreCorrupt, match=r"move .* away"):
            append(store)
        assert store.head() == 5  # and can be read
    assert heads.read_bytes() == evidence
    # The way that the reason names.
    heads.rename(tmp_path / "old.heads")
    with opened(path) as store:
        append(store, 7)
    # Others in the place of those that were lost.
    heads.write_bytes(evidence)
    with opened(path) as store:
        assert "position 10 has another hash" in store.stats().read_only
    assert heads.read_bytes() == evidence


@pytest.mark.requirement("EVENT-5b")
@pytest.mark.parametrize("in_place", [False, True])
def test_an_older_copy_in_the_place_of_an_open_store_is_found_out(path: Path, tmp_path: Path, in_place: bool) -> None:
    with opened(path) as store:
        append(store, 5)
    shutil.copy(path, tmp_path / "older.db")
    with opened(path, sign_seconds=1e3, probe=0.1) as store:
        append(store, 5)
        if in_place:
            path.write_bytes((tmp_path / "older.db").read_bytes())
        else:
            (tmp_path / "older.db").rename(path)
        if not in_place:
            wait_for(lambda: store.stats().read_only)
    with opened(path) as store:
        if not in_place:
            assert "knows position 10: events are missing at the end" in store.stats().read_only
        else:  # its log was left, and had them all
            assert store.head() == 10
            assert store.verify().ok


def test_heads_of_another_store_are_named(path: Path) -> None:
    with opened(path) as store:
        append(store)
        first = store.store_id  # type: ignore[attr-defined]
    path.unlink()
    with opened(path) as store:
        assert f"signed heads of another store, {first}" in store.stats().read_only
        with pytest.raises(StoreCorrupt, match="another store"):
            append(store)
    assert len(list(read_heads(path.with_name("events.db.heads")))) == 1


# Opening that fails -------------------------------------------------------------------------------------------------


def bad_key(path: Path) -> None:
    path.with_name("events.db.key").write_text("secret")


def newer(path: Path) -> None:
    apsw.Connection(str(path)).execute("PRAGMA user_version = 99")


def damaged(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def folder_for_the_log(path: Path) -> None:
    path.with_name("events.db-wal").mkdir()


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def broken_heads(path: Path) -> None:
    path.with_name("events.db.heads").unlink()
    path.with_name("events.db.heads").mkdir()


@pytest.mark.requirement("EVENT-15h")
@pytest.mark.parametrize("spoil", [bad_key, newer, damaged, folder, folder_for_the_log, fifo, broken_heads])
def test_an_opening_that_fails_keeps_no_lock(path: Path, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    with opened(path) as store:
        append(store)
    shutil.copytree(path.parent, tmp_path / "kept")
    spoil(path)
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises((StoreUnavailable, StoreCorrupt, StoreFull)) as caught:
            opened(path)
        assert "events.db" in str(caught.value)
        assert "held by" not in str(caught.value)
    del caught
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    shutil.rmtree(path.parent)
    shutil.copytree(tmp_path / "kept", path.parent)
    with opened(path) as store:
        assert append(store) == [2]


# Names --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a#b", "%41", "a?mode=ro", " a b ", "Übergröße", 'it\'s "q"', "a\nb", "a&b=c;d", ":x:"]
)
def test_any_name_works(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / f"{name}.db"
    path.parent.mkdir()
    with opened(path) as store:  # as a URL
        append(store)
    with open_store(str(path), **FAST) as store:  # as launch files give it
        assert append(store) == [2]
        store.backup(tmp_path / name / "backup.db")
    assert parse_url(shown(str(path)))[0] == path
    assert parse_url(shown(url_of(path)))[0] == path
    with open_store(url_of(path, read_only=True)) as store:
        assert store.head() == 2
        assert store.verify().ok
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "url", ["sqlite:///a%FF.db", "/tmp/\udcff.db", "sqlite:///a%00.db", "sqlite:///a.db?", "a", ""]
)
def test_names_that_cannot_be_are_refused_in_a_line(url: str) -> None:
    if url.endswith("?"):
        assert parse_url(url) == (Path("a.db"), False)
        return
    with pytest.raises(ValueError, match="store") as caught:
        open_store(url)
    assert "\n" not in str(caught.value)
    str(caught.value).encode()


# A closed store on a medium that cannot be written to ---------------------------------------------------------------


@contextmanager
def nobody() -> Iterator[None]:
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def check_three(path: Path) -> None:
    with open_store(url_of(path, read_only=True)) as store:
        assert len(list(store.read_all())) == 3
        assert store.verify().ok


@pytest.mark.requirement("EVENT-15j")
@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_another_user_reads_a_closed_store() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        check_another_user(Path(folder) / "data" / "events.db", Path(folder))


def check_another_user(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    with opened(path) as store:
        append(store, 3)
        with nobody():
            check_three(path)  # also while it is written to
        shutil.copytree(path.parent, tmp_path / "crashed")
    (tmp_path / "crashed" / "events.db-shm").unlink()
    path.chmod(0o444)
    with nobody():
        check_three(path)
        with open_store(url_of(path, read_only=True)) as reader:
            assert reader.head() == 3
            os.seteuid(0)
            with opened(path) as store:  # a writer comes while it is read
                append(store)
                os.seteuid(65534)
                assert reader.head() == 4
                os.seteuid(0)
            os.seteuid(65534)
        with pytest.raises(StoreUnavailable, match=r"events\.db-wal holds events that are not in the database yet"):
            check_three(tmp_path / "crashed" / "events.db")
        with pytest.raises(StoreUnavailable, match=r"events\.db\.lock cannot be opened: Permission denied"):
            opened(path)
    path.chmod(0o600)
    with nobody(), pytest.raises(StoreUnavailable, match=r"Permission denied|no permission to read it"):
        check_three(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_closed_store_is_read_from_a_read_only_medium(path: Path) -> None:
    with opened(path) as store:
        append(store, 3)
    subprocess.run(["mount", "--bind", path.parent, path.parent], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", path.parent], check=True)
    try:
        with open_store(url_of(path, read_only=True)) as store:
            assert len(list(store.read_all())) == 3
            assert store.verify().signed == 3
        with pytest.raises(StoreUnavailable, match="Read-only file system"):
            opened(path)
    finally:
        subprocess.run(["umount", path.parent], check=True)
