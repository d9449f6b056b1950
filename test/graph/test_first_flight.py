"""The way of a command through the real processes: console, allocator, valves, rigid body, odometry.

Newton's law is checked with what the valves gave, and that with what the allocator held for commanded: so a busy
machine, on which the console ends a push late or the allocator receives its end late, changes no result.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nav_msgs.msg import Odometry
from pacing import in_time
from pilot import rotation

from qiki_allocator.assembly import thrusters
from qiki_msgs.msg import Allocation, ThrusterState
from qiki_node.qos import TELEMETRY
from qiki_vehicle import Vehicle

# What a busy machine spoils may be repeated in slower time.
pytestmark = [pytest.mark.realtime, pytest.mark.usefixtures("peer"), pytest.mark.timeout(900)]

THRUSTERS = thrusters(
    Vehicle.from_file(Path(__file__).resolve().parents[2] / "launch/config/vehicles/dodecahedron.yaml")
)
INERTIA_Z = 820.0  # kg m^2, about the centre of mass
LONGEST = 120.0  # s
MEAN = 20  # messages


class Push:
    """Motion of a bot at rest while `qiki thrust` runs, and until its valves are closed for good.

    Attributes:
        impulse: (6,) N s and N m s that the valves gave, by their own counters of open time.
        least, most: (6,) N s and N m s that were commanded at least and at most: what the allocator held for commanded
            at each of its messages, and anything between two of them in the time from one to the other.
        gained: (6,) m/s in world, of the centre of mass, and rad/s in base_link; by odometry.
        mass: kg, by the console.
    """

    def __init__(self, graph, peer, bot: str, *arguments: str) -> None:
        self._peer = peer
        self._subscriptions = []
        valves, allocations, odometry = (
            self._heard(kind, f"/{bot}/{topic}")
            for kind, topic in ((ThrusterState, "thruster_state"), (Allocation, "allocation"), (Odometry, "odom"))
        )
        self._wait_for_news(valves, allocations, odometry)
        before, on_before = mean_motion(odometry), np.array(valves[-1].on_time)
        with graph.start_qiki("thrust", bot, *arguments, "--json") as console:
            peer.spin_until(lambda: console.poll() is not None, LONGEST)
            out, err = console.communicate()
        account = json.loads(out)
        assert console.returncode == (0 if account["closes"] else 1), out + err
        self.mass = account["mass_kg"]
        self._wait_for_news(allocations)
        peer.spin_until(lambda: allocations[-1].state != Allocation.STATE_ACTIVE)
        self._wait_for_news(valves, odometry)
        for subscription in self._subscriptions:
            peer.node.destroy_subscription(subscription)
        self.gained = mean_motion(odometry) - before
        self.impulse = THRUSTERS.effectiveness @ (THRUSTERS.f_max * (np.array(valves[-1].on_time) - on_before))
        self.least, self.most = np.zeros(6), np.zeros(6)
        for one, following in pairwise(allocations):
            passed, both = stamp(following) - stamp(one), (commanded(one), commanded(following))
            self.least += passed * np.minimum(*both)
            self.most += passed * np.maximum(*both)
        self._check_account(account)

    def _check_account(self, account: dict[str, Any]) -> None:
        """The verdict of the console is that of the valves: it fails, with a cause, where they gave another impulse."""
        asked = np.array(account["force_n"] + account["torque_nm"]) * account["duration_s"]
        off = np.linalg.norm(self.impulse - asked) / np.linalg.norm(asked)
        if off < 0.03:
            assert account["closes"], (off, account)
        if off > 0.07:
            assert not account["closes"], (off, account)
            assert account["cause_keys"], (off, account)

    def _heard(self, kind: type, topic: str) -> list:
        messages: list = []
        self._subscriptions.append(self._peer.node.create_subscription(kind, topic, messages.append, TELEMETRY))
        return messages

    def _wait_for_news(self, *topics: list) -> None:
        """For so many messages that none of the last `MEAN` was sent before now: some may have waited in the queue."""
        wanted = [len(messages) + TELEMETRY.depth + MEAN for messages in topics]
        self._peer.spin_until(lambda: all(len(messages) >= n for messages, n in zip(topics, wanted, strict=True)))


def stamp(message: Allocation) -> float:
    return message.header.stamp.sec + message.header.stamp.nanosec * 1e-9


def commanded(message: Allocation) -> np.ndarray:
    f, t = message.commanded.force, message.commanded.torque
    return np.array([f.x, f.y, f.z, t.x, t.y, t.z])


def mean_motion(odometry: list[Odometry]) -> np.ndarray:
    """(6,): velocity and rates, without the noise of a single message."""
    return np.mean([motion(message) for message in odometry[-MEAN:]], axis=0)


def motion(message: Odometry) -> np.ndarray:
    q, v, w = message.pose.pose.orientation, message.twist.twist.linear, message.twist.twist.angular
    rates = np.array([w.x, w.y, w.z])
    velocity = np.array([v.x, v.y, v.z]) + np.cross(rates, THRUSTERS.com)
    return np.concatenate([rotation(np.array([q.x, q.y, q.z, q.w])) @ velocity, rates])


def test_a_push_gains_the_velocity_that_newton_asks_for(graph, peer) -> None:
    def attempt(_pace: float) -> None:
        push = Push(graph, peer, "alpha", "--force", "200", "0", "0", "--for", "2")
        assert 0.98 * push.least[0] < push.impulse[0] < 1.02 * push.most[0]
        expected = push.impulse[0] / push.mass
        assert expected > 0.0
        assert push.gained[0] == pytest.approx(expected, rel=0.02)
        assert abs(push.gained[1]) < 0.02 * expected
        assert abs(push.gained[2]) < 0.02 * expected

    in_time(peer, attempt, "alpha")


def test_the_other_bot_can_be_turned(graph, peer) -> None:
    def attempt(_pace: float) -> None:
        push = Push(graph, peer, "bravo", "--torque", "0", "0", "100", "--for", "1")
        assert 0.97 * push.least[5] < push.impulse[5] < 1.03 * push.most[5]
        assert push.impulse[5] > 0.0
        assert push.gained[5] == pytest.approx(push.impulse[5] / INERTIA_Z, rel=0.03)

    in_time(peer, attempt, "bravo")


def test_status_shows_every_bot_and_node(graph) -> None:
    run = graph.qiki("status", "--json")
    assert run.returncode == 0, run.stderr
    status = json.loads(run.stdout)
    assert set(status["bots"]) == {"alpha", "bravo"}
    text = graph.qiki("status").stdout
    assert "alpha" in text
    assert "supercap" in text.lower()


def test_simulator_is_driven_from_the_console(graph) -> None:
    assert graph.qiki("sim", "pause").returncode == 0
    assert graph.qiki("sim", "step", "0.5").returncode == 0
    assert graph.qiki("sim", "resume").returncode == 0
    refused = graph.qiki("sim", "speed", "1000")
    assert refused.returncode == 2
    assert "1000" in refused.stdout + refused.stderr
    assert "100" in refused.stdout + refused.stderr


def test_a_dead_thruster_is_a_fault_the_operator_can_inject_and_clear(graph) -> None:
    assert graph.qiki("sim", "fault", "bravo", "thruster_stuck_closed", "3").returncode == 0
    assert graph.qiki("sim", "clear", "bravo").returncode == 0
    assert graph.qiki("sim", "fault", "bravo", "thruster_stuck_closed", "16").returncode == 2
