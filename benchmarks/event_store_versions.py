"""Every figure of benchmarks/event_store.py beside that of another checkout, in one run, in turns.

    git clone . /tmp/other && git -C /tmp/other checkout fed0d43
    ./qiki env python benchmarks/event_store_versions.py /tmp/other [--rounds 5] [--events 200000]

Each version runs in a process of its own with the same environment, on SQLite; they measure each figure alternately,
and one waits while the other measures. Ratios are medians over the rounds, 1 or more where this checkout is faster.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 0.5
"""s of one measurement of a rate."""


class Version:
    """A checkout, measured in a process of its own."""

    def __init__(self, root: Path, folder: Path, events: int) -> None:
        packages = [str(path) for path in sorted((root / "src").iterdir())]
        path = os.pathsep.join([str(root / "benchmarks"), *packages, os.environ.get("PYTHONPATH", "")])
        folder.mkdir()
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, "--measure", str(folder), "--events", str(events)],
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def measure(self, part: str) -> dict[str, float]:
        """Figures of a part by name: rates, events/s, and times, ms."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(part, file=self._process.stdin, flush=True)
        found: dict[str, float] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        self._process.communicate()


def parts(folder: Path, events: int) -> dict[str, Callable[[], dict[str, float]]]:
    """Measurements of the version whose modules are on the path."""
    import event_store as bench
    from event_store_peers import STREAMS, make_events, sqlite_peers

    from qiki_eventstore import Query

    make: Any = dict(sqlite_peers(folder))["ours"]

    def fresh(measure: Callable[[Any], dict[str, float]]) -> Callable[[], dict[str, float]]:
        def run() -> dict[str, float]:
            peer = make()
            try:
                return measure(peer)
            finally:
                peer.close()

        return run

    def append(number: int) -> Callable[[], dict[str, float]]:
        return fresh(lambda peer: {f"append {number} per call, events/s": bench.append_rate(peer, number, SECONDS)})

    def produce(number: int) -> Callable[[], dict[str, float]]:
        def measure(peer: Any) -> dict[str, float]:
            rate, p50, _p99 = bench.producers_rate(peer, number, 2 * SECONDS)
            return {f"{number} producers, events/s": rate, f"{number} producers, p50 ms": p50}

        return fresh(measure)

    def offer(rate: int) -> Callable[[], dict[str, float]]:
        def measure(peer: Any) -> dict[str, float]:
            reached, p50, _p99 = bench.open_loop(peer.store, rate, 2 * SECONDS)
            return {f"open loop {rate}, events/s": reached, f"open loop {rate}, p50 ms": p50}

        return fresh(measure)

    def reads(peer: Any) -> dict[str, float]:
        for call in range(events // 1000):
            peer.append(call % STREAMS, 1000)
        store, middle = peer.store, events // 2
        start, end = (next(iter(store.read_all(Query(after=middle + n, limit=1)))).time for n in (0, 10_000))
        by_time, by_position = Query(start=start, end=end), Query(after=middle, limit=10_000)
        found = {
            "10 000 by time, ms": bench.timed(lambda: list(store.read_all(by_time))),
            "10 000 of a stream, ms": bench.timed(lambda: store.read("bench/0", 0, 10_000)),
            "10 000 by position, ms": bench.timed(lambda: list(store.read_all(by_position))),
            "replay of all, ms": bench.timed(lambda: sum(1 for _ in store.read_all()), 1),
            "verify, ms": bench.timed(store.verify, 1),
            "reconstruct from zero, ms": bench.timed(lambda: store.reconstruct(bench.Counting(), "bench/0"), 1),
        }
        store.snapshot(bench.Counting(), "bench/0")
        store.append("bench/0", make_events(100))
        found["reconstruct from a snapshot, ms"] = bench.timed(lambda: store.reconstruct(bench.Counting(), "bench/0"))
        copy = folder / "backup.db"
        found["backup, ms"] = bench.timed(lambda: store.backup(copy), 1)
        for file in folder.glob("backup.db*"):
            file.unlink()
        return found

    return {
        **{f"append {number}": append(number) for number in bench.PER_CALL},
        **{f"produce {number}": produce(number) for number in bench.PRODUCERS},
        **{f"offer {rate}": offer(rate) for rate in bench.RATES},
        "group": fresh(
            lambda peer: {"one that does not wait, events/s": bench.group_commit(peer.store, 2 * SECONDS)[0]}
        ),
        "reads": fresh(reads),
    }


def measure(folder: Path, events: int) -> None:
    """Answer each part that standard input names with its figures."""
    known = parts(folder, events)
    for line in sys.stdin:
        part = line.strip()
        print(json.dumps(known[part]() if part else dict.fromkeys(known, 0.0)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, nargs="?", help="root of the other checkout")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each figure (default 5)")
    parser.add_argument("--events", type=int, default=200_000, help="events to read from (default 200000)")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        measure(arguments.measure, arguments.events)
        return
    if arguments.other is None:
        parser.error("name the root of the other checkout")
    folder = Path(tempfile.mkdtemp(prefix="event-store-"))
    this = Version(ROOT, folder / "this", arguments.events)
    other = Version(arguments.other.resolve(), folder / "other", arguments.events)
    try:
        names = list(this.measure(""))
        print(f"{'figure':42}{'this':>14}{'other':>14}{'ratio':>8}")
        for name in names:
            compare(name, this, other, arguments.rounds)
    finally:
        this.close()
        other.close()
        shutil.rmtree(folder)


def compare(part: str, this: Version, other: Version, rounds: int) -> None:
    """Measure a part in turns, each version first in every second round, and print the medians."""
    found: dict[str, list[tuple[float, float]]] = {}
    for number in range(rounds):
        if number % 2:
            theirs, ours = other.measure(part), this.measure(part)
        else:
            ours, theirs = this.measure(part), other.measure(part)
        for figure, value in ours.items():
            found.setdefault(figure, []).append((value, theirs[figure]))
    for figure, pairs in found.items():
        ratio = statistics.median(a / b if figure.endswith("events/s") else b / a for a, b in pairs)
        mine, others = (statistics.median(values) for values in zip(*pairs, strict=True))
        print(f"{figure:42}{mine:>14,.2f}{others:>14,.2f}{ratio:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
