"""Transitions succeed as a whole or leave nothing behind; nothing reaches what was destroyed."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import TransitionCallbackReturn
from spun_node import SpunNode, spinning
from std_msgs.msg import String
from std_srvs.srv import Trigger

from qiki_node.executor import make_executor, spin_while
from qiki_node.health import Health, Level
from qiki_node.testing import Peer

pytestmark = pytest.mark.realtime

SUCCESS = TransitionCallbackReturn.SUCCESS
HOOKS = ("configure", "activate", "deactivate", "clean up")


class Building(SpunNode):
    """Builds in each hook, then fails in it as often as `failures` has its name."""

    def __init__(self, *failures: str) -> None:
        super().__init__("building")
        self.failures = list(failures)
        self.ticks: dict[str, int] = {}
        self.undone: list[str] = []

    def on_configure_node(self) -> None:
        self.create_subscription(String, "orders", lambda _: None, 10)
        self.create_lifecycle_publisher(String, "reports", 10)
        self.create_service(Trigger, "~/poke", lambda _, response: response)
        self.create_client(Trigger, "elsewhere")
        self.add_timer(0.02, lambda: self.tick("configured"))
        self.add_diagnostic("lamp", lambda: Health(Level.OK, "on"))
        self.configured.callback(self.undone.append, "configure")
        self.fail("configure")

    def on_activate_node(self) -> None:
        self.create_subscription(String, "work", lambda _: None, 10)
        self.add_timer(0.02, lambda: self.tick("activated"))
        self.activated.callback(self.undone.append, "activate")
        self.fail("activate")

    def on_deactivate_node(self) -> None:
        self.fail("deactivate")

    def on_cleanup_node(self) -> None:
        self.fail("clean up")

    def fail(self, hook: str) -> None:
        if hook in self.failures:
            self.failures.remove(hook)
            raise ValueError("file is missing")

    def tick(self, kind: str) -> None:
        self.ticks[kind] = self.ticks.get(kind, 0) + 1

    def counts(self) -> list[int]:
        kinds = (self.subscriptions, self.publishers, self.services, self.clients, self.timers, self.waitables)
        return [len(list(kind)) for kind in kinds] + [len(self._managed_entities)]

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        spin_while(self.executor, lambda: time.monotonic() < end, 0.02)

    def spin_until_ticks(self, number: int) -> None:
        self.ticks.clear()
        spin_while(self.executor, lambda: min(self.ticks.get(kind, 0) for kind in ("configured", "activated")) < number)


@contextmanager
def building(*failures: str) -> Iterator[Building]:
    node = Building(*failures)
    executor = make_executor("events", node.own_context)
    executor.add_node(node)
    try:
        yield node
    finally:
        executor.remove_node(node)
        executor.shutdown()
        node.__exit__()


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_that_fails_leaves_nothing_behind(hook: str) -> None:
    with building(hook) as node:
        empty = node.counts()
        started = node.start()
        assert started is (hook in ("deactivate", "clean up"))
        if hook == "activate":
            assert node.state == "inactive"
            assert node.undone == ["activate"]
            node.spin(0.1)
            assert node.ticks == {}
            assert node.trigger_activate() == SUCCESS
            assert node.trigger_deactivate() == SUCCESS
            assert node.trigger_cleanup() == SUCCESS
        elif started:
            node.stop()
            assert node.refusal == f"cannot {hook}: file is missing"
        assert node.state == "unconfigured"
        assert node.counts() == empty
        assert set(node.undone) == {"configure"} | ({"activate"} if hook != "configure" else set())
        # The same node, made afresh, has everything once.
        assert node.start()
        node.spin_until_ticks(5)
        assert abs(node.ticks["configured"] - node.ticks["activated"]) <= 1
        assert "lamp" in node._board.ask()
        assert node.trigger_deactivate() == SUCCESS
        node.ticks.clear()
        node.spin(0.1)
        assert node.ticks == {}, "no timer of an inactive node ticks"


def test_each_activation_has_its_timers_once() -> None:
    with building() as node:
        assert node.trigger_configure() == SUCCESS
        made = node.counts()
        for _ in range(3):
            assert node.trigger_activate() == SUCCESS
            assert node.trigger_deactivate() == SUCCESS
            assert node.counts() == made
        assert node.trigger_activate() == SUCCESS
        node.spin_until_ticks(5)
        assert abs(node.ticks["configured"] - node.ticks["activated"]) <= 1


@pytest.mark.parametrize("state", ["unconfigured", "inactive", "active"])
def test_shutdown_undoes_everything_even_where_hooks_fail(state: str) -> None:
    with building("deactivate", "clean up") as node:
        empty = node.counts()
        if state != "unconfigured":
            node.trigger_configure()
        if state == "active":
            node.trigger_activate()
        assert node.trigger_shutdown() == SUCCESS
        assert (node.state, node.counts()) == ("finalized", empty)
        assert not node.start()
        node.stop()


class Busy(SpunNode):
    """Its callbacks need the core that it has from configuration to clean-up."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.core: dict[str, int] | None = None

    def on_configure_node(self) -> None:
        self.core = {"orders": 0, "pokes": 0, "ticks": 0}
        self.configured.callback(self.forget)
        self.create_subscription(String, "orders", lambda _: self.count("orders"), 10)
        self.create_service(Trigger, "~/poke", self.poke)
        self.add_timer(0.001, lambda: self.count("ticks"))
        self.configured.callback(time.sleep, 0.01)  # callbacks queue up, as while a node cleans up

    def forget(self) -> None:
        self.core = None

    def count(self, what: str) -> None:
        assert self.core is not None, "called back without a core"
        self.core[what] += 1

    def poke(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.count("pokes")
        response.success = True
        return response


@pytest.mark.parametrize("kind", ["events", "single"])
@pytest.mark.parametrize("rounds", [8, pytest.param(200, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_nothing_reaches_what_was_destroyed(kind: str, rounds: int) -> None:
    node = Busy(f"busy_{kind}_{rounds}")
    stop = threading.Event()
    with Peer() as peer, spinning(node, kind) as raised:
        name = node.get_fully_qualified_name()
        change, poke = peer.client(ChangeState, f"{name}/change_state"), peer.client(Trigger, f"{name}/poke")
        orders = peer.node.create_publisher(String, "orders", 10)

        def flood() -> None:
            while not stop.is_set():
                orders.publish(String())
                poke.call_async(Trigger.Request())
                time.sleep(0.001)

        peer.spin_until(change.service_is_ready)
        peer.meet(f"{name}/change_state")
        thread = threading.Thread(target=flood)
        thread.start()
        try:
            for _ in range(rounds):
                for number in (
                    Transition.TRANSITION_CONFIGURE,
                    Transition.TRANSITION_ACTIVATE,
                    Transition.TRANSITION_DEACTIVATE,
                    Transition.TRANSITION_CLEANUP,
                ):
                    answer = change.call_async(ChangeState.Request(transition=Transition(id=number)))
                    peer.spin_until(answer.done)
                    assert answer.result().success
                    peer.spin_for(0.02)
        finally:
            stop.set()
            thread.join()
        assert node.callbacks.health().level is Level.OK, node.callbacks.health()
        assert not [error for error in raised if type(error).__name__ != "InvalidHandle"]
