"""The cost of the past: states of a bot at random moments, and the ledger of one command, in a store of many events.

    ./qiki env python benchmarks/event_past.py [--events 1000000]

Nine of ten events are samples of energy, the others changes of mode and gate and thrust profiles of two bots. The store
takes snapshots by itself; then it is opened as `qiki state` opens it, and each figure is of CPU time: without the start
of the interpreter, with the opening of the store.
"""

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import numpy as np

from qiki_events.projections import COMMAND_LEDGER, PROJECTIONS
from qiki_eventstore import AtPosition, AtTime, Event, Moment, open_store

BOTS = ("alpha", "bravo")
PER_CALL = 500


def events(count: int) -> Iterator[tuple[str, Event]]:
    """Streams and events in the order of their times, 10 ms apart."""
    sample = {"energy_used_j": 1.0, "impulse_n_s": 2.0, "stored_j": 5.0, "soc": 0.5, "battery_soc": 0.7}
    for number in range(count):
        bot, kind, turn = BOTS[number % 2], "energy.sampled", number // 20
        data: dict[str, Any] = {**sample, "energy_used_j": number * 0.1, "working_mass_kg": 1.0}
        flow = None
        if number % 20 == 2:
            kind, data = "allocator.mode_changed", {"mode": ("AUTO", "ADAPTIVE")[turn % 2], "before": "AUTO"}
        elif number % 400 == 5:
            kind, data = "allocator.gate_changed", {"gate": "HOLD", "before": "BOOST", "reason": "", "warning": False}
        elif number % 400 in (20, 120):
            flow = f"command-{number // 400}"
            kind, data = "allocator.profile_started", {"profile": flow, "segments": 2, "duration": 1.0}
            if number % 400 == 120:
                kind = "allocator.profile_ended"
                data = {"profile": flow, "outcome": "EXECUTED", "reason": "", "segment": 1, "elapsed": 1.0}
                data |= {"impulse": [0.0] * 6, "energy": 3.0}
        stream = f"{bot}/{'energy' if kind == 'energy.sampled' else 'allocator'}"
        yield stream, Event(kind, data, time=number * 10_000_000, source=f"/{bot}", correlation=flow)


def fill(url: str, count: int) -> float:
    """Write the store with its snapshots; s of CPU."""
    began = time.process_time()
    with open_store(url, projections=tuple(PROJECTIONS.values())) as store:
        for stream, event in events(count):
            store.submit(stream, [event])
        store.append("operator", [Event("test.ended", {})])
        reader = apsw.Connection(url.removeprefix("sqlite:///"), apsw.SQLITE_OPEN_READONLY)
        while (reader.execute("SELECT max(position) FROM snapshots").get or 0) < count // 10_000 * 10_000:
            time.sleep(0.1)
        reader.close()
    return time.process_time() - began


def cpu(action: Callable[[], object]) -> float:
    """CPU time of a call, ms."""
    began = time.process_time()
    action()
    return (time.process_time() - began) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000, help="default 1000000")
    parser.add_argument("--moments", type=int, default=30, help="random moments of each kind (default 30)")
    count, moments = (arguments := parser.parse_args()).events, arguments.moments
    folder = Path(tempfile.mkdtemp(prefix="event-past-"))
    url = f"sqlite:///{folder}/events.db"
    choose = random.Random(1)
    try:
        print(f"{count:,} events written with their snapshots in {fill(url, count):.1f} s of CPU")

        def state(at: Moment, bot: str) -> None:
            with open_store(f"{url}?mode=ro") as store:
                store.reconstruct_all(list(PROJECTIONS.values()), f"{bot}/*", at)

        kinds: dict[str, Callable[[], Moment]] = {
            "AtPosition": lambda: AtPosition(choose.randrange(count)),
            "AtTime": lambda: AtTime(choose.randrange(count) * 10_000_000),
        }
        for name, moment in kinds.items():
            times = [cpu(lambda m=moment: state(m(), choose.choice(BOTS))) for _ in range(moments)]
            print(f"all states of a bot, {name:12} {np.median(times):8.1f} ms of CPU, longest {max(times):8.1f}")
        with open_store(f"{url}?mode=ro") as store:
            times = [
                cpu(lambda: store.reconstruct_correlated([COMMAND_LEDGER], f"command-{choose.randrange(count // 400)}"))
                for _ in range(moments)
            ]
        print(f"the ledger of one command        {np.median(times):8.2f} ms of CPU, longest {max(times):8.2f}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
