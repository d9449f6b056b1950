"""A tool's own node on the graph for as long as one command lasts, spun in a thread.

with Session("console") as session:
    session.subscribe(Clock, "/clock", on_clock, CLOCK)
    answer = session.call(Trigger, "/qiki/sim/pause", Trigger.Request(), repeatable=True)
"""

import os
import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

import rclpy
from rclpy.exceptions import InvalidHandle
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from qiki_node.acquaintance import meet
from qiki_node.callbacks import reason_of
from qiki_node.deferred import MANY_REQUESTS
from qiki_node.errors import CommandError, RefusedError, UnreachableError, up_hint
from qiki_node.executor import make_executor
from qiki_node.run_file import domain_id
from qiki_node.service_type import ServiceType
from qiki_node.shared_memory import remove_stale

T = TypeVar("T")
Q = TypeVar("Q")
R = TypeVar("R")

DISCOVERY = 5.0
"""s after which a missing part of the graph counts as missing. Longer than the 3 s after which Fast DDS repeats an
announcement that was lost."""

ANSWER = 7.5
"""s until a service call without an answer fails."""

_REPEAT = 2.5
"""s without an answer after which a repeatable request is sent once more."""

_POLL = 0.02
"""s between two looks at the graph while waiting: rclpy reports no change of it."""


def is_hidden_node(name: str) -> bool:
    """True if a node, by its full name or without its namespace, is a tool's own, such as that of a `Session`."""
    return any(part.startswith("_") for part in name.split("/"))


class Session:
    """A node and its thread; a context manager. Every method may be called from any thread.

    Entering it raises a RefusedError where ROS_DOMAIN_ID is none.

    Callbacks run in the session's thread, one at a time and never during the condition of `wait_for`. The exception of
    one is raised once in the command's thread, by the next method that waits or by the end of the session: as a
    CommandError that names it, or as it is where it is one or a closed pipe. The other callbacks go on.

    Args:
        name: of the tool; the node is called `_qiki_<name>_<process id>`.
    """

    def __init__(self, name: str) -> None:
        self.discovery = DISCOVERY
        """s, longest wait for a part of the graph to appear."""
        self._name = f"_qiki_{name}_{os.getpid()}"
        self._changed = threading.Condition()
        self._clients: dict[str, Any] = {}
        self._greeters: list[Any] = []
        self._failure: CommandError | BrokenPipeError | None = None

    def __enter__(self) -> "Session":
        try:
            domain_id()
        except ValueError as error:
            raise RefusedError(str(error), "unset it for domain 0") from error
        remove_stale()
        self._context = rclpy.Context()
        # A signal handler of rclpy would shut the context down before a last zero wrench is out. A log file, which
        # nobody would read, needs a home directory.
        rclpy.init(
            args=["--ros-args", "--disable-external-lib-logs"],
            context=self._context,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self.node = rclpy.create_node(
            self._name, context=self._context, enable_rosout=False, start_parameter_services=False
        )
        self._executor = make_executor("events", self._context)
        self._executor.add_node(self.node)
        self._stop: Future = Future(executor=self._executor)
        self._thread = threading.Thread(target=self._spin, name="graph", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, _t: type[BaseException] | None, error: BaseException | None, _b: TracebackType | None) -> None:
        self._stop.set_result(None)
        self._thread.join()
        self._executor.remove_node(self.node)
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)
        if error is None:
            self._raise_failure()

    def _spin(self) -> None:
        while not self._stop.done():
            try:
                self._executor.spin_until_future_complete(self._stop, 0.25)
            except InvalidHandle:  # a late delivery to something that was destroyed
                pass
            except Exception as error:  # such as a message that is no valid text: the other callbacks go on
                with self._changed:
                    self._failed("graph", error)

    def _failed(self, callback: str, error: Exception) -> None:
        if self._failure is None:
            self._failure = _surfaced(callback, error)
        self._changed.notify_all()

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    # Waiting --------------------------------------------------------------------------------------------------------

    def wait_for(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until the condition holds, at most `timeout` seconds of wall time; whether it holds."""
        end = time.monotonic() + timeout
        with self._changed:
            self._raise_failure()
            while not condition():
                left = end - time.monotonic()
                if left <= 0.0:
                    return False
                self._changed.wait(min(left, _POLL))
                self._raise_failure()
        return True

    def between_callbacks(self, read: Callable[[], T]) -> T:
        """Result of `read`, called while no callback runs."""
        with self._changed:
            self._raise_failure()
            return read()

    # Messages and services ------------------------------------------------------------------------------------------

    def subscribe(self, kind: type[T], topic: str, callback: Callable[[T], None], qos: QoSProfile) -> None:
        """Subscribe to a topic."""
        self.node.create_subscription(kind, topic, self._notifying(topic, callback), qos)

    def subscribe_serialized(self, kind: type, topic: str, callback: Callable[[bytes], None], qos: QoSProfile) -> None:
        """Subscribe to a topic for its messages as they are on the wire, which costs less."""
        self.node.create_subscription(kind, topic, self._notifying(topic, callback), qos, raw=True)

    def _notifying(self, topic: str, callback: Callable[[T], None]) -> Callable[[T], None]:
        def received(message: T) -> None:
            with self._changed:
                try:
                    callback(message)
                except Exception as error:  # there is no caller in this thread
                    self._failed(f"topic {topic}", error)
                self._changed.notify_all()

        return received

    def call(
        self, kind: ServiceType[Q, R], service: str, request: Q, timeout: float = ANSWER, *, repeatable: bool = False
    ) -> R:
        """Call a service (by its full name) and return its response.

        A service that has not discovered its client 100 ms after the request drops the response (rmw_fastrtps), which
        happens on a busy machine: a `repeatable` request is sent once more, any other one not before the service knows
        this session.

        Raises:
            UnreachableError: the service is not there, or does not answer within `timeout` s.
        """
        client = self.client(kind, service)
        if not self.wait_for(client.service_is_ready, self.discovery):
            raise UnreachableError(f"service {service} is not there", hint=up_hint())
        if not repeatable:
            # Without that proof the request is sent all the same: it is carried out, if perhaps without an answer.
            meet(self.node, service, self.wait_for, self.discovery, self._greeters)
        end = time.monotonic() + timeout
        futures = [self._send(client, request)]
        try:
            if repeatable and not self.wait_for(futures[0].done, min(_REPEAT, timeout / 2)):
                futures.append(self._send(client, request))
            if self.wait_for(lambda: any(future.done() for future in futures), end - time.monotonic()):
                answer: R = next(future.result() for future in futures if future.done())
                return answer
        finally:
            for future in futures:
                client.remove_pending_request(future)
        raise UnreachableError(
            f"service {service} does not answer within {timeout:g} s; whether it was carried out is not known",
            hint="qiki status shows what is alive",
        )

    def client(self, kind: ServiceType[Any, Any], service: str) -> Any:
        """The client of a service. It lives as long as the session: one that is destroyed while an answer to it is on
        its way crashes the executor."""
        with self._changed:
            if service not in self._clients:
                self._clients[service] = self.node.create_client(kind, service, qos_profile=MANY_REQUESTS)
            return self._clients[service]

    def _send(self, client: Any, request: Any) -> Future:
        future: Future = client.call_async(request)
        future.add_done_callback(self._notify)
        return future

    def _notify(self, _future: Future) -> None:
        with self._changed:
            self._changed.notify_all()

    # The graph ------------------------------------------------------------------------------------------------------

    def nodes(self) -> list[str]:
        """Full names of all nodes but hidden ones, sorted."""
        found = self.node.get_node_names_and_namespaces()
        names = {f"{space.rstrip('/')}/{name}" for name, space in found}
        return sorted(name for name in names if not is_hidden_node(name))

    def topics(self) -> dict[str, list[str]]:
        """Types by topic name, this session's own topics included."""
        return {name: list(types) for name, types in sorted(self.node.get_topic_names_and_types())}

    def publishers(self, topic: str) -> list[Any]:
        """rclpy's TopicEndpointInfo of each publisher."""
        return list(self.node.get_publishers_info_by_topic(topic))

    def subscribers(self, topic: str) -> list[Any]:
        """rclpy's TopicEndpointInfo of each subscriber."""
        return list(self.node.get_subscriptions_info_by_topic(topic))


def _surfaced(callback: str, error: Exception) -> CommandError | BrokenPipeError:
    if isinstance(error, CommandError | BrokenPipeError):
        return error
    *_, last = traceback.extract_tb(error.__traceback__)
    failure = CommandError(f"{callback}: the callback failed: {reason_of(error)} ({last.filename}:{last.lineno})")
    failure.__cause__ = error
    return failure
