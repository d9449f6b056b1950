"""CPU time of rclpy's executors on the work of a QIKI node; each kind runs in the same run, one after the other.

    ./qiki env python benchmarks/executors.py [--nodes 4] [--seconds 10]

Each node is a process with a 100 Hz timer, one publisher and three 100 Hz subscriptions to its neighbours.
"""

import argparse
import subprocess
import sys
import time

import psutil

from qiki_node.testing import use_private_domain

KINDS = ("single", "events")


def node(kind: str, index: int, count: int, simulated: bool) -> None:
    """One node process; runs until it is killed."""
    import rclpy
    from geometry_msgs.msg import WrenchStamped
    from rclpy.node import Node
    from rclpy.parameter import Parameter

    from qiki_node.executor import make_executor, spin_while
    from qiki_node.qos import TELEMETRY

    rclpy.init()
    overrides = [Parameter("use_sim_time", value=simulated)]
    this = Node(f"n{index}", parameter_overrides=overrides)
    message = WrenchStamped()
    publisher = this.create_publisher(WrenchStamped, f"t{index}", TELEMETRY)
    this.create_timer(0.01, lambda: publisher.publish(message))
    for step in (1, 2, 3):
        this.create_subscription(WrenchStamped, f"t{(index + step) % count}", lambda _: None, TELEMETRY)
    executor = make_executor(kind)
    executor.add_node(this)
    spin_while(executor, rclpy.ok)


def clock() -> None:
    """Publishes /clock at 100 Hz until it is killed."""
    import rclpy
    from rclpy.node import Node
    from rosgraph_msgs.msg import Clock

    from qiki_node.executor import make_executor, spin_while
    from qiki_node.qos import CLOCK

    rclpy.init()
    this = Node("clock")
    publisher = this.create_publisher(Clock, "/clock", CLOCK)
    message = Clock()

    def tick() -> None:
        message.clock.sec, message.clock.nanosec = divmod(time.monotonic_ns(), 1_000_000_000)
        publisher.publish(message)

    this.create_timer(0.01, tick)
    executor = make_executor("events")
    executor.add_node(this)
    spin_while(executor, rclpy.ok)


def measure(kind: str, count: int, seconds: float, simulated: bool) -> float:
    """Mean CPU of one node in per cent of a core, over the given wall time."""
    script = [sys.executable, __file__]
    processes = [
        subprocess.Popen([*script, "--as-node", kind, str(i), str(count), str(int(simulated))]) for i in range(count)
    ]
    helpers = [subprocess.Popen([*script, "--as-clock"])] if simulated else []
    try:
        time.sleep(4.0)  # discovery and imports are over
        watched = [psutil.Process(process.pid) for process in processes]
        before = [sum(process.cpu_times()[:2]) for process in watched]
        start = time.monotonic()
        time.sleep(seconds)
        wall = time.monotonic() - start
        used = [sum(process.cpu_times()[:2]) - old for process, old in zip(watched, before, strict=True)]
    finally:
        for process in [*processes, *helpers]:
            process.kill()
            process.wait()
    return 100.0 * sum(used) / wall / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--as-node", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--as-clock", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.as_node:
        kind, index, count, simulated = arguments.as_node
        node(kind, int(index), int(count), simulated == "1")
        return
    if arguments.as_clock:
        clock()
        return
    use_private_domain()
    print(f"{arguments.nodes} nodes, {arguments.seconds:g} s each; CPU of one node in % of a core")
    for simulated in (False, True):
        cost = {kind: measure(kind, arguments.nodes, arguments.seconds, simulated) for kind in KINDS}
        time_name = "simulated time" if simulated else "wall time"
        print(
            f"{time_name:15} single {cost['single']:5.1f} %   events {cost['events']:5.1f} %   "
            f"events / single {cost['events'] / cost['single']:.2f}"
        )


if __name__ == "__main__":
    main()
