"""Context of substitutions while a launch file is read: configurations, environment, the current file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class Scope:
    """State of one reading. Groups push and pop configurations and environment; includes do not (as in ROS)."""

    def __init__(self, environment: Mapping[str, str], working_folder: Path) -> None:
        self.configurations: dict[str, str] = {}
        self.environment: dict[str, str] = dict(environment)
        self.namespace: str | None = None
        self.working_folder = working_folder
        self.file = working_folder
        """The file that is read."""
        self.last_included = working_folder
        """The file whose reading began last; ROS's `$(dirname)` refers to it, even after its end."""
        self.used: set[str] = set()
        """Names of configurations that an `arg` declared or a `$(var)` read."""

    @contextmanager
    def pushed(self) -> Iterator[None]:
        """Inside, changes of configurations, environment and namespace are forgotten at the end."""
        saved = (dict(self.configurations), dict(self.environment), self.namespace)
        try:
            yield
        finally:
            self.configurations, self.environment, self.namespace = saved

    @contextmanager
    def inside(self, file: Path) -> Iterator[None]:
        """Inside, `file` is the current file."""
        outer = self.file
        self.file = self.last_included = file
        try:
            yield
        finally:
            self.file = outer
