"""The newest state of every body's bridges."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from qiki_console.graph import messages
from qiki_console.graph.discovery import settle
from qiki_console.graph.task_clock import TaskClock
from qiki_console.model.bridge import SWITCHGEAR, BridgeStatus
from qiki_msgs.msg import BridgeState
from qiki_node.errors import CommandError, UnreachableError, up_hint
from qiki_node.qos import STATE
from qiki_node.session import Session
from qiki_node.stamps import seconds

STALE = 2.0
"""s from which a state is stale: four periods."""

_LOOK = 0.25
"""s of wall time between two looks at the limit."""

_SETTLED = {"POWER": ("CLOSED",), "FULL": ("CLOSED",), "DATA": SWITCHGEAR}
"""States of the switchgear in which a profile is in effect."""

_FIRST = 2.0
"""s of wall time for the first message of each body."""


def bridges(session: Session) -> dict[str, tuple[BridgeStatus, float, bool]]:
    """Status of the bridges by body, with the age of the message (s) and whether it is stale.

    Raises:
        UnreachableError: no body publishes bridges.
    """
    if not session.wait_for(lambda: bool(_topics(session)), session.discovery):
        raise UnreachableError("no body publishes bridges: no docking node is there", hint=up_hint())
    settle(session)
    clock = TaskClock(session)
    clock.wait(session.discovery)
    newest: dict[str, BridgeState] = {}

    def receive(body: str, message: BridgeState) -> None:
        newest[body] = message

    subscribed: set[str] = set()
    end = time.monotonic() + _FIRST
    while time.monotonic() < end and (not subscribed or set(newest) != subscribed):
        for body, topic in _topics(session).items():
            if body not in subscribed:
                subscribed.add(body)
                session.subscribe(BridgeState, topic, partial(receive, body), STATE)
        session.wait_for(lambda: set(newest) == subscribed, 0.2)
    if not newest:
        raise UnreachableError(f"the bridges of {', '.join(sorted(subscribed))} are silent", hint=up_hint())
    now = clock.now()
    ages = {body: now - seconds(message.header.stamp) for body, message in newest.items()}
    return {
        body: (messages.bridge(message), ages[body], not -STALE <= ages[body] <= STALE)
        for body, message in sorted(newest.items())
    }


@dataclass(frozen=True)
class Wanted:
    """Role and profile (empty: any) that a body's bridges have to show, at an own port (empty: at all), in a message
    that is not older than `since` (s)."""

    body: str
    port: str
    profile: str
    role: str
    since: float


def wait_for_bridge(session: Session, wanted: Wanted, expired: Callable[[], str]) -> None:
    """Wait until a body's bridges show a role and a profile, and the switchgear has followed.

    Raises:
        CommandError: `expired` gave a reason before.
    """
    shown, done = "its bridges are silent", False

    def receive(message: BridgeState) -> None:
        nonlocal shown, done
        status = messages.bridge(message)
        edges = [edge for edge in status.edges if wanted.port in ("", edge.port)]
        shown = "; ".join([f"role {status.role}", *(f"{edge.port}: {edge.flow}" for edge in edges)])
        # Power flows over closed contacts; data alone need none.
        followed = [edge.profile == wanted.profile and edge.state in _SETTLED[wanted.profile] for edge in edges]
        profile_there = not wanted.profile or (bool(edges) and all(followed))
        fresh = seconds(message.header.stamp) >= wanted.since
        done = done or (fresh and wanted.role in ("", status.role) and profile_there)

    session.subscribe(BridgeState, f"/{wanted.body}/bridge", receive, STATE)
    while not session.wait_for(lambda: done, _LOOK):
        if reason := expired():
            raise CommandError(f"{wanted.body}: accepted, but {reason}: {shown}")


def _topics(session: Session) -> dict[str, str]:
    """Topic of the bridges by body, of those that something publishes."""
    topics = (topic for topic in session.topics() if topic.endswith("/bridge") and topic.count("/") == 2)
    return {topic.split("/")[1]: topic for topic in topics if session.publishers(topic)}
