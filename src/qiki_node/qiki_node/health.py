"""Health of a node's components: content of diagnostics and /healthz. No ROS in here."""

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
    """State of one component: level, a sentence, and values by name (shown as text)."""

    level: Level
    message: str
    values: Mapping[str, object] = field(default_factory=dict)


Check = Callable[[], Health]


class HealthBoard:
    """The components of one node and how to ask them."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, component: str, check: Check) -> None:
        """Ask `check` for the health of `component` from now on.

        Raises:
            ValueError: the component is already there.
        """
        if component in self._checks:
            raise ValueError(f"component: {component!r} is already there")
        self._checks[component] = check

    def ask(self) -> dict[str, Health]:
        """Health of every component. A check that fails is itself an error of its component."""
        return {component: self._ask_one(check) for component, check in self._checks.items()}

    @staticmethod
    def _ask_one(check: Check) -> Health:
        try:
            return check()
        except Exception as error:  # one broken check must not silence the others
            return Health(Level.ERROR, f"check failed: {type(error).__name__}: {error}")
