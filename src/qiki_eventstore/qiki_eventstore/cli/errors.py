"""How a command ends when it does not succeed: the exit code tells a script why, as for every `qiki` verb."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from qiki_eventstore.errors import EventStoreError, StoreCorrupt, StoreUnavailable

_UP = "start the graph with ./qiki up, or name a store with --store sqlite:///path"

_ALONE = "only one process writes to a store: if a node has it open, stop that node (./qiki down) and try again"


class CommandError(click.ClickException):
    """A command failed (exit code 1); `hint` says what to try next."""

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
    """The command asks for what cannot be (exit code 2, as for bad usage)."""

    exit_code = 2


class UnreachableError(CommandError):
    """The store is not there or does not answer (exit code 3)."""

    exit_code = 3


@contextmanager
def told(*, on_graph: bool, write: bool = False) -> Iterator[None]:
    """Turn the store's errors into the command's."""
    try:
        yield
    except StoreUnavailable as error:
        raise UnreachableError(str(error), _UP if on_graph else _ALONE if write else "") from error
    except StoreCorrupt as error:
        raise CommandError(str(error), "qiki events restore brings a backup back") from error
    except EventStoreError as error:
        raise CommandError(str(error)) from error
    except (ValueError, FileExistsError) as error:
        raise RefusedError(str(error)) from error
    except FileNotFoundError as error:
        raise RefusedError(f"{error.filename}: no such file" if error.filename else str(error)) from error
