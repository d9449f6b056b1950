"""Services that are answered later, from another thread, under both executors."""

import queue
import threading

import pytest
import rclpy
from rclpy.node import Node
from std_srvs.srv import Trigger

from qiki_node.deferred import MANY_REQUESTS, Reply, create_deferred_service
from qiki_node.executor import make_executor, spin_while
from qiki_node.testing import Peer

pytestmark = pytest.mark.realtime


@pytest.mark.parametrize("kind", ["events", "single"])
def test_many_requests_wait_at_once_and_each_gets_its_answer(kind: str) -> None:
    context = rclpy.Context()
    rclpy.init(context=context)
    node = Node("server", context=context)
    waiting: queue.SimpleQueue[Reply | None] = queue.SimpleQueue()
    together: list[int] = []
    stop = threading.Event()

    def answer() -> None:
        number = 0
        while (first := waiting.get()) is not None:
            replies = [first]
            while not waiting.empty():
                replies.append(waiting.get())
            together.append(len(replies))
            for reply in replies:
                number += 1
                reply(Trigger.Response(success=True, message=str(number)))

    create_deferred_service(node, Trigger, "later", lambda _request, reply: waiting.put(reply))
    executor = make_executor(kind, context)
    executor.add_node(node)
    threads = [
        threading.Thread(target=answer),
        threading.Thread(target=lambda: spin_while(executor, lambda: not stop.is_set(), 0.1)),
    ]
    for thread in threads:
        thread.start()
    try:
        with Peer() as peer:
            client = peer.node.create_client(Trigger, "later", qos_profile=MANY_REQUESTS)
            peer.spin_until(client.service_is_ready)
            peer.meet("later")
            futures = [client.call_async(Trigger.Request()) for _ in range(300)]
            peer.spin_until(lambda: all(future.done() for future in futures))
            assert [int(future.result().message) for future in futures] == list(range(1, 301))
            assert sum(together) == 300
    finally:
        stop.set()
        waiting.put(None)
        for thread in threads:
            thread.join()
        executor.remove_node(node)
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)


def test_an_answer_that_is_known_at_once() -> None:
    with Peer() as peer:
        create_deferred_service(
            peer.node, Trigger, "now", lambda _request, reply: reply(Trigger.Response(message="at once"))
        )
        assert peer.call(Trigger, "now", Trigger.Request()).message == "at once"
