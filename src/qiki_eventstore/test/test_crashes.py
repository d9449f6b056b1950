"""What a store promises after kill -9, on a full disk, and when somebody cuts or garbles its files."""

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import apsw
import pytest

from qiki_eventstore import Event, EventStore, RecordedEvent, StoreCorrupt, StoreFull, Verification, open_store

ROUNDS = 30


def opened(path: Path, query: str = "", **options: Any) -> EventStore:
    return open_store(f"sqlite:///{path}{query}", **{"reserve_bytes": 0, **options})


def check_order(events: list[RecordedEvent]) -> None:
    """Positions and versions run without gap, ids come once, recording times never fall."""
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    assert max(Counter(event.id for event in events).values(), default=1) == 1
    assert all(before.recorded <= after.recorded for before, after in pairwise(events))
    versions: Counter[str] = Counter()
    for event in events:
        assert event.version == versions[event.stream]
        versions[event.stream] += 1


# kill -9 ------------------------------------------------------------------------------------------------------------


@dataclass
class Told:
    """What a process said until it was killed.

    Attributes:
        promised: position of every acknowledged event.
        begun: stream and ids of every call.
    """

    promised: dict[UUID, int] = field(default_factory=dict)
    begun: list[tuple[str, list[UUID]]] = field(default_factory=list)

    def listen(self, line: str) -> None:
        kind, *words = line.split()
        if kind == "b":
            self.begun.append((words[0], [UUID(word) for word in words[1:]]))
        else:
            for position, id in zip(words[::2], words[1::2], strict=True):
                self.promised[UUID(id)] = int(position)


def run_and_kill(path: Path, random: Random, told: Told) -> None:
    program = Path(__file__).with_name("appending_process.py")
    process = subprocess.Popen([sys.executable, program, path, str(random.randrange(2**32))], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        if random.random() < 0.2:
            time.sleep(random.uniform(0.1, 0.5))  # perhaps while it opens the store
        else:
            for _ in range(random.choice((1, random.randint(2, 600)))):
                told.listen(process.stdout.readline().decode())
    finally:
        process.kill()
        rest = process.stdout.read().decode()
        process.stdout.close()
        process.wait()
    for line in rest.splitlines():
        told.listen(line)


@pytest.mark.requirement("EVENT-15")
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path, random, told = tmp_path / "events.db", Random(9), Told()
    in_doubt = 0
    for _ in range(ROUNDS):
        told.begun.clear()
        run_and_kill(path, random, told)
        with opened(path) as store:
            verification = store.verify()
            assert verification.ok, verification.reason
            events = list(store.read_all())
            check_order(events)
            found = {event.id: event.position for event in events}
            assert {id: found.get(id) for id in told.promised} == told.promised
            # Whoever got no answer asks again with the same ids: stored once in any case.
            for stream, ids in [call for call in told.begun if call[1][0] not in told.promised]:
                in_doubt += 1
                stored = [found[id] for id in ids if id in found]
                assert len(stored) in (0, len(ids))
                again = [Event("test.began", {"number": number}, id=id) for number, id in enumerate(ids)]
                positions = store.append(stream, again)
                assert positions == stored or not stored
                told.promised.update(zip(ids, positions, strict=True))
    assert len(told.promised) > 20 * ROUNDS
    assert in_doubt > ROUNDS / 2
    print(f"{ROUNDS} kills, {len(told.promised)} acknowledged, {in_doubt} calls in doubt")


# Full disk ----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-15c")
def test_a_full_disk_makes_it_loud_and_loses_nothing(small_disk: Path) -> None:
    path, ballast = small_disk / "events.db", small_disk / "ballast"
    ballast.write_bytes(bytes(2_000_000))
    promised: dict[UUID, int] = {}

    def append(store: EventStore) -> None:
        id = uuid4()
        (promised[id],) = store.append("alpha/allocator", [Event("test.began", {"text": "x" * 500}, id=id)])

    def append_for_ever(store: EventStore) -> None:
        while True:
            append(store)

    def fill(store: EventStore) -> None:
        with pytest.raises(StoreFull, match="free space"):
            append_for_ever(store)
        assert "disk" in store.stats().read_only

    def check(store: EventStore) -> None:
        assert {event.id: event.position for event in store.read_all()} == promised
        assert store.verify().ok

    with opened(path, probe=0.02) as store:
        fill(store)
        check(store)
        ballast.unlink()
        deadline = time.monotonic() + 30
        while store.stats().read_only:  # nobody appends
            assert time.monotonic() < deadline
            time.sleep(0.01)
        append(store)
        fill(store)
        check(store)
    with opened(path, "?mode=ro") as reader:
        check(reader)
    with suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
    before = {file.name for file in small_disk.iterdir()}
    for _ in range(3):
        with pytest.raises(StoreFull, match="free space"):
            opened(path)
    assert {file.name for file in small_disk.iterdir()} - before <= {"events.db-wal", "events.db-shm"}
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    with opened(path) as store:
        append(store)
        check(store)


# Damage -------------------------------------------------------------------------------------------------------------


def filled(path: Path, count: int = 120) -> list[RecordedEvent]:
    """A closed store with that many events of three streams, of which every attribute can be found in the file."""
    with opened(path) as store:
        for number in range(count):
            name = f"{number:04}"
            event = Event(
                "test.began",
                {"text": f"payload-{name}-" + "x" * 200},
                time=0x7E57_0000_0000_0000 + number,
                correlation=f"correlation-{name}",
                causation=f"causation-{name}",
            )
            store.append(f"bot/{number % 3}", [event])
        return list(store.read_all())


@pytest.fixture
def crashed(tmp_path: Path) -> tuple[Path, list[RecordedEvent], int]:
    """Files as kill -9 leaves them: a head was signed after 61 of 120 events; the log is in part in the database."""
    path, left = tmp_path / "live" / "events.db", tmp_path / "left"
    path.parent.mkdir()
    with opened(path, sign_events=61, sign_seconds=1e6, checkpoint_bytes=2**40) as store:
        for number in range(120):
            store.append(f"bot/{number % 3}", [Event("test.began", {"number": number, "text": "x" * 1200})])
            if number == 50:  # what follows is in the log alone, what precedes in both
                connection = apsw.Connection(str(path))
                assert connection.execute("SELECT count(*) FROM events").get == 51
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                connection.close()
            deadline = time.monotonic() + 30
            while number == 60 and store.verify().signed is None:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        shutil.copytree(path.parent, left)
        signed = store.verify().signed
        assert signed is not None
        return left, list(store.read_all()), signed


def look(path: Path) -> tuple[Verification, list[RecordedEvent]] | None:
    """What is said of a store and what it shows; None if it says that it is damaged."""
    try:
        with opened(path, "?mode=ro") as store:
            return store.verify(), list(store.read_all())
    except StoreCorrupt:
        return None


def check_damaged(path: Path, events: list[RecordedEvent], signed: int) -> str:
    """Nothing that is wrong is said to be right."""
    seen = look(path)
    if seen is None:
        return "refused"
    verification, found = seen
    if verification.ok:
        assert found == events[: len(found)]
        assert len(found) >= signed
        with opened(path) as store:  # and it can go on
            store.append(
                "bot/0", [Event("test.began", {})], len([event for event in found if event.stream == "bot/0"]) - 1
            )
            assert store.verify().ok
        return "whole" if found == events else "shorter"
    assert verification.reason
    if verification.first_bad is None:
        assert found == events[: len(found)] or "damaged" in verification.reason
        return "tail" if "missing at the end" in verification.reason else "damaged"
    assert found[: verification.first_bad - 1] == events[: verification.first_bad - 1]
    return "named"


def damaged_copies(left: Path, tmp_path: Path, count: int) -> Iterator[tuple[Path, Path, Random]]:
    """Fresh copies of a crashed store, and the log of each."""
    random = Random(3)
    for number in range(count):
        folder = tmp_path / f"copy{number}"
        shutil.copytree(left, folder)
        yield folder / "events.db", folder / "events.db-wal", random
        shutil.rmtree(folder)


@pytest.mark.requirement("EVENT-15b")
def test_a_truncated_log_leaves_a_beginning_and_says_what_is_missing(
    crashed: tuple[Path, list[RecordedEvent], int], tmp_path: Path
) -> None:
    left, events, signed = crashed
    outcomes: Counter[str] = Counter()
    for path, log, random in damaged_copies(left, tmp_path, 100):
        os.truncate(log, random.randrange(log.stat().st_size))
        outcomes[check_damaged(path, events, signed)] += 1
    print(outcomes)
    assert outcomes["tail"] > 5
    assert outcomes["shorter"] > 5


@pytest.mark.requirement("EVENT-15b")
def test_a_garbled_log_is_never_silently_wrong(crashed: tuple[Path, list[RecordedEvent], int], tmp_path: Path) -> None:
    left, events, signed = crashed
    outcomes: Counter[str] = Counter()
    for path, log, random in damaged_copies(left, tmp_path, 100):
        content = bytearray(log.read_bytes())
        for _ in range(random.choice((1, 1, 20))):
            content[random.randrange(len(content))] ^= 1 << random.randrange(8)
        if random.random() < 0.3:
            start = random.randrange(len(content))
            length = min(random.randrange(1, 20_000), len(content) - start)
            content[start : start + length] = random.randbytes(length)
        log.write_bytes(content)
        outcomes[check_damaged(path, events, signed)] += 1
    print(outcomes)
    assert outcomes["tail"] > 5
    assert outcomes["shorter"] > 5


@pytest.mark.requirement("EVENT-15b")
def test_a_log_that_is_gone_is_missed(crashed: tuple[Path, list[RecordedEvent], int]) -> None:
    left, events, signed = crashed
    (left / "events.db-wal").unlink()
    assert check_damaged(left / "events.db", events, signed) == "tail"


@pytest.mark.requirement("EVENT-5", "EVENT-15d")
@pytest.mark.parametrize("position", [1, 57, 120])
@pytest.mark.parametrize("attribute", ["payload", "hash", "correlation", "causation", "id", "time", "recorded"])
def test_a_flipped_byte_is_named(tmp_path: Path, position: int, attribute: str) -> None:
    path = tmp_path / "events.db"
    events = filled(path)
    value = getattr(events[position - 1], attribute)
    match value:
        case bytes():
            wanted = value
        case str():
            wanted = value.encode()
        case int():
            wanted = value.to_bytes(8, "big")
        case UUID():
            wanted = value.bytes
    whole = path.read_bytes()
    places = [place for place in range(len(whole)) if whole.startswith(wanted, place)]
    outcomes: Counter[str] = Counter()
    for place in places:
        broken = bytearray(whole)
        broken[place + len(wanted) - 1] ^= 0x01
        path.write_bytes(broken)
        seen = look(path)
        assert seen is not None
        verification, found = seen
        if verification.ok:  # left over in a page that was split
            outcomes["unused"] += 1
            assert found == events
        elif verification.first_bad is None:
            outcomes["index"] += 1
            assert f"row {position} missing from index" in verification.reason
        else:
            outcomes["named"] += 1
            assert verification.first_bad == position
    assert outcomes["named"] == 1
    assert outcomes["index"] == (attribute == "correlation")  # ids are in a table from the first full block on
