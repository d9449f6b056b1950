"""Waiting for the bots, nodes and topics that a command needs; errors name those on the graph."""

import time

from rclpy.qos import QoSProfile

from qiki_console.graph.endpoints import full_name, visible
from qiki_console.model.names import bodies_of, bots_of
from qiki_console.model.screen import clock_warning
from qiki_node.errors import CommandError, UnknownNameError, UnreachableError, up_hint
from qiki_node.qos import strictest
from qiki_node.run_file import keep_topics
from qiki_node.session import Session


def bots(session: Session) -> list[str]:
    """Names of the bots that the graph shows."""
    return bots_of(session.topics())


def topics_of_others(session: Session) -> dict[str, list[str]]:
    """Types by topic name, without the topics that only hidden nodes have; kept for the completion of a
    shell."""
    found = {
        topic: types
        for topic, types in session.topics().items()
        if visible(session.publishers(topic) + session.subscribers(topic))
    }
    keep_topics(found)
    return found


def several_clocks(session: Session) -> str:
    """A warning where more than one node publishes /clock, else empty."""
    names = [full_name(end) for end in visible(session.publishers("/clock"))]
    return clock_warning(names)


def settle(session: Session, quiet: float = 0.7) -> None:
    """Wait until nodes and topics have not changed for `quiet` seconds, at most the discovery time."""
    end = time.monotonic() + session.discovery
    before: object = None
    while time.monotonic() < end:
        now = (session.nodes(), session.topics())
        if now == before:
            return
        before = now
        time.sleep(quiet)


def require_graph(session: Session) -> None:
    """Wait for any node, and then until the graph has not changed for a moment.

    Raises:
        UnreachableError: the graph is down.
    """
    if not session.wait_for(lambda: bool(session.nodes()), session.discovery):
        raise UnreachableError("the graph is down: no node is found", hint=up_hint())
    settle(session)


def require_bot(session: Session, bot: str) -> None:
    """Wait for a bot.

    Raises:
        UnknownNameError: only other bots are on the graph; names them.
        UnreachableError: no bot is on the graph.
    """
    if session.wait_for(lambda: bot in bots(session), session.discovery):
        return
    if others := bots(session):
        raise UnknownNameError("bot", bot, others)
    raise UnreachableError(f"bot: {bot!r} is not there, and no other bot either", hint=up_hint())


def require_body(session: Session, name: str) -> None:
    """Wait for a bot or another body with docking ports.

    Raises:
        UnknownNameError: only other bodies are on the graph; names them.
        UnreachableError: no body is on the graph.
    """
    if session.wait_for(lambda: name in bodies_of(session.topics()), session.discovery):
        return
    if others := bodies_of(session.topics()):
        raise UnknownNameError("body", name, others)
    raise UnreachableError(f"body: {name!r} is not there, and no other body either", hint=up_hint())


def require_topic(session: Session, topic: str) -> str:
    """Wait for a topic; its type.

    Raises:
        UnreachableError: the graph is down.
        UnknownNameError: the topic is not there; names those that are.
        CommandError: it has more than one type.
    """
    if not session.wait_for(lambda: topic in session.topics(), session.discovery):
        if not session.nodes():
            raise UnreachableError("the graph is down: no node is found", hint=up_hint())
        raise UnknownNameError("topic", topic, topics_of_others(session), "qiki topics list shows all of them")
    types = session.topics()[topic]
    if len(types) > 1:
        raise CommandError(f"topic: {topic!r} has several types: {', '.join(types)}")
    return types[0]


def subscription_qos(session: Session, topic: str) -> QoSProfile:
    """The strictest quality of service that every publisher of a topic offers, once there is one.

    Raises:
        UnreachableError: there is none.
    """
    if not session.wait_for(lambda: bool(session.publishers(topic)), session.discovery):
        hint = f"qiki topics info {topic} shows its subscribers"
        raise UnreachableError(f"topic: {topic!r} has no publisher", hint=hint)
    settle(session, quiet=0.1)
    return strictest([end.qos_profile for end in session.publishers(topic)], depth=10)
