"""Speed of durable appends and of reads: QIKI's event store beside its peers, in one run.

    ./qiki env python benchmarks/event_store.py [--quick] [--no-postgres]

`eventsourcing` is installed with

    .venv/bin/pip install -r requirements/bench.txt -c requirements/constraints.txt

and PostgreSQL with `apt-get install postgresql`; what is absent is named. Every event has 300 bytes of protobuf. Each
part runs once on an idle machine and once with a busy process on each core. Each table says how many fdatasync of 4 KiB
per second the disk did just before: compare only within one table.

Append: one thread, 1 to 1000 events per call. Producers: threads that each append one event after the other and wait
until it is durable. Open loop: events come at a fixed rate whatever happens; latency is from when each was due to when
it was durable. Group commit: one thread submits single events without waiting, beside batches of the same size written
with the bare statements. Reads: from a store of `--events` events.
"""

import argparse
import multiprocessing
import os
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from event_store_peers import STREAMS, Eventsourcing, Ours, Peer, PostgresServer, RawSqlite, make_events, sqlite_peers

from qiki_eventstore import EventStore, Query, RecordedEvent

PER_CALL = (1, 10, 100, 1000)
PRODUCERS = (1, 8, 32)
RATES = (1_000, 5_000, 10_000, 20_000)


def syncs_per_second(folder: Path, seconds: float = 0.5) -> float:
    """fdatasync of 4 KiB rewritten at the same place."""
    file = os.open(folder / "sync", os.O_CREAT | os.O_WRONLY)
    block, count, began = bytes(4096), 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        os.pwrite(file, block, 0)
        os.fdatasync(file)
        count += 1
    os.close(file)
    return count / passed


def _burn() -> None:
    while True:
        pass


@contextmanager
def busy(yes: bool) -> Iterator[None]:
    """A busy process on each core meanwhile."""
    processes = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(os.cpu_count() or 1) if yes]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def append_rate(peer: Peer, per_call: int, seconds: float) -> float:
    """Events per second of one thread."""
    count, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        peer.append(count // per_call % STREAMS, per_call)
        count += per_call
    return count / passed


def producers_rate(peer: Peer, producers: int, seconds: float) -> tuple[float, float, float]:
    """Events per second of all threads together; p50 and p99 of the time of one append, ms."""
    times: list[list[float]] = [[] for _ in range(producers)]
    start, end = threading.Barrier(producers + 1), [0.0]

    def produce(number: int) -> None:
        start.wait()
        while (before := time.perf_counter()) < end[0]:
            peer.append(number, 1)
            times[number].append(time.perf_counter() - before)

    threads = [threading.Thread(target=produce, args=(number,)) for number in range(producers)]
    for thread in threads:
        thread.start()
    end[0] = time.perf_counter() + seconds
    began = time.perf_counter()
    start.wait()
    for thread in threads:
        thread.join()
    passed = time.perf_counter() - began
    every = np.concatenate([np.array(part) for part in times]) * 1e3
    return len(every) / passed, float(np.percentile(every, 50)), float(np.percentile(every, 99))


def open_loop(store: EventStore, rate: int, seconds: float) -> tuple[float, float, float]:
    """Events per second made durable, p50 and p99 from due to durable, ms, at a rate that does not wait."""
    total = int(rate * seconds)
    durable = np.zeros(total)
    due = np.arange(total) / rate
    left = threading.Semaphore(0)
    began = time.perf_counter() + 0.05

    def finished(index: int) -> Callable[[object], None]:
        def done(_future: object) -> None:
            durable[index] = time.perf_counter() - began
            left.release()

        return done

    sent = 0
    while sent < total:
        now = time.perf_counter() - began
        while sent < total and due[sent] <= now:
            store.submit(f"bench/{sent % STREAMS}", make_events(1)).add_done_callback(finished(sent))
            sent += 1
        time.sleep(0.0005)
    for _ in range(total):
        left.acquire()
    latency = (durable - due) * 1e3
    return total / durable.max(), float(np.percentile(latency, 50)), float(np.percentile(latency, 99))


def group_commit(store: EventStore, seconds: float) -> tuple[float, float]:
    """Events per second of one thread that submits single events without waiting; events per commit."""
    before, futures, began = store.stats(), deque(), time.perf_counter()
    count = 0
    while time.perf_counter() - began < seconds:
        futures.append(store.submit(f"bench/{count % STREAMS}", make_events(1)))
        count += 1
        if count > 4096:
            futures.popleft().result()
    for future in futures:
        future.result()
    passed, after = time.perf_counter() - began, store.stats()
    return count / passed, count / max(1, after.commits - before.commits)


class Counting:
    """A projection that counts events by stream."""

    name, version = "benchmark.counting", 1

    def initial(self) -> dict[str, int]:
        return {}

    def apply(self, state: dict[str, int], event: RecordedEvent, data: object) -> dict[str, int]:  # noqa: ARG002
        state[event.stream] = state.get(event.stream, 0) + 1
        return state

    def dump(self, state: dict[str, int]) -> dict[str, int]:
        return state

    def load(self, data: object) -> dict[str, int]:
        return dict(data)  # type: ignore[call-overload, no-any-return]


def timed(action: Callable[[], object], repeats: int = 3) -> float:
    """Shortest time of some runs, ms."""
    times = []
    for _ in range(repeats):
        before = time.perf_counter()
        action()
        times.append(time.perf_counter() - before)
    return min(times) * 1e3


class Report:
    """All parts on one kind of machine load."""

    def __init__(self, folder: Path, postgres: PostgresServer | None, seconds: float, load: str) -> None:
        self._folder, self._postgres, self._seconds, self._load = folder, postgres, seconds, load

    def _head(self, title: str) -> None:
        print(f"\n{title}, {self._load}; {syncs_per_second(self._folder):,.0f} fdatasync/s", flush=True)

    @contextmanager
    def _peer(self, make: Callable[[], Peer]) -> Iterator[Peer | None]:
        try:
            peer = make()
        except ModuleNotFoundError as error:
            print(f"  absent: {error.name}")
            yield None
            return
        try:
            yield peer
        finally:
            peer.close()

    def _all(self) -> list[tuple[str, Callable[[], Peer]]]:
        return [*sqlite_peers(self._folder), *(self._postgres.peers() if self._postgres else [])]

    def appends(self) -> None:
        self._head("Append, events/s (ratio to eventsourcing)")
        print(f"{'per call':16}" + "".join(f"{n:>20,}" for n in PER_CALL))
        rates: dict[str, list[float]] = {}
        for name, make in self._all():
            with self._peer(make) as peer:
                if peer is not None:
                    rates[name] = [append_rate(peer, per_call, self._seconds) for per_call in PER_CALL]
        reference = rates.get("eventsourcing", [float("nan")] * len(PER_CALL))
        for name, row in rates.items():
            print(f"{name:16}" + "".join(f"{r:>12,.0f} ({r / e:5.2f})" for r, e in zip(row, reference, strict=True)))

    def producers(self) -> None:
        self._head("Producers of single events, durable events/s (p50 / p99 ms)")
        print(f"{'threads':16}" + "".join(f"{n:>28}" for n in PRODUCERS))
        for name, make in self._all():
            cells = []
            for number in PRODUCERS:
                with self._peer(make) as peer:
                    if peer is not None:
                        rate, p50, p99 = producers_rate(peer, number, 2 * self._seconds)
                        cells.append(f"{f'{rate:,.0f} ({p50:.2f} / {p99:.2f})':>28}")
            print(f"{name:16}" + "".join(cells), flush=True)

    def open_loop(self) -> None:
        self._head("Open loop, durable events/s (p50 / p99 ms from due to durable)")
        print(f"{'events/s':16}" + "".join(f"{rate:>28,}" for rate in RATES))
        for name, make in self._all():
            with self._peer(make) as peer:
                if isinstance(peer, Ours):
                    found = [open_loop(peer.store, rate, 2 * self._seconds) for rate in RATES]
                    print(f"{name:16}" + "".join(f"{f'{r:,.0f} ({a:.2f} / {b:.2f})':>28}" for r, a, b in found))

    def group_commit(self) -> None:
        self._head("Group commit beside batches of the bare statements, events/s")
        makers = dict(sqlite_peers(self._folder))
        with self._peer(makers["ours"]) as ours:
            assert isinstance(ours, Ours)
            rate, batch = group_commit(ours.store, 2 * self._seconds)
        with self._peer(makers["raw sqlite3"]) as raw:
            assert isinstance(raw, RawSqlite)
            bare = append_rate(raw, max(1, round(batch)), 2 * self._seconds)
        print(f"ours {rate:,.0f} with {batch:.0f} events per commit; bare {bare:,.0f}; ratio {rate / bare:.2f}")

    def reads(self, count: int) -> None:
        self._head(f"Reads from {count:,} events")
        makers = dict(sqlite_peers(self._folder))
        with self._peer(makers["ours"]) as ours, self._peer(makers["eventsourcing"]) as theirs:
            assert isinstance(ours, Ours)
            for call in range(count // 1000):
                ours.append(call % STREAMS, 1000)
                if isinstance(theirs, Eventsourcing):
                    theirs.append(call % STREAMS, 1000)
            self._read(ours.store, count)
            if isinstance(theirs, Eventsourcing):
                took = timed(lambda: theirs.read(count // 2, 10_000))
                print(f"{'eventsourcing: 10 000 by position':42}{took:10.1f} ms")

    def _read(self, store: EventStore, count: int) -> None:
        start, end = (next(store.read_all(Query(after=count // 2 + n, limit=1))).time for n in (0, 10_000))
        by_time, some = Query(start=start, end=end), min(10_000, count // STREAMS)
        assert len(list(store.read_all(by_time))) == 10_000
        assert len(store.read("bench/0", 0, some)) == some

        def line(what: str, took: float, events: int) -> None:
            print(f"{what:42}{took:10.1f} ms {events / took * 1e3:>14,.0f} events/s", flush=True)

        line("10 000 by time", timed(lambda: list(store.read_all(by_time))), 10_000)
        line(f"{some:,} of a stream", timed(lambda: store.read("bench/0", 0, some)), some)
        line("10 000 by position", timed(lambda: list(store.read_all(Query(after=count // 2, limit=10_000)))), 10_000)
        line("replay of all", timed(lambda: sum(1 for _ in store.read_all()), 1), count)
        line("verify", timed(store.verify, 1), count)
        line("reconstruct from zero", timed(lambda: store.reconstruct(Counting(), "bench/0"), 1), count // STREAMS)
        store.snapshot(Counting(), "bench/0")
        store.append("bench/0", make_events(100))
        line("reconstruct from a snapshot, 100 after it", timed(lambda: store.reconstruct(Counting(), "bench/0")), 100)
        copy = self._folder / "backup.db"
        line("backup", timed(lambda: store.backup(copy), 1), count)
        print(f"{'size':42}{store.stats().bytes / 1e6:10.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short runs, fewer events to read")
    parser.add_argument("--events", type=int, default=1_000_000, help="events to read from (default 1000000)")
    parser.add_argument("--no-postgres", action="store_true", help="leave PostgreSQL out")
    parser.add_argument("--folder", type=Path, help="where the stores are made; the disk that is measured")
    arguments = parser.parse_args()
    seconds, events = (0.5, 50_000) if arguments.quick else (2.0, arguments.events)
    folder = Path(tempfile.mkdtemp(prefix="event-store-", dir=arguments.folder))
    postgres = None if arguments.no_postgres else PostgresServer()
    if postgres is not None and postgres.reason:
        print(f"absent: {postgres.reason}")
    try:
        for loaded in (False, True):
            with busy(loaded):
                report = Report(folder, postgres, seconds, "both cores busy" if loaded else "idle")
                report.appends()
                report.producers()
                report.open_loop()
                report.group_commit()
                if not loaded:
                    report.reads(events)
    finally:
        if postgres is not None:
            postgres.close()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
