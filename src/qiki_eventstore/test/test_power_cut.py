"""The power is cut, and the disk is full, under the very code of the store: see `power_cut_disk`."""

import logging
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from uuid import UUID

import apsw
import pytest
from power_cut_disk import PowerCutDisk, installed, passed_by
from uuid_utils.compat import uuid7

from qiki_eventstore import (
    Event,
    EventStore,
    EventStoreError,
    StoreCorrupt,
    StoreFull,
    StoreUnavailable,
    Verification,
    open_store,
)

THREADS = 3


@pytest.fixture
def disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[PowerCutDisk]:
    caplog.set_level(logging.CRITICAL, "qiki_eventstore")
    with installed(tmp_path) as disk:
        yield disk


@contextmanager
def opened(disk: PowerCutDisk, **options: object) -> Iterator[EventStore]:
    """With checkpoints and signatures all the time, so that cuts hit them too."""
    defaults = {"reserve_bytes": 0, "checkpoint_bytes": 100_000, "sign_events": 20, "probe": 0.01}
    store = open_store(f"sqlite:///{disk.folder}/events.db", **{**defaults, **options})
    try:
        yield store
    finally:
        # Of a disk made in Python, SQLite passes on what it overlooks of a real one when a connection ends.
        with suppress(apsw.FullError, apsw.IOError):
            store.close()


@dataclass
class Run:
    """What was promised, and what was found after power cuts.

    Attributes:
        promised: position of every acknowledged event that was not lost in an earlier cut.
        cuts: power cuts.
        acknowledged: events.
        lost: acknowledged events that were not there after the cut.
        losing: cuts that lost some.
    """

    promised: dict[UUID, int] = field(default_factory=dict)
    cuts: int = 0
    acknowledged: int = 0
    lost: int = 0
    losing: int = 0


def append_until_the_cut(store: EventStore, random: Random, promised: dict[UUID, int]) -> None:
    seeds = [random.random() for _ in range(THREADS)]

    def work(number: int) -> None:
        own = Random(seeds[number])
        with suppress(EventStoreError):
            while True:
                ids = [uuid7() for _ in range(own.choice((1, 1, 2, 8)))]
                data = {"text": "x" * own.choice((10, 300, 1500))}
                stream = own.choice(("shared", f"own/{number}"))
                positions = store.append(stream, [Event("test.began", data, id=id) for id in ids])
                promised.update(zip(ids, positions, strict=True))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def cut(disk: PowerCutDisk, random: Random, run: Run, synchronous: str) -> None:
    """Run the store until a random operation of the disk, cut the power, and see what is there."""
    disk.cut_in = random.choice((random.randint(1, 60), random.randint(1, 400)))
    before = len(run.promised)
    with suppress(EventStoreError), opened(disk, synchronous=synchronous) as store:
        append_until_the_cut(store, random, run.promised)
    assert disk.dead
    disk.restart(random)
    run.cuts += 1
    run.acknowledged += len(run.promised) - before
    verification, found = look(disk)
    lost = [id for id, position in run.promised.items() if found.get(id) != position]
    run.lost += len(lost)
    run.losing += bool(lost)
    if synchronous == "FULL":
        assert verification.ok, verification.reason
        assert not lost
    else:
        # Whole up to some event: what is missing is known from the signed heads if at all.
        assert verification.first_bad is None, verification.reason
        assert verification.ok or (lost and "missing at the end" in verification.reason)
        run.promised = found
        for file in disk.folder.glob("events.db.heads"):
            file.unlink()  # they know events that are lost
    assert sorted(found.values()) == list(range(1, len(found) + 1))


def look(disk: PowerCutDisk) -> tuple[Verification, dict[UUID, int]]:
    """What is on the disk now, without changing it: the next run has to repair it, and may be cut in that."""
    try:
        with passed_by(), open_store(f"sqlite:///{disk.folder}/events.db?mode=ro") as store:
            return store.verify(), {event.id: event.position for event in store.read_all()}
    except (StoreUnavailable, StoreCorrupt) as error:
        if not re.search("cannot be opened|is not an event store", str(error)):
            raise
        # Cut before it was a store.
        return Verification(True, 0, None, "", 0, None), {}


def cuts(disk: PowerCutDisk, synchronous: str, seed: int, number: int) -> Run:
    """Ten cuts to a store, one after the other."""
    random = Random(seed)
    run = Run()
    while run.cuts < number:
        if run.cuts % 10 == 0:
            run.promised.clear()
            for file in disk.folder.iterdir():
                file.unlink()
            disk.restart(random)
        cut(disk, random, run, synchronous)
    print(f"{synchronous}: {run.cuts} cuts, {run.acknowledged} acknowledged, {run.lost} lost in {run.losing} cuts")
    return run


@pytest.mark.requirement("EVENT-15a")
@pytest.mark.parametrize("number", [200, pytest.param(3000, marks=[pytest.mark.long, pytest.mark.timeout(3000)])])
def test_a_power_cut_loses_nothing_that_was_acknowledged(disk: PowerCutDisk, number: int) -> None:
    run = cuts(disk, "FULL", 1, number)
    assert run.lost == 0
    assert run.acknowledged > 10 * number


@pytest.mark.requirement("EVENT-15a")
@pytest.mark.parametrize("number", [200, pytest.param(3000, marks=[pytest.mark.long, pytest.mark.timeout(3000)])])
def test_without_full_synchronization_the_same_cuts_lose_some(disk: PowerCutDisk, number: int) -> None:
    """The test above can fail; and even so nothing is damaged."""
    run = cuts(disk, "NORMAL", 1, number)
    assert run.losing > number / 20
    assert run.acknowledged > 10 * number


# Full disk ----------------------------------------------------------------------------------------------------------


def append_large(store: EventStore, promised: dict[UUID, int]) -> None:
    id = uuid7()
    (promised[id],) = store.append("alpha/allocator", [Event("test.began", {"text": "x" * 1000}, id=id)])


def append_for_ever(store: EventStore, promised: dict[UUID, int]) -> None:
    while True:
        append_large(store, promised)


def fill(store: EventStore, promised: dict[UUID, int]) -> None:
    """Append until the disk is full."""
    with pytest.raises(StoreFull, match="free space"):
        append_for_ever(store, promised)


def check_promises(store: EventStore, promised: dict[UUID, int]) -> None:
    found = {event.id: event.position for event in store.read_all()}
    assert found == promised
    verification = store.verify()
    assert verification.ok, verification.reason


@pytest.mark.requirement("EVENT-15c")
@pytest.mark.parametrize("seed", range(5))
def test_a_full_disk_loses_nothing_and_ends_by_itself(disk: PowerCutDisk, seed: int) -> None:
    """SQLite is refused in the middle of commits, of checkpoints, and of growing either file."""
    random = Random(seed)
    promised: dict[UUID, int] = {}
    with opened(disk) as store:
        for capacity in (300_000, 700_000, 1_200_000):
            disk.capacity = capacity + random.randrange(10_000)
            fill(store, promised)
            assert "disk" in store.stats().read_only
            check_promises(store, promised)
        disk.capacity = None
        deadline = time.monotonic() + 30
        while store.stats().read_only:  # nobody appends
            assert time.monotonic() < deadline
            time.sleep(0.01)
        append_large(store, promised)
        check_promises(store, promised)


@pytest.mark.requirement("EVENT-15c")
def test_a_store_on_a_full_disk_can_be_closed_opened_and_survives_a_power_cut(disk: PowerCutDisk) -> None:
    random = Random(2)
    promised: dict[UUID, int] = {}
    disk.capacity = 400_000
    with opened(disk) as store:
        fill(store, promised)
    with opened(disk) as store:
        check_promises(store, promised)
        fill(store, promised)
    with opened(disk) as store:
        disk.cut_in = 3  # some of the attempts to write again
        while not disk.dead:
            with pytest.raises(StoreFull):
                store.append("alpha/allocator", [Event("test.began", {"text": "x" * 1000}) for _ in range(100)])
    disk.restart(random)
    with opened(disk) as store:
        check_promises(store, promised)
