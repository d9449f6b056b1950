"""Events through ROS: from `emit` in a node to the store's acknowledgement of a durable event.

    python benchmarks/event_node.py [--seconds 5]

Each row starts a store node on a fresh SQLite file (synchronous FULL) and one or more emitting nodes as processes of
their own. "as fast as it goes": the outbox is kept filled; a rate: events are due at equal intervals, and latency runs
from the due time, so that a late emitter does not look good. The last row has a busy process on each core beside it.
A row also says how many fdatasync of 4 KiB per second the disk did just before.
"""

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qiki_node.executor import make_executor, spin_while
from qiki_node.node import QikiNode
from qiki_node.parameters import NodeParameters
from qiki_node.testing import NodeProcess, Peer, use_private_domain

GOAL = 5_000.0  # events/s
PAYLOAD = {"energy_used_j": 1234.5, "impulse_n_s": 12.5, "text": "x" * 220}
"""About 300 bytes as JSON."""
ROWS = ((1, 0.0, False), (1, 1000.0, False), (1, 5000.0, False), (4, 0.0, False), (1, 0.0, True), (1, 5000.0, True))
AHEAD = 2_000
"""Events that the outbox is kept filled with."""


class Emitter(QikiNode[NodeParameters]):
    """Emits and notes when each event is acknowledged."""

    def __init__(self, name: str) -> None:
        super().__init__(name, NodeParameters)
        self.due: dict[str, float] = {}
        self.latencies: list[float] = []
        outbox = self.events._outbox  # its answers are what is measured; nodes have no need to know them
        answer = outbox.answer

        def noted(number, what, now):
            done = answer(number, what, now)
            end = time.monotonic()
            self.latencies += [end - self.due.pop(str(event.id)) for event in done]
            return done

        outbox.answer = noted

    def emit(self, due: float) -> None:
        id = self.events.emit("bench.sampled", PAYLOAD)
        self.due[id] = due


def emitter(name: str, rate: float, seconds: float) -> None:
    """Run one emitter; prints its figures as JSON."""
    import rclpy

    rclpy.init()
    node = Emitter(name)
    executor = make_executor()
    executor.add_node(node)
    node.emit(time.monotonic())
    spin_while(executor, lambda: bool(node.due), 0.02)  # the store is found
    settled = time.monotonic() + 1.0
    spin_while(executor, lambda: time.monotonic() < settled, 0.02)
    node.latencies.clear()
    begin = time.monotonic()
    emitted = 0

    def tick() -> None:
        nonlocal emitted
        now = time.monotonic()
        if now - begin >= seconds:
            return
        if rate:
            while emitted < (now - begin) * rate:
                node.emit(begin + emitted / rate)
                emitted += 1
        else:
            while len(node.due) < AHEAD:
                node.emit(time.monotonic())
                emitted += 1

    node.create_timer(0.002, tick, clock=node.steady_clock)
    spin_while(executor, lambda: time.monotonic() - begin < seconds or bool(node.due), 0.02)
    took = time.monotonic() - begin
    p50, p99 = np.percentile(node.latencies, [50, 99])
    print(json.dumps({"events": emitted, "s": took, "p50": p50, "p99": p99, **node.events.values()}), flush=True)
    executor.remove_node(node)
    node.close()
    rclpy.try_shutdown()


def syncs(folder: Path, seconds: float = 0.5) -> float:
    """fdatasync of 4 KiB per second."""
    file = os.open(folder / "sync", os.O_RDWR | os.O_CREAT)
    begin, count = time.monotonic(), 0
    while time.monotonic() - begin < seconds:
        os.pwrite(file, b"x" * 4096, 4096 * count)
        os.fdatasync(file)
        count += 1
    os.close(file)
    return count / (time.monotonic() - begin)


def burn() -> None:
    while True:
        pass


@dataclass(frozen=True)
class Row:
    rate: float
    p50: float
    p99: float
    lost: int


def measure(emitters: int, rate: float, seconds: float) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        store = [sys.executable, "-m", "qiki_eventstore.node"]
        url = f"url:=sqlite:///{folder}/events.db"
        with NodeProcess(store, ["-r", "__ns:=/qiki", "-p", url]) as node, Peer() as peer:
            peer.wait_until_active("/qiki/eventstore")
            words = [sys.executable, __file__, "--emit", str(rate), "--seconds", str(seconds), "--name"]
            started = [
                subprocess.Popen([*words, f"emitter_{number}"], stdout=subprocess.PIPE, text=True)
                for number in range(emitters)
            ]
            found = [json.loads(process.communicate()[0].splitlines()[-1]) for process in started]
            node.stop(signal.SIGINT)
        lost = sum(one["dropped"] + one["overflowed"] + one["refused"] + one["queued"] for one in found)
        return Row(
            sum(one["events"] / one["s"] for one in found),
            float(np.median([one["p50"] for one in found])),
            max(one["p99"] for one in found),
            lost,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each row")
    parser.add_argument("--emit", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.emit is not None:
        emitter(arguments.name, arguments.emit, arguments.seconds)
        return
    use_private_domain()
    print(
        f"{'emitters':>8} {'offered':>8} {'machine':>7} {'events/s':>9} {'p50 ms':>7} {'p99 ms':>7} {'lost':>5} syncs/s"
    )
    best = 0.0
    for emitters, rate, busy in ROWS:
        burners = [multiprocessing.Process(target=burn, daemon=True) for _ in range(os.cpu_count() or 1) if busy]
        for burner in burners:
            burner.start()
        with tempfile.TemporaryDirectory() as folder:
            disk = syncs(Path(folder))
        row = measure(emitters, rate, arguments.seconds)
        for burner in burners:
            burner.kill()
            burner.join()
        offered = f"{rate:.0f}/s" if rate else "all"
        machine = "busy" if busy else "idle"
        print(
            f"{emitters:8} {offered:>8} {machine:>7} {row.rate:9.0f} {row.p50 * 1e3:7.1f} {row.p99 * 1e3:7.1f} "
            f"{row.lost:5} {disk:7.0f}",
            flush=True,
        )
        if not busy:
            best = max(best, row.rate)
    print(f"best idle: {best:.0f} events/s, {best / GOAL:.2f} times the goal of {GOAL:.0f}")


if __name__ == "__main__":
    main()
