"""Helpers for tests of the graph: a private ROS domain, node processes that must exit cleanly, a peer to talk to them.

Used by the tests of every package; it needs no test framework.
"""

import fcntl
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import rclpy
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

from qiki_node.acquaintance import greeting_service, meet
from qiki_node.executor import make_executor, spin_while
from qiki_node.loopback import use_loopback

PATIENCE = 30.0
"""s, how long anything is waited for: generous, as tests must not depend on speed."""

_ASK_AGAIN = 5.0
"""s after which an unanswered request is sent again."""

_HEED = 5.0
"""s that a process gets to heed SIGINT before it is killed at the end of its block."""

_PORTS = range(20)
"""TCP ports of one test process."""

SETTLE = 0.5
"""s, usually enough for a server to discover a new client. `Peer.meet` is sure to be."""


def use_private_domain(*, shared_memory: bool = True) -> int:
    """Give this process and its children a ROS domain of their own on this machine; call it before rclpy is started.

    A lock file that this process holds keeps other test processes off the domain. It is never 0, the one that the
    environment names, or one in which a participant runs already: no test may disturb a running graph.

    Args:
        shared_memory: whether Fast DDS may use it, as it does where nodes really run; see `qiki_node.loopback` for what
            tests have to fear from it.
    """
    # Domains above 101 collide with the ephemeral ports of Linux.
    domains = [1 + (os.getpid() + step) % 101 for step in range(101)]
    for domain in domains:
        if str(domain) == os.environ.get("ROS_DOMAIN_ID", "").strip() or domain_in_use(domain):
            continue
        try:
            # Never closed: the lock lasts as long as this process.
            lock = os.open(Path(tempfile.gettempdir(), f"qiki_test_domain_{domain}.lock"), os.O_CREAT | os.O_RDWR)
        except OSError:  # another user's
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            continue
        os.environ["ROS_DOMAIN_ID"] = str(domain)
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        if not shared_memory:
            use_loopback()
        return domain
    raise RuntimeError("no free ROS domain: 101 test processes or graphs have one each")


def domain_in_use(domain: int) -> bool:
    """True where a participant of a ROS domain runs on this machine: the port of one of the first is taken.

    Ports as RTPS 2.5, 9.6.2.3, has them.
    """
    for participant in range(4):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", 7400 + 250 * domain + 10 + 2 * participant))
            except OSError:
                return True
    return False


def private_port() -> int:
    """A free TCP port that no other test process is given; after `use_private_domain`.

    Not one that the system chooses and that is freed for the node: until that binds it, another may get it.
    """
    # Below 32768, from where on Linux takes the ports of outgoing connections.
    first = 20_000 + int(os.environ["ROS_DOMAIN_ID"]) * len(_PORTS)
    for port in (first + step for step in _PORTS):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"no free TCP port from {first} to {first + len(_PORTS) - 1}")


class NodeProcess:
    """A node as a process of its own, ended at the end of a ``with`` block if it is still there.

    Args:
        command: program and arguments, such as ``[sys.executable, "-m", "qiki_sim.node"]``.
        ros_arguments: arguments after ``--ros-args``.
        environment: variables beside those of this process.
    """

    def __init__(
        self,
        command: Sequence[str],
        ros_arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [*command, *(["--ros-args", *ros_arguments] if ros_arguments else [])]
        self._environment = {**os.environ, **(environment or {})}
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self._environment
        )

    @classmethod
    def of_module(cls, module: str, *ros_arguments: str) -> "NodeProcess":
        """The node of a module that can be run with ``python -m``."""
        return cls([sys.executable, "-m", module], ros_arguments)

    def stop(self, number: signal.Signals = signal.SIGINT) -> str:
        """Signal it, wait, assert that it exits with 0; its stderr."""
        self.process.send_signal(number)
        code, _, err = self.wait()
        assert code == 0, f"{self._command} ended with {code} after {number.name}:\n{err}"
        return err

    def wait(self) -> tuple[int, str, str]:
        """Wait for its end: exit code, stdout, stderr."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err

    def kill(self) -> None:
        """SIGKILL, if it is still there."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def end(self) -> None:
        """SIGINT if it is still there, SIGKILL if it does not heed that.

        Not SIGKILL at once: it leaves shared memory of Fast DDS behind, which may keep later processes from receiving.
        """
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.communicate(timeout=_HEED)
        self.kill()

    def __enter__(self) -> "NodeProcess":
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        self.end()


class Peer:
    """The test's own node and context, to talk to the nodes under test; a context manager."""

    def __init__(self, name: str = "peer", **node_arguments: Any) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = Node(name, context=self.context, **node_arguments)
        self.executor = make_executor("events", self.context)
        self.executor.add_node(self.node)
        self._clients: dict[str, Client] = {}
        self._greeters: list[Client] = []

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        self.executor.remove_node(self.node)
        self.node.destroy_node()
        self.executor.shutdown()
        rclpy.shutdown(context=self.context)

    def client(self, kind: type, name: str) -> Client:
        """The client of a service. It lives as long as this peer: one that is destroyed while an answer to it is on its
        way crashes the executor."""
        name = self.node.resolve_service_name(name)
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, name)
        return self._clients[name]

    def call(
        self, kind: type, name: str, request: object, timeout: float = PATIENCE, *, repeatable: bool = True
    ) -> Any:
        """Call a service and return its response.

        A service that has not discovered its client 100 ms after the request drops the response (rmw_fastrtps), and
        `service_is_ready` cannot see that. So a request that may be carried out twice is sent again when unanswered;
        one that may not waits until the service knows the client.
        """
        client = self.client(kind, name)
        assert self._spin(client.service_is_ready, time.monotonic() + timeout), f"service {name} is not there"
        if not repeatable:
            self.meet(name, timeout)
        again = _ASK_AGAIN if repeatable else math.inf
        return self.ask(lambda: client.call_async(request), f"service {name}", timeout, again)

    def meet(self, service: str, timeout: float = PATIENCE) -> None:
        """Wait until the node that offers a service knows all clients and subscriptions made by this peer so far.

        For an action ask for one of its services, such as `<action>/_action/send_goal`.
        """
        service = self.node.resolve_service_name(service)
        if not meet(self.node, service, self._wait, timeout, self._greeters):
            raise AssertionError(f"service {greeting_service(self.node, service)} does not answer")

    def ask(self, send: Callable[[], Future], server: str, timeout: float = PATIENCE, again: float = _ASK_AGAIN) -> Any:
        """Result of the request that `send` makes; sent again, as something new, after `again` s without an answer."""
        end = time.monotonic() + timeout
        futures = [send()]

        def answered() -> bool:
            return any(future.done() for future in futures)

        while not self._spin(answered, min(end, time.monotonic() + again)) and time.monotonic() < end:
            futures.append(send())
        assert answered(), f"{server} does not answer"
        return next(future.result() for future in futures if future.done())

    def spin_until(self, condition: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Run callbacks until the condition holds; an AssertionError when it does not in time."""
        assert self._spin(condition, time.monotonic() + timeout), "condition did not come true in time"

    def _spin(self, condition: Callable[[], bool], end: float) -> bool:
        spin_while(self.executor, lambda: not condition() and time.monotonic() < end, 0.02)
        return condition()

    def _wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        return self._spin(condition, time.monotonic() + seconds)

    def spin_for(self, seconds: float) -> None:
        """Run callbacks for some wall time."""
        end = time.monotonic() + seconds
        spin_while(self.executor, lambda: time.monotonic() < end, 0.02)

    def lifecycle_state(self, node: str) -> int:
        """lifecycle_msgs/State id of a node given by its full name."""
        return int(self.call(GetState, f"{node}/get_state", GetState.Request()).current_state.id)

    def wait_until_active(self, node: str, timeout: float = PATIENCE) -> None:
        """Wait until a managed node is active."""
        self.spin_until(lambda: self.lifecycle_state(node) == State.PRIMARY_STATE_ACTIVE, timeout)
