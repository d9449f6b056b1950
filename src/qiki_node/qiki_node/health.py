"""Health of a node's components: content of diagnostics and /readyz. No ROS in here."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


class Level(enum.IntEnum):
    """Levels of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True)
class Health:
    """State of one component.

    Attributes:
        level: worst of its conditions.
        message: a sentence.
        values: by name, shown as text.
        unready: reason why the node cannot do its work for want of it (stale input, store out of reach); empty: it can.
    """

    level: Level
    message: str
    values: Mapping[str, object] = field(default_factory=dict)
    unready: str = ""


Check = Callable[[], Health]


class HealthBoard:
    """The components of one node and how to ask them.

    Attributes:
        last: the health that `ask` found last. Only the node's own thread asks: checks read its core. Any other thread
            reads this.
    """

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self.last: Mapping[str, Health] = {}

    def add(self, component: str, check: Check) -> None:
        """Ask `check` for the health of `component` from now on.

        Raises:
            ValueError: the component is already there.
        """
        if component in self._checks:
            raise ValueError(f"component: {component!r} is already there")
        self._checks[component] = check

    def remove(self, component: str) -> None:
        """Forget a component."""
        del self._checks[component]

    def ask(self) -> Mapping[str, Health]:
        """Health of every component. A check that fails is itself an error of its component."""
        self.last = {component: self._ask_one(check) for component, check in self._checks.items()}
        return self.last

    @staticmethod
    def _ask_one(check: Check) -> Health:
        try:
            return check()
        except Exception as error:  # one broken check must not silence the others
            reason = f"check failed: {type(error).__name__}: {error}"
            return Health(Level.ERROR, reason, unready=reason)
