"""The console's ROS adapter: one short-lived node, spun in a thread, and ways to wait for what it hears."""

import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from qiki_console.errors import UP_HINT, ConsoleError, RefusedError, UnreachableError
from qiki_console.model.names import bots_of, is_hidden_node
from qiki_node.acquaintance import GREETING, greeting_service
from qiki_node.executor import make_executor

T = TypeVar("T")

DISCOVERY = 5.0
"""s, how long a part of the graph is waited for before it counts as missing. Longer than the 3 s after which Fast DDS
repeats an announcement that was lost."""

ANSWER = 5.0
"""s, how long an answer to a service call is waited for."""

_GREET_AGAIN = 0.5
"""s after which a service that does not answer is greeted again."""

_POLL = 0.02
"""s, how often the graph is looked at while waiting: it tells no one when it changes."""


class Session:
    """A node on the graph for the time of one command; a context manager.

    Callbacks run in the session's thread, one at a time and never during the condition of `wait_for`.
    """

    def __init__(self) -> None:
        self.discovery = DISCOVERY
        self._heard = threading.Condition()
        self._clients: list[Any] = []
        self._stopping = False

    def __enter__(self) -> "Session":
        self._context = rclpy.Context()
        # The handlers of rclpy would shut the context down before a last zero wrench is out.
        rclpy.init(args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node(
            f"_qiki_console_{os.getpid()}",
            context=self._context,
            enable_rosout=False,
            start_parameter_services=False,
        )
        self._executor = make_executor("events", self._context)
        self._executor.add_node(self.node)
        self._stop: Future = Future(executor=self._executor)
        self._thread = threading.Thread(target=self._spin, name="graph", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stopping = True
        self._stop.set_result(None)
        self._thread.join()
        self._executor.remove_node(self.node)
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _spin(self) -> None:
        while not self._stopping:
            self._executor.spin_until_future_complete(self._stop, 0.25)

    # Waiting --------------------------------------------------------------------------------------------------------

    def wait_for(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until the condition holds, at most `timeout` seconds of wall time; tells whether it does."""
        end = time.monotonic() + timeout
        with self._heard:
            while not condition():
                left = end - time.monotonic()
                if left <= 0.0:
                    return False
                self._heard.wait(min(left, _POLL))
        return True

    def between_callbacks(self, read: Callable[[], T]) -> T:
        """Result of `read`, called while no callback runs."""
        with self._heard:
            return read()

    # Messages and services ------------------------------------------------------------------------------------------

    def subscribe(
        self, kind: Any, topic: str, callback: Callable[[Any], None], qos: QoSProfile, *, raw: bool = False
    ) -> None:
        """Hear a topic; `raw` gives serialized messages."""

        def heard(message: Any) -> None:
            with self._heard:
                callback(message)
                self._heard.notify_all()

        self.node.create_subscription(kind, topic, heard, qos, raw=raw)

    def call(self, kind: Any, service: str, request: Any, timeout: float = ANSWER, *, repeatable: bool = False) -> Any:
        """Call a service and return its response.

        A service that has not discovered its client 100 ms after the request drops the response (rmw_fastrtps), which
        happens on a busy machine: a `repeatable` request is sent once more after half the time, any other one not
        before the service knows this session.

        Raises:
            UnreachableError: the service is not there, or does not answer in time.
        """
        client = self._client(kind, service)
        if not self.wait_for(client.service_is_ready, self.discovery):
            raise UnreachableError(f"service {service} is not there", hint=UP_HINT)
        if not repeatable:
            self._meet(service)
        futures = [client.call_async(request)]
        if repeatable and not self.wait_for(futures[0].done, timeout / 2):
            futures.append(client.call_async(request))
        if not self.wait_for(lambda: any(future.done() for future in futures), timeout):
            raise UnreachableError(
                f"service {service} does not answer within {timeout:g} s; whether it was carried out is not known",
                hint="qiki status shows what is alive",
            )
        return next(future.result() for future in futures if future.done())

    def _client(self, kind: Any, service: str) -> Any:
        """A client that lives as long as the session: one that is destroyed while an answer to it is on its way
        crashes the executor."""
        client = self.node.create_client(kind, service)
        self._clients.append(client)
        return client

    def _meet(self, service: str) -> None:
        """Wait, at most the discovery time, until whoever offers a service knows the clients of this session.

        Where that cannot be told, the request is sent all the same: it is carried out, if perhaps without an answer.
        """
        end = time.monotonic() + self.discovery
        greeting: str | None = None

        def found() -> bool:
            nonlocal greeting
            greeting = greeting_service(self.node, service)
            return greeting is not None

        if not self.wait_for(found, self.discovery):
            return
        client = self._client(GREETING, str(greeting))
        self.wait_for(client.service_is_ready, end - time.monotonic())
        futures = []
        while time.monotonic() < end:
            futures.append(client.call_async(GREETING.Request()))
            if self.wait_for(lambda: any(future.done() for future in futures), _GREET_AGAIN):
                return

    # What there is --------------------------------------------------------------------------------------------------

    def nodes(self) -> list[str]:
        """Full names of all nodes but hidden ones, sorted."""
        found = self.node.get_node_names_and_namespaces()
        return sorted({f"{space.rstrip('/')}/{name}" for name, space in found if not is_hidden_node(name)})

    def topics(self) -> dict[str, list[str]]:
        """Types by topic name, without the topics that only this session has."""
        found = self.node.get_topic_names_and_types()
        own = self.node.get_name()
        return {
            topic: list(types)
            for topic, types in sorted(found)
            if any(end.node_name != own for end in self.publishers(topic) + self.subscribers(topic))
        }

    def publishers(self, topic: str) -> list[Any]:
        """rclpy's TopicEndpointInfo of each publisher."""
        return list(self.node.get_publishers_info_by_topic(topic))

    def subscribers(self, topic: str) -> list[Any]:
        """rclpy's TopicEndpointInfo of each subscriber."""
        return list(self.node.get_subscriptions_info_by_topic(topic))

    def bots(self) -> list[str]:
        """Names of the bots that the graph shows."""
        return bots_of(name for name, _ in self.node.get_topic_names_and_types())

    def require_graph(self) -> None:
        """Wait for any node, and then until the picture has not changed for a moment.

        Raises:
            UnreachableError: the graph is down.
        """
        if not self.wait_for(lambda: bool(self.nodes()), self.discovery):
            raise UnreachableError("the graph is down: no node is found", hint=UP_HINT)
        self.settle()

    def settle(self, quiet: float = 0.7) -> None:
        """Wait until nodes and topics have not changed for `quiet` seconds, at most the discovery time."""
        end = time.monotonic() + self.discovery
        before: object = None
        while time.monotonic() < end:
            now = (self.nodes(), self.node.get_topic_names_and_types())
            if now == before:
                return
            before = now
            time.sleep(quiet)

    def require_bot(self, bot: str) -> None:
        """Wait for a bot.

        Raises:
            RefusedError: other bots are there, but not this one; names them.
            UnreachableError: no bot is there.
        """
        if self.wait_for(lambda: bot in self.bots(), self.discovery):
            return
        bots = self.bots()
        if bots:
            raise RefusedError(f"bot: {bot!r} is not there; allowed: {', '.join(bots)}")
        raise UnreachableError(f"bot: {bot!r} is not there, and no other bot either", hint=UP_HINT)

    def require_topic(self, topic: str) -> str:
        """Wait for a topic; its type.

        Raises:
            UnreachableError: the graph is down.
            ConsoleError: the topic is not there, or has more than one type.
        """
        if not self.wait_for(lambda: topic in dict(self.node.get_topic_names_and_types()), self.discovery):
            if not self.nodes():
                raise UnreachableError("the graph is down: no node is found", hint=UP_HINT)
            raise ConsoleError(f"topic: {topic!r} is not there", hint="qiki topics list shows all of them")
        types = dict(self.node.get_topic_names_and_types())[topic]
        if len(types) > 1:
            raise ConsoleError(f"topic: {topic!r} has several types: {', '.join(types)}")
        return str(types[0])

    def qos_to_hear(self, topic: str, depth: int = 10) -> QoSProfile:
        """The strongest quality of service that every publisher of a topic can serve."""
        offered = [end.qos_profile for end in self.publishers(topic)]
        reliable = bool(offered) and all(qos.reliability == ReliabilityPolicy.RELIABLE for qos in offered)
        latched = bool(offered) and all(qos.durability == DurabilityPolicy.TRANSIENT_LOCAL for qos in offered)
        return QoSProfile(
            depth=depth,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )
