"""The whole set-up, which `./qiki up` and `./qiki test` need before their own work."""

import os

from workspace import build, environment, virtual_environment
from workspace.distribution import Distribution, detect, require_tools
from workspace.errors import WorkspaceError
from workspace.layout import Layout
from workspace.lock import exclusive


def prepare(layout: Layout, *, dev: bool = False) -> Distribution:
    """Bring environment and build up to date; steps done for the present inputs are skipped.

    Raises WorkspaceError naming what the machine lacks or which step failed.
    """
    distribution = detect(layout, os.environ)
    require_tools(distribution, os.environ)
    with exclusive(layout.state / "lock-setup", "the set-up"):
        virtual_environment.ensure(distribution)
        if dev:
            virtual_environment.ensure_dev(distribution)
        build.ensure(distribution)
    return distribution


def is_ready(distribution: Distribution) -> bool:
    """True where `prepare` would find nothing to do."""
    return virtual_environment.ready(distribution) and build.ready(distribution)


def workspace_environment(distribution: Distribution) -> dict[str, str]:
    """The environment of the built workspace. Raises WorkspaceError where it was never built."""
    path = distribution.layout.environment_file
    if not path.is_file():
        raise WorkspaceError("The workspace is not built yet. Start with ./qiki up, or ./qiki build alone")
    return environment.load(path).applied(distribution.environment(os.environ))
