"""CPU, memory and latency of the whole graph, beside bare rclpy nodes that do nothing but the same messages.

    ./qiki env python benchmarks/graph.py [--bots 1 2 4] [--seconds 10] [--json FILE]
    ./qiki env python benchmarks/graph.py --xpdr [--rounds 3] [--seconds 10] [--json FILE]

For each number of bots: simulator, one allocator per bot and a console that watches, each a process; at rest, and in
flight with 100 wrenches per second and bot. Then the same again with bare nodes: same topics, types, rates, executor.
CPU is user plus system time of a process in per cent of one core. Latency is from publishing a wrench to receiving the
valve command that answers it. The pilot that sends the wrenches is the benchmark's and counts for nothing.

With --xpdr: two bots with keys among eight other bodies, in turns without and with a node `xpdr` in mode ON for each;
the aim is a difference of at most 30 % of a core over all processes, the simulator's radar and radio included.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil

from qiki_node.testing import use_private_domain
from qiki_xpdr.custody import Custody

ROOT = Path(__file__).resolve().parent.parent
NODES = ROOT / "benchmarks" / "bare_nodes.py"
CORES = 2
BODIES = 8
MOST_FOR_XPDR = 30.0
"""% of a core."""


# The measurement ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """CPU in % of a core, memory in MB (PSS: shared pages divided among their users; RSS: counted in full)."""

    cpu: float
    pss: float
    rss: float


@dataclass
class Run:
    """Costs by process name at rest and in flight; latencies in us; rates per wall second and bot."""

    rest: dict[str, Cost] = field(default_factory=dict)
    flight: dict[str, Cost] = field(default_factory=dict)
    latency_p50: float = 0.0
    latency_p99: float = 0.0
    wrenches: float = 0.0
    valve_commands: float = 0.0
    speed: float = 0.0

    def total(self, phase: str) -> Cost:
        """Sum over the processes of the graph."""
        costs = getattr(self, phase).values()
        return Cost(sum(c.cpu for c in costs), sum(c.pss for c in costs), sum(c.rss for c in costs))


def scenario(count: int, folder: Path) -> Path:
    """A scenario with so many bots, 50 m apart."""
    vehicle = str(ROOT / "launch" / "config" / "vehicles" / "dodecahedron.yaml")
    bots = [{"name": f"bot{i}", "vehicle": vehicle, "position": [0.0, 50.0 * i, 0.0]} for i in range(count)]
    path = folder / f"bots_{count}.yaml"
    path.write_text(json.dumps({"name": f"bots_{count}", "seed": 1, "bots": bots, "bodies": bodies()}))
    return path


def bodies() -> list[dict[str, Any]]:
    """Others in the radar's range, 300 m to 1 km away, that pass at 1 m/s."""
    made = []
    for i in range(BODIES):
        x, y = 300.0 + 100.0 * i, -200.0 + 50.0 * i
        course = [{"time": time, "position": [x, y + time, 30.0]} for time in (0.0, 600.0)]
        made.append({"name": f"body{i}", "type": "DRONE", "shape": {"kind": "sphere", "radius": 1.0}, "course": course})
    return made


def real_commands(count: int, folder: Path) -> dict[str, list[str]]:
    """Command lines of QIKI's own processes, by name."""
    python, ros = [sys.executable, "-m"], ["--ros-args", "-r"]
    commands = {"sim": [*python, "qiki_sim.node", *ros, "__ns:=/qiki", "-p", f"scenario:={scenario(count, folder)}"]}
    for i in range(count):
        commands[f"allocator {i}"] = [
            *python, "qiki_allocator.node", *ros, f"__ns:=/bot{i}", "-p", "use_sim_time:=true",
        ]  # fmt: skip
    commands["console"] = [*python, "qiki_console", "status", "--watch", "--json"]
    return commands


def xpdr_commands(count: int, folder: Path) -> dict[str, list[str]]:
    """Command lines of QIKI's own processes with a transponder for each bot, that knows the others' keys."""
    Custody(folder / "keys").create([f"bot{i}" for i in range(count)])
    commands = real_commands(count, folder)
    for i in range(count):
        parameters = {"use_sim_time": "true", "keys_folder": str(folder / "keys" / f"bot{i}"), "mode": "ON"}
        words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
        commands[f"xpdr {i}"] = [sys.executable, "-m", "qiki_xpdr.node", "--ros-args", "-r", f"__ns:=/bot{i}", *words]
    return commands


def bare_commands(count: int, _folder: Path) -> dict[str, list[str]]:
    """Command lines of the bare nodes."""
    bare = [sys.executable, str(NODES)]
    commands = {"sim": [*bare, "sim", str(count)]}
    commands |= {f"allocator {i}": [*bare, "allocator", str(i)] for i in range(count)}
    commands["console"] = [*bare, "console", str(count)]
    return commands


def measure(make_commands: Callable[[int, Path], dict[str, list[str]]], count: int, seconds: float) -> Run:
    """Start a graph, measure it at rest and in flight, stop it."""
    run = Run()
    started: list[subprocess.Popen[str]] = []

    def start(command: list[str]) -> subprocess.Popen[str]:
        out = subprocess.PIPE if "pilot" in command else subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=out, text=True)
        started.append(process)
        return process

    with tempfile.TemporaryDirectory() as folder:
        try:
            graph = {name: start(command) for name, command in make_commands(count, Path(folder)).items()}
            pilot = [sys.executable, str(NODES), "pilot", str(count)]
            # A first pilot finds out that all bots answer; it is gone before the measurement at rest.
            _fly(start(pilot), 1.0)
            time.sleep(2.0)
            run.rest = _costs(graph, seconds)
            flying = start(pilot)
            _wait_until_ready(flying)
            run.flight = _costs(graph, seconds)
            report = _stop_pilot(flying)
        finally:
            for process in started:
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
            for process in started:
                try:
                    process.wait(10.0)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
    latencies = report["latencies"]
    run.latency_p50, run.latency_p99 = median(latencies), quantiles(latencies, n=100)[98]
    run.wrenches, run.valve_commands, run.speed = report["wrenches"], report["valve_commands"], report["speed"]
    return run


def _fly(pilot: subprocess.Popen[str], seconds: float) -> None:
    _wait_until_ready(pilot)
    time.sleep(seconds)
    _stop_pilot(pilot)


def _wait_until_ready(pilot: subprocess.Popen[str]) -> None:
    assert pilot.stdout is not None
    line = pilot.stdout.readline()
    if line != "ready\n":
        sys.exit("the graph did not come up: not every bot answers a wrench with a valve command")


def _stop_pilot(pilot: subprocess.Popen[str]) -> dict[str, Any]:
    pilot.send_signal(signal.SIGINT)
    out, _ = pilot.communicate(timeout=30.0)
    report: dict[str, Any] = json.loads(out)
    return report


def _costs(graph: dict[str, subprocess.Popen[str]], seconds: float) -> dict[str, Cost]:
    watched = {name: psutil.Process(process.pid) for name, process in graph.items()}
    before = {name: sum(process.cpu_times()[:2]) for name, process in watched.items()}
    start = time.monotonic()
    time.sleep(seconds)
    wall = time.monotonic() - start
    costs = {}
    for name, process in watched.items():
        memory = process.memory_full_info()
        used = sum(process.cpu_times()[:2]) - before[name]
        costs[name] = Cost(100.0 * used / wall, memory.pss / 1e6, memory.rss / 1e6)
    return costs


# The report -----------------------------------------------------------------------------------------------------------


def show(count: int, real: Run, bare: Run) -> None:
    """One table per number of bots."""
    print(f"\nbots: {count}     CPU, % of a core                             memory in flight, MB")
    print("process        rest   bare  ratio   flight   bare  ratio      PSS   bare     RSS   bare")
    for name in [*real.flight, "graph"]:
        cells = [run.total(phase) if name == "graph" else getattr(run, phase)[name]
                 for phase in ("rest", "flight") for run in (real, bare)]  # fmt: skip
        rest, rest_bare, flight, flight_bare = cells
        print(
            f"{name:12}{rest.cpu:7.1f}{rest_bare.cpu:7.1f}{rest.cpu / max(rest_bare.cpu, 0.1):7.2f}"
            f"{flight.cpu:9.1f}{flight_bare.cpu:7.1f}{flight.cpu / max(flight_bare.cpu, 0.1):7.2f}"
            f"{flight.pss:9.1f}{flight_bare.pss:7.1f}{flight.rss:8.1f}{flight_bare.rss:7.1f}"
        )
    for title, run in (("QIKI", real), ("bare", bare)):
        print(
            f"{title}: wrench to valve command p50 {run.latency_p50:.0f} us, p99 {run.latency_p99:.0f} us; per bot "
            f"{run.wrenches:.0f} wrenches/s, {run.valve_commands:.0f} valve commands/s; "
            f"simulated time {run.speed:.2f} x real time"
        )
    print(f"ratio: p50 {real.latency_p50 / bare.latency_p50:.2f}, p99 {real.latency_p99 / bare.latency_p99:.2f}")


def compare_xpdr(rounds: int, seconds: float) -> tuple[dict[str, Any], int]:
    """Two bots in turns without and with transponders; all numbers, and the exit code."""
    pairs = []
    for number in range(rounds):
        pair = {name: measure(make, 2, seconds) for name, make in (("without", real_commands), ("with", xpdr_commands))}
        pairs.append(pair)
        for phase in ("rest", "flight"):
            costs = {name: getattr(run, phase) for name, run in pair.items()}
            cells = (f"{name} {cost.cpu:.1f} (without {costs['without'][name].cpu:.1f})" if name in costs["without"]
                     else f"{name} {cost.cpu:.1f}" for name, cost in costs["with"].items())  # fmt: skip
            print(f"round {number + 1}, {phase}, % of a core: {', '.join(cells)}")
    more = {
        phase: [pair["with"].total(phase).cpu - pair["without"].total(phase).cpu for pair in pairs]
        for phase in ("rest", "flight")
    }
    for phase, found in more.items():
        print(f"{phase}: transponders and tracks of two bots cost {median(found):.0f} % of a core ({found})")
    memory = median(pair["with"].flight["xpdr 0"].pss for pair in pairs)
    speeds = {name: median(pair[name].speed for pair in pairs) for name in ("without", "with")}
    print(f"memory of an xpdr {memory:.0f} MB (PSS); simulated time without {speeds['without']:.2f}, ", end="")
    holds = median(more["flight"]) <= MOST_FOR_XPDR
    print(
        f"with {speeds['with']:.2f} x real time; allowed {MOST_FOR_XPDR:.0f} %: {'holds' if holds else 'DOES NOT HOLD'}"
    )
    return {"rounds": [{name: asdict(run) for name, run in pair.items()} for pair in pairs]}, 0 if holds else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bots", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=10.0, help="wall time of each measurement")
    parser.add_argument("--xpdr", action="store_true", help="compare two bots without and with transponders instead")
    parser.add_argument("--rounds", type=int, default=3, help="of --xpdr")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    arguments = parser.parse_args()
    use_private_domain()
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    print(f"load of the machine before: {psutil.cpu_percent(1.0):.0f} % of {psutil.cpu_count()} cores")
    found: dict[Any, Any] = {}
    verdict = 0
    if arguments.xpdr:
        found, verdict = compare_xpdr(arguments.rounds, arguments.seconds)
    for count in () if arguments.xpdr else arguments.bots:
        real = measure(real_commands, count, arguments.seconds)
        bare = measure(bare_commands, count, arguments.seconds)
        show(count, real, bare)
        found[count] = {"qiki": asdict(real), "bare": asdict(bare)}
        if count == 2:
            used, allowed = real.total("flight").cpu, 100.0 * CORES / 2
            holds = used <= allowed
            verdict = 0 if holds else 1
            print(
                f"two bots in flight with simulator and console use {used:.0f} % of a core, allowed {allowed:.0f} %: "
                + ("holds" if holds else "DOES NOT HOLD")
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))
    return verdict


if __name__ == "__main__":
    sys.exit(main())
