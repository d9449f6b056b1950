"""From `cmd_wrench` to `thruster_command` through the allocator's process, beside a bare node that only answers.

    ./qiki env python benchmarks/node_latency.py [--wrenches 3000] [--quick]

Both run at the same time and are asked in turns, A B B A, each 100 times per second, with /clock at 100 Hz. The bare
node (benchmarks/bare_nodes.py) has the executor, QoS and messages of the allocator and answers each wrench with a valve
command for 16 thrusters. Latency is from before the wrench is published to when the answer's callback is called. The
wrench turns slowly, so each is new to the allocator. Windows of pulses begin with the clock's ticks, not with wrenches:
commands that come unasked are not counted. The allocator also receives energy and temperatures, 10 times per second.
"""

import argparse
import subprocess
import sys
import time
from math import cos, sin
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import rclpy
from geometry_msgs.msg import WrenchStamped
from rclpy.node import Node
from rclpy.task import Future
from rosgraph_msgs.msg import Clock

from qiki_msgs.msg import Energy, Thermal, ThrusterCommand
from qiki_node.executor import make_executor, spin_until
from qiki_node.qos import CLOCK, COMMAND, TELEMETRY
from qiki_node.testing import use_private_domain

ROOT = Path(__file__).resolve().parent.parent
VEHICLE = ROOT / "launch" / "config" / "vehicles" / "dodecahedron.yaml"
CYCLE = 0.01
"""s; in it both are asked once, a third and two thirds after the clock's tick."""
_DRAIN = 5e-4  # s
PATIENCE = 60.0
"""s until both must have answered."""
ALLOWED = {"p50": 1.5, "p99": 2.0}

COMMANDS = {
    "allocator": [
        *(sys.executable, "-m", "qiki_allocator.node", "--ros-args", "-r", "__ns:=/bot0"),
        *("-p", "use_sim_time:=true", "-p", f"vehicle_file:={VEHICLE}"),
    ],
    "echo": [sys.executable, str(ROOT / "benchmarks" / "bare_nodes.py"), "allocator", "1"],
}
"""Command lines of the two, in the order of their namespaces /bot0 and /bot1."""


class Asker:
    """Sends wrenches to both in turns and times the answers."""

    def __init__(self) -> None:
        self.node = Node("asker")
        self._executor = make_executor("events")
        self._executor.add_node(self.node)
        self._clock = self.node.create_publisher(Clock, "/clock", CLOCK)
        self._publishers = [self.node.create_publisher(WrenchStamped, f"/bot{i}/cmd_wrench", COMMAND) for i in range(2)]
        for i in range(2):
            self.node.create_subscription(
                ThrusterCommand, f"/bot{i}/thruster_command", lambda message, i=i: self._hear(i, message), COMMAND
            )
        self._energy = self.node.create_publisher(Energy, "/bot0/energy", TELEMETRY)
        self._thermal = self.node.create_publisher(Thermal, "/bot0/thermal", TELEMETRY)
        self._ticks = 0
        self._waiting: Future | None = None
        self._asked = -1
        self._heard = 0.0
        self._window = 0.0
        self._begun = time.perf_counter()

    def tick(self) -> None:
        """Publish /clock, wall time since the start, and at each tenth tick what a body at rest measures."""
        message = Clock()
        nanoseconds = round((time.perf_counter() - self._begun) * 1e9)
        message.clock.sec, message.clock.nanosec = divmod(nanoseconds, 1_000_000_000)
        self._clock.publish(message)
        if self._ticks % 10 == 0:
            energy = Energy(supercap_soc=0.8, battery_soc=0.8, continuous_power=22500.0, peak_power=45000.0)
            energy.pdu = Energy.PDU_ON
            names = [f"RCS_{cluster}" for cluster in "ABCD"]
            thermal = Thermal(name=names, temperature=[20.0] * 4, heat=[0.0] * 4, warn=[90.0] * 4, trip=[120.0] * 4)
            thermal.status = [Thermal.STATUS_OK] * 4
            for publisher, telemetry in ((self._energy, energy), (self._thermal, thermal)):
                telemetry.header.stamp, telemetry.header.frame_id = message.clock, "bot0/base_link"
                publisher.publish(telemetry)
        self._ticks += 1

    def ask(self, index: int, timeout: float) -> tuple[float, float] | None:
        """Send a wrench; (latency, s; window of the answer, s), or None if there was no answer."""
        message = WrenchStamped()
        message.header.frame_id = "base_link"
        angle = 0.5 * (time.perf_counter() - self._begun)
        wrench = message.wrench
        wrench.force.x, wrench.force.y, wrench.force.z = 150.0 * cos(angle), 150.0 * sin(angle), 40.0 * cos(3.0 * angle)
        wrench.torque.x, wrench.torque.z = 20.0 * sin(5.0 * angle), 30.0 * cos(7.0 * angle)
        # What came unasked, as when a window of pulses began, is no answer.
        spin_until(self._executor, Future(), _DRAIN)
        self._waiting, self._asked = Future(), index
        sent = time.perf_counter()
        self._publishers[index].publish(message)
        if not spin_until(self._executor, self._waiting, timeout):
            return None
        return self._heard - sent, self._window

    def _hear(self, index: int, message: Any) -> None:
        now = time.perf_counter()
        if index == self._asked and self._waiting is not None and not self._waiting.done():
            self._heard, self._window = now, message.window
            self._waiting.set_result(None)


def wait_until_ready(asker: Asker) -> None:
    """Ask until both have answered a few times in a row."""
    end = time.perf_counter() + PATIENCE
    good = 0
    while good < 20:
        asker.tick()
        good = good + 1 if all(asker.ask(i, 0.05) for i in range(2)) else 0
        if time.perf_counter() > end:
            sys.exit(f"not both of {', '.join(COMMANDS)} answer within {PATIENCE:g} s")
        time.sleep(0.005)


def measure(asker: Asker, count: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], int]:
    """Latencies (count, 2) s, NaN: no answer; windows (count, 2) s; and how often the cycle was late."""
    latencies, windows = np.full((count, 2), np.nan), np.full((count, 2), np.nan)
    late = 0
    start = time.perf_counter()
    for k in range(count):
        due = start + k * CYCLE
        late += time.perf_counter() > due + 0.5 * CYCLE
        _sleep_until(due)
        asker.tick()
        # Each comes first in half of the cycles: what runs after the clock's tick is nobody's advantage.
        for turn, index in enumerate((0, 1) if k % 2 == 0 else (1, 0)):
            _sleep_until(due + (turn + 1) * CYCLE / 3.0)
            answer = asker.ask(index, 0.25)
            if answer is not None:
                latencies[k, index], windows[k, index] = answer
    return latencies, windows, late


def _sleep_until(due: float) -> None:
    left = due - time.perf_counter()
    if left > 0.0:
        time.sleep(left)


def report(latencies: npt.NDArray[np.float64], windows: npt.NDArray[np.float64], late: int) -> int:
    """Print the numbers; 0 if they are as they should be."""
    print(f"{'':24}{'answers':>9}{'p50 us':>9}{'p90 us':>9}{'p99 us':>9}{'max us':>9}")
    rows = {name: latencies[:, i] for i, name in enumerate(COMMANDS)}
    begins = windows[:, 0] > np.nanmax(windows[:, 0]) - 1e-6
    rows["allocator, new window"] = latencies[begins, 0]
    rows["allocator, in a window"] = latencies[~begins, 0]
    found = {}
    for name, row in rows.items():
        good = row[~np.isnan(row)] * 1e6
        found[name] = dict(zip(("p50", "p90", "p99"), np.percentile(good, [50, 90, 99]), strict=True))
        values = "".join(f"{value:9.0f}" for value in (*found[name].values(), good.max()))
        print(f"{name:24}{len(good):9}{values}")
    print(f"cycles that began late: {late} of {len(latencies)}")
    holds = True
    for key, allowed in ALLOWED.items():
        ratio = found["allocator"][key] / found["echo"][key]
        holds = holds and ratio <= allowed
        print(f"{key}: {ratio:.2f} x echo, allowed {allowed:g}: {'holds' if ratio <= allowed else 'DOES NOT HOLD'}")
    return 0 if holds else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wrenches", type=int, default=3000, help="to each of the two")
    parser.add_argument("--quick", action="store_true", help="500 wrenches")
    arguments = parser.parse_args()
    use_private_domain()
    print(f"load of the machine before: {psutil.cpu_percent(1.0):.0f} % of {psutil.cpu_count()} cores")
    nodes = [subprocess.Popen(command) for command in COMMANDS.values()]
    try:
        rclpy.init(args=[])
        asker = Asker()
        wait_until_ready(asker)
        found = measure(asker, 500 if arguments.quick else arguments.wrenches)
        rclpy.shutdown()
    finally:
        for node in nodes:
            node.terminate()
        for node in nodes:
            try:
                node.wait(10.0)
            except subprocess.TimeoutExpired:
                node.kill()
                node.wait()
    return report(*found)


if __name__ == "__main__":
    sys.exit(main())
