"""Killed nodes come back: the graph is whole again, and no shared memory of the dead is left."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from nav_msgs.msg import Odometry

from qiki_msgs.msg import Allocation, ThrusterState
from qiki_msgs.srv import SetAllocatorMode, SetAttitudeMode, SetThrusterHealth
from qiki_node.qos import TELEMETRY

pytestmark = pytest.mark.realtime

SHARED = Path("/dev/shm")


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


def owned(pid: int) -> dict[str, int]:
    """Inodes, by name, of the shared memory that a process owns: that of which it holds the exclusive lock.

    By inode: a process that has not noticed a death yet may make another port of the same name, to send to it.
    """
    names = mapped(pid)
    owned = {name for name in names if f"{name.removesuffix('_el')}_el" in names}
    return {name: inode for name in owned if (inode := inode_of(name)) is not None}


def inode_of(name: str) -> int | None:
    """None where there is none of that name."""
    try:
        return (SHARED / name).stat().st_ino
    except FileNotFoundError:
        return None


def operate(peer, mode: int, attitude: int, health: int) -> None:
    """Set the mode, the attitude mode and the health of thruster 3 of alpha."""
    node = "/alpha/allocator"
    for kind, service, request in (
        (SetAllocatorMode, "set_mode", SetAllocatorMode.Request(mode=mode)),
        (SetAttitudeMode, "set_attitude_mode", SetAttitudeMode.Request(mode=attitude)),
        (SetThrusterHealth, "set_thruster_health", SetThrusterHealth.Request(thruster=3, health=health)),
    ):
        answer = peer.call(kind, f"{node}/{service}", request)
        assert answer.success, answer.message


@pytest.mark.requirement("ALLOC-17")
@pytest.mark.parametrize("name", ["qiki/sim", "alpha/allocator"])
def test_a_killed_node_is_back_and_the_graph_is_whole(graph, peer, wait_for_force, name: str) -> None:
    received = {"odom": 0.0, "allocation": 0.0}
    newest = {}
    subscriptions = [
        peer.node.create_subscription(
            kind,
            f"/alpha/{topic}",
            lambda message, t=topic: (received.update({t: time.monotonic()}), newest.update({t: message})),
            TELEMETRY,
        )
        for topic, kind in (("odom", Odometry), ("allocation", Allocation))
    ]
    peer.spin_until(lambda: all(received.values()))
    old = graph.pid(name)
    assert old is not None
    shared = owned(old)
    assert shared, "Fast DDS is expected to use shared memory"
    operate(peer, Allocation.MODE_AUTO, SetAttitudeMode.Request.HOLD, ThrusterState.HEALTH_WEAK)
    os.kill(old, signal.SIGKILL)
    killed = time.monotonic()

    def whole() -> bool:
        """A new process, and telemetry of simulator and allocator that is younger than it."""
        reborn = graph.pid(name) not in (old, None)
        return reborn and all(when > killed + 0.5 for when in received.values())

    peer.spin_until(whole)
    # Some three seconds, most of them Python's start: on a busy machine as many more as it is busy.
    print(f"{name}: whole again after {time.monotonic() - killed:.1f} s")
    # A simulator that starts again has set the clock back, which ends every attitude mode.
    wanted = SetAttitudeMode.Request.HOLD if name == "alpha/allocator" else SetAttitudeMode.Request.OFF
    peer.spin_until(lambda: newest["allocation"].attitude_mode == wanted)
    assert newest["allocation"].mode == Allocation.MODE_AUTO
    assert newest["allocation"].health[3] == ThrusterState.HEALTH_WEAK
    operate(peer, Allocation.MODE_ADAPTIVE, SetAttitudeMode.Request.OFF, ThrusterState.HEALTH_OK)
    wait_for_force()
    run = graph.qiki("thrust", "alpha", "--force", "100", "0", "0", "--for", "1", "--json")
    # 1: the account does not close, as on a busy machine.
    assert run.returncode in (0, 1), run.stdout + run.stderr
    assert graph.process(name)["restarts"] == 1
    for subscription in subscriptions:
        peer.node.destroy_subscription(subscription)
    in_use = set().union(*(mapped(process.pid) for process in psutil.process_iter()))
    left = {name for name in shared.keys() - in_use if inode_of(name) == shared[name]}
    assert not left, "shared memory of the dead process is still there"
