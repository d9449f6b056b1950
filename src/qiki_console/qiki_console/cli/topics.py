"""`qiki topics`: list, echo, hz, info."""

import time
from typing import TYPE_CHECKING, Any

import click

from qiki_console.model.names import absolute, is_plumbing
from qiki_node.completion import complete_topics
from qiki_node.errors import CommandError, RefusedError
from qiki_node.terminal import echo, printable
from qiki_node.verb_group import VerbGroup

if TYPE_CHECKING:
    from qiki_node.session import Session


@click.group(cls=VerbGroup)
def topics() -> None:
    """Look at topics."""


@topics.command("list")
@click.option("--types", is_flag=True, help="With the type of each.")
@click.option("--all", "everything", is_flag=True, help="ROS's own and hidden topics too.")
def list_topics(types: bool, everything: bool) -> None:
    """Names of the topics on the graph."""
    from qiki_console.graph.discovery import require_graph, several_clocks, topics_of_others
    from qiki_node.session import Session

    with Session("console") as session:
        require_graph(session)
        found, warning = topics_of_others(session), several_clocks(session)
    if warning:
        echo(f"warning: {warning}", err=True)
    for name, kinds in found.items():
        if everything or not is_plumbing(name):
            echo(printable(f"{name}  [{', '.join(kinds)}]" if types else name))


@topics.command("echo")
@click.argument("topic", shell_complete=complete_topics)
@click.option("--once", is_flag=True, help="End after one message.")
@click.option("-n", "count", type=click.IntRange(min=1), help="End after that many messages.")
@click.option("--field", default="", help="Only this part, such as pose.pose.position or forces.3.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON per message; null for NaN and infinities.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.0, min_open=True),
    help="End with 1 after that many seconds of silence.",
)
def echo_topic(topic: str, *, once: bool, count: int | None, field: str, as_json: bool, timeout: float | None) -> None:
    """Messages of TOPIC as they come, until Ctrl-C."""
    from queue import Empty, SimpleQueue

    from qiki_console.graph.discovery import subscription_qos
    from qiki_console.model.plain import plain, select, to_text
    from qiki_node.json_text import to_json
    from qiki_node.session import Session

    topic, left = absolute(topic), 1 if once else count
    received: SimpleQueue[Any] = SimpleQueue()
    with Session("console") as session:
        kind = _class_of(session, topic)
        session.subscribe(kind, topic, received.put, subscription_qos(session, topic))
        while left is None or left > 0:
            try:
                message = received.get(timeout=timeout)
            except Empty:
                raise CommandError(f"topic: {topic!r} is silent, nothing came in {timeout:g} s") from None
            except KeyboardInterrupt:
                return
            try:
                value = select(plain(message), field)
            except ValueError as error:
                raise RefusedError(str(error)) from error
            echo(to_json(value) if as_json else f"{to_text(value)}\n---")
            left = None if left is None else left - 1


@topics.command()
@click.argument("topic", shell_complete=complete_topics)
@click.option(
    "--window",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="Intervals that the statistics look back on.",
)
@click.option("--for", "duration", type=click.FloatRange(min=0.1), help="s of wall time, then end.")
def hz(topic: str, window: int, duration: float | None) -> None:
    """Measure the rate of TOPIC in wall time, each second until Ctrl-C."""
    from qiki_console.graph.discovery import subscription_qos
    from qiki_console.model.rates import RateMeter
    from qiki_node.session import Session

    topic = absolute(topic)
    meter = RateMeter(window)
    with Session("console") as session:
        kind = _class_of(session, topic)
        qos = subscription_qos(session, topic)
        # Serialized: the messages themselves do not matter, and a fast topic must not be slowed down by the meter.
        session.subscribe_serialized(kind, topic, lambda _: meter.arrive(time.monotonic()), qos)
        end = time.monotonic() + (duration or float("inf"))
        shown = 0
        try:
            while (now := time.monotonic()) < end:
                time.sleep(min(1.0, end - now))
                rate, total = meter.rate, meter.total
                echo(str(rate) if rate and total > shown else "no new messages")
                shown = total
        except KeyboardInterrupt:
            return
    if meter.total == 0:
        raise CommandError(f"topic: {topic!r} is silent, nothing came in {duration:g} s")


@topics.command()
@click.argument("topic", shell_complete=complete_topics)
def info(topic: str) -> None:
    """Type, publishers and subscribers of TOPIC, their quality of service, and incompatible pairs."""
    from qiki_console.graph.discovery import require_topic, settle, several_clocks
    from qiki_console.graph.endpoints import conflicts, describe, visible
    from qiki_node.session import Session

    topic = absolute(topic)
    with Session("console") as session:
        kind = require_topic(session, topic)
        settle(session)
        publishers, subscribers = visible(session.publishers(topic)), visible(session.subscribers(topic))
        warning = several_clocks(session)
    echo(f"type: {printable(kind)}")
    for title, ends in (("publishers", publishers), ("subscribers", subscribers)):
        echo(f"{title}: {len(ends)}")
        for end in ends:
            echo(f"  {describe(end)}")
    found = conflicts(publishers, subscribers)
    for conflict in found:
        echo(f"incompatible: {conflict}")
    if topic == "/clock" and warning:
        echo(f"warning: {warning}")


def _class_of(session: "Session", topic: str) -> Any:
    """Class of a topic's messages, once the topic is there."""
    from qiki_console.graph.discovery import require_topic
    from qiki_node.message_classes import UnknownTypeError, message_class

    try:
        return message_class(require_topic(session, topic))
    except UnknownTypeError as error:
        hint = "run the console in the environment that holds the package of this message"
        raise CommandError(str(error), hint) from error
