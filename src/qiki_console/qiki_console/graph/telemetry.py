"""Conditions on the graph's telemetry: their check against the topics' types, and the wait for one."""

from collections.abc import Callable
from functools import partial
from typing import Any

from qiki_console.graph.discovery import require_topic, subscription_qos
from qiki_console.graph.task_clock import TaskClock
from qiki_console.model.condition import Condition
from qiki_console.model.confirmation import Confirmation
from qiki_console.model.procedure import Task
from qiki_console.model.terms import Values
from qiki_node.errors import RefusedError
from qiki_node.message_classes import UnknownTypeError, message_class
from qiki_node.session import Session
from qiki_node.stamps import seconds


def bound(session: Session, condition: Condition) -> tuple[Callable[[Values], bool], dict[str, Any]]:
    """The judge of a condition, and the class of each topic's messages.

    Raises:
        RefusedError: a topic is not there, or has no such field or constant; names it and the allowed ones.
        UnreachableError: the graph is down.
    """
    try:
        kinds = {topic: message_class(require_topic(session, topic)) for topic in condition.topics}
        return condition.bind(kinds, message_class), kinds
    except (UnknownTypeError, ValueError) as error:
        raise RefusedError(f"wait: {condition.text!r}: {error}") from error


class Waiting:
    """A task's condition under observation, from its first message on.

    Raises:
        RefusedError, UnreachableError: see `bound`; a topic has no publisher.
    """

    def __init__(self, session: Session, clock: TaskClock, task: Task) -> None:
        assert task.wait is not None
        judge, kinds = bound(session, task.wait)
        self._clock = clock
        self._confirmation = Confirmation(judge, task.wait.topics, task.samples, task.max_age, clock.now())
        self._live = True
        for topic, kind in kinds.items():
            session.subscribe(kind, topic, partial(self._receive, topic), subscription_qos(session, topic))

    @property
    def confirmed(self) -> bool:
        """True once enough consecutive fresh samples have shown it."""
        return self._confirmation.confirmed

    @property
    def reason(self) -> str:
        """State of the count, for an operator."""
        return self._confirmation.reason

    def end(self) -> None:
        """Ignore further messages: subscriptions last as long as the session."""
        self._live = False

    def _receive(self, topic: str, message: Any) -> None:
        if self._live and not self._confirmation.confirmed:
            header = getattr(message, "header", None)
            now = self._clock.now()
            stamp = now if header is None else seconds(header.stamp)
            self._confirmation.receive(topic, message, stamp, now)
