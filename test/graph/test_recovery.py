"""What is killed comes back: the graph is whole again, and no shared memory of the dead is left."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from nav_msgs.msg import Odometry

from qiki_msgs.msg import Allocation
from qiki_node.qos import TELEMETRY

WHOLE_AGAIN = 5.0  # s, what is promised


def mapped(pid: int) -> set[str]:
    """Names of the shared memory that a process has mapped or open; empty when it is gone."""
    names: set[str] = set()
    with suppress(OSError):
        names |= {
            line.rpartition("/dev/shm/")[2].strip()
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
            if "/dev/shm/" in line
        }
        for link in Path(f"/proc/{pid}/fd").iterdir():
            target = str(link.readlink())
            if target.startswith("/dev/shm/"):
                names.add(target.removeprefix("/dev/shm/"))
    return names


@pytest.mark.parametrize("name", ["qiki/sim", "alpha/allocator"])
def test_a_killed_node_is_back_and_the_graph_is_whole(graph, peer, name: str) -> None:
    heard = {"odom": 0.0, "allocation": 0.0}
    subscriptions = [
        peer.node.create_subscription(
            kind, f"/alpha/{topic}", lambda _, t=topic: heard.update({t: time.monotonic()}), TELEMETRY
        )
        for topic, kind in (("odom", Odometry), ("allocation", Allocation))
    ]
    peer.spin_until(lambda: all(heard.values()))
    old = graph.pid(name)
    assert old is not None
    shared = mapped(old)
    assert shared, "Fast DDS is expected to use shared memory"
    os.kill(old, signal.SIGKILL)
    killed = time.monotonic()

    def whole() -> bool:
        """A new process, and telemetry of simulator and allocator that is younger than it."""
        reborn = graph.pid(name) not in (old, None)
        return reborn and all(when > killed + 0.5 for when in heard.values())

    peer.spin_until(whole, timeout=WHOLE_AGAIN)
    run = graph.qiki("thrust", "alpha", "--force", "100", "0", "0", "--for", "1", "--json")
    assert run.returncode == 0, run.stdout + run.stderr
    assert graph.process(name)["restarts"] == 1
    for subscription in subscriptions:
        peer.node.destroy_subscription(subscription)
    in_use = set().union(*(mapped(process.pid) for process in psutil.process_iter()))
    left = {name for name in shared - in_use if Path("/dev/shm", name).exists()}
    assert not left, "shared memory of the dead process is still there"
