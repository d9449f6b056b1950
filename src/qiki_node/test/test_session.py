"""A tool's node: services, subscriptions, and waiting for them."""

import sys
import threading
from pathlib import Path

import pytest
from lifecycle_msgs.srv import GetState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from qiki_node.deferred import create_deferred_service
from qiki_node.errors import CommandError, UnreachableError
from qiki_node.message_classes import UnknownTypeError, message_class
from qiki_node.qos import STATE
from qiki_node.session import Session, is_hidden_node
from qiki_node.testing import PATIENCE, NodeProcess

pytestmark = pytest.mark.realtime

EXAMPLE = [sys.executable, str(Path(__file__).with_name("example_node.py"))]


@pytest.fixture(scope="module")
def graph():
    with NodeProcess(EXAMPLE, ["-r", "__ns:=/alpha"]) as process, Session("test") as session:
        session.discovery = PATIENCE
        assert session.wait_for(lambda: "/alpha/example" in session.nodes(), PATIENCE)
        yield session
        process.stop()


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_service_answers(graph, repeatable):
    answer = graph.call(Trigger, "/alpha/example/poke", Trigger.Request(), PATIENCE, repeatable=repeatable)
    assert answer.message == 'poked "hard"'


def test_services_are_called_from_many_threads_at_once(graph):
    answers = []

    def ask():
        answers.append(graph.call(GetState, "/alpha/example/get_state", GetState.Request(), PATIENCE, repeatable=True))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.current_state.label for answer in answers} == {"active"}


def test_a_repeatable_request_is_sent_twice_before_a_service_counts_as_silent(graph):
    requests = []
    with Session("server") as server:
        create_deferred_service(server.node, Trigger, "/silent", lambda request, _reply: requests.append(request))
        with pytest.raises(UnreachableError, match=r"service /silent does not answer within 0\.4 s"):
            graph.call(Trigger, "/silent", Trigger.Request(), 0.4, repeatable=True)
        assert graph.wait_for(lambda: len(requests) == 2, PATIENCE)


def test_a_missing_service_is_named():
    with Session("lonely") as session:
        session.discovery = 0.1
        with pytest.raises(UnreachableError, match="service /nowhere is not there") as caught:
            session.call(Trigger, "/nowhere", Trigger.Request())
    assert "./qiki up" in caught.value.hint
    assert caught.value.exit_code == 3


def test_a_message_wakes_the_waiting(graph):
    received = []
    graph.subscribe(String, "/word", received.append, STATE)
    graph.node.create_publisher(String, "/word", STATE).publish(String(data="up"))
    assert graph.wait_for(lambda: received == [String(data="up")], PATIENCE)
    assert graph.between_callbacks(lambda: len(received)) == 1


def test_the_exception_of_a_callback_reaches_the_command_and_the_others_go_on(graph):
    received = []
    graph.subscribe(String, "/bad", lambda message: message.nothing, STATE)
    graph.subscribe(String, "/good", received.append, STATE)
    bad, good = (graph.node.create_publisher(String, topic, STATE) for topic in ("/bad", "/good"))
    bad.publish(String())
    with pytest.raises(CommandError, match=r"topic /bad: the callback failed: AttributeError: .*test_session\.py:\d"):
        graph.wait_for(lambda: False, PATIENCE)
    good.publish(String())
    assert graph.wait_for(lambda: bool(received), PATIENCE)
    refused = threading.Event()

    def refuse(_message):
        refused.set()
        raise CommandError("no such bot")

    session = Session("brief").__enter__()
    session.subscribe(String, "/bad", refuse, STATE)
    assert refused.wait(PATIENCE)
    with pytest.raises(CommandError, match="no such bot"):  # at its end at the latest
        session.__exit__(None, None, None)


def test_a_tools_own_node_is_hidden(graph):
    assert is_hidden_node(graph.node.get_name())
    nodes = graph.nodes()  # with those that other tests killed, until their discovery lease ends
    assert "/alpha/example" in nodes
    assert not [name for name in nodes if is_hidden_node(name.rpartition("/")[2])]


def test_message_classes_by_name():
    assert message_class("std_msgs/msg/String") is String
    for name in ("std_msgs/msg/Nothing", "nowhere/msg/String", "String", "std_msgs/String", ""):
        with pytest.raises(UnknownTypeError, match=f"type: '{name}' is not known here"):
            message_class(name)
