"""How a command ends when it does not succeed: the exit code tells a script why."""

from typing import IO, Any

import click


class ConsoleError(click.ClickException):
    """Something went wrong although the command was right (exit code 1).

    Args:
        message: what, with field, value and allowed range where there is one.
        hint: what to try next.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def show(self, file: IO[Any] | None = None) -> None:
        """Write message and hint to stderr."""
        click.echo(f"error: {self.message}", err=True, file=file)
        if self.hint:
            click.echo(f"hint: {self.hint}", err=True, file=file)


class RefusedError(ConsoleError):
    """The graph, or the console itself, refuses the command (exit code 2, as for bad usage)."""

    exit_code = 2


class UnreachableError(ConsoleError):
    """Who should carry the command out is not there or does not answer (exit code 3)."""

    exit_code = 3


UP_HINT = "start the graph with ./qiki up, or look at what runs with ./qiki ps"
