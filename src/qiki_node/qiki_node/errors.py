"""Errors that a command ends with; the exit code gives a script the reason.

    raise RefusedError("--rate: 1 is not allowed; allowed: 4 to 200 Hz", hint="leave it out for 20 Hz")

click shows them and exits. Other front ends catch them by class and show `message` and `hint`. No ROS in here.
"""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from typing import IO, Any

import click

from qiki_node.run_file import read_run_file
from qiki_node.terminal import echo, printable

_CLOSE = 3
"""Names that are listed first because they resemble the one given."""

_SHOWN = 20
"""Names that an error lists at most."""


def up_hint() -> str:
    """Next thing to try where the graph, or a part of it, is not found."""
    run = read_run_file()
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    if run is not None and run.domain is not None and str(run.domain) != domain:
        return f"this is ROS_DOMAIN_ID {domain}, the graph of this run directory is in {run.domain}"
    return f"start the graph with ./qiki up, or look at what runs with ./qiki ps; this is ROS_DOMAIN_ID {domain}"


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

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002
        """Write message and hint to stderr, a line each: the message may come from the graph."""
        echo(f"error: {printable(self.message)}", err=True)
        if self.hint:
            echo(f"hint: {printable(self.hint)}", err=True)


class RefusedError(CommandError):
    """The command is not allowed, here or by the node that should execute it (exit code 2, as for bad usage)."""

    exit_code = 2


class UnknownNameError(RefusedError):
    """A name that is not there; the names that are there follow, the closest ones first.

    Args:
        field: the kind of name, such as `bot`.
        name: as it was given.
        there: names that are there.
        hint: next thing to try.
    """

    def __init__(self, field: str, name: str, there: Iterable[str], hint: str = "") -> None:
        names = sorted(set(there))
        folded = {known.lower(): known for known in names}
        first = [folded[match] for match in get_close_matches(name.lower(), folded, n=_CLOSE, cutoff=0.5)]
        ordered = [*first, *(known for known in names if known not in first)]
        more = f" … ({len(ordered) - _SHOWN} more)" if len(ordered) > _SHOWN else ""
        allowed = ", ".join(ordered[:_SHOWN]) + more if ordered else "none yet"
        super().__init__(f"{field}: {name!r} is not there; allowed: {allowed}", hint)


class UnreachableError(CommandError):
    """The graph, a node or a store is missing or does not answer (exit code 3)."""

    exit_code = 3
