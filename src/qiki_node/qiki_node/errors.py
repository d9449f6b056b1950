"""Errors that a command ends with; the exit code gives a script the reason.

    raise RefusedError("--rate: 1 is not allowed; allowed: 4 to 200 Hz", hint="leave it out for 20 Hz")

click shows them and exits. Other front ends catch them by class and show `message` and `hint`. No ROS in here.
"""

from typing import IO, Any

import click

UP_HINT = "start the graph with ./qiki up, or look at what runs with ./qiki ps"


class CommandError(click.ClickException):
    """The command was right, its execution failed (exit code 1).

    Args:
        message: the failure, with field, value and allowed range where there is one.
        hint: next thing to try.
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


class RefusedError(CommandError):
    """The command is not allowed, here or by the node that should execute it (exit code 2, as for bad usage)."""

    exit_code = 2


class UnreachableError(CommandError):
    """The graph, a node or a store is missing or does not answer (exit code 3)."""

    exit_code = 3
