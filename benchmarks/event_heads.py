"""Cost of opening a store and of verify, by the heads that were signed before: one every 10 s is 777 600 in 90 days.

./qiki env python benchmarks/event_heads.py --heads 360 8640 60000
"""

import argparse
import tempfile
import time
from pathlib import Path
from uuid import UUID

from qiki_eventstore import Event, open_store
from qiki_eventstore.heads import HeadSigner
from qiki_eventstore.sqlite.store import SqliteStore


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", type=int, nargs="+", default=[360, 8640])
    for count in parser.parse_args().heads:
        with tempfile.TemporaryDirectory() as folder:
            _measure(Path(folder) / "events.db", count)


def _measure(path: Path, count: int) -> None:
    with open_store(f"sqlite:///{path}", reserve_bytes=0) as store:
        store.append("a", [Event("test.happened", {})])
        assert isinstance(store, SqliteStore)
        id, head = UUID(store.store_id).bytes, next(store.read_all())
    heads = path.with_name("events.db.heads")
    signer = HeadSigner(heads, path.with_name("events.db.key"), id)
    for _ in range(count):
        signer.sign(head.position, head.hash, head.recorded)
    begun = time.perf_counter()
    with open_store(f"sqlite:///{path}", reserve_bytes=0) as store:
        opened = time.perf_counter()
        assert store.verify().ok
        verified = time.perf_counter()
    lines = len(heads.read_bytes().splitlines())
    took = f"open {1e3 * (opened - begun):.0f} ms, verify {1e3 * (verified - opened):.0f} ms"
    print(f"{count} heads signed: {lines} lines, {took}")


if __name__ == "__main__":
    main()
