"""Verbs of the console called inside of this process, as a procedure does."""

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout

import click

from qiki_console.cli.verbs import Verbs
from qiki_node.errors import RefusedError, UnknownNameError

ALLOWED = ("allocator", "bridge", "dock", "guard", "iff", "sim", "thrust", "undock", "xpdr")
"""Verbs that command: each ends when its command is executed, or fails."""


def parsed(words: Sequence[str], allowed: Sequence[str] = ALLOWED) -> click.Context:
    """A command with its options and arguments checked, as far as they can be without a graph; not yet called.

    Raises:
        click.ClickException: there is no such verb, or an option or argument is refused.
    """
    if words[0] not in allowed:
        raise UnknownNameError("verb", words[0], allowed)
    if {"-h", "--help"} & set(words):
        raise RefusedError("--help: not allowed; allowed: a command that is carried out")
    command: click.Command = Verbs("qiki")
    context = click.Context(command, info_name="qiki")
    rest = list(words)
    while isinstance(command, click.Group):
        if not rest:
            raise RefusedError(f"{context.command_path}: a verb is missing; allowed: {_verbs(command, context)}")
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None  # refused before
        command = found
        if isinstance(command, click.Group):
            context = click.Context(command, info_name=name, parent=context)
        else:
            context = command.make_context(name, rest, parent=context)
    return context


def perform(words: Sequence[str], take: Callable[[str], None]) -> None:
    """Carry out a command; returns once it is executed.

    Args:
        words: verb, arguments and options.
        take: takes each line that it prints.

    Raises:
        click.ClickException: it is refused, or failed.
        KeyboardInterrupt: it was interrupted and has no end of its own for that.
    """
    context = parsed(words)
    out = _Lines(take)
    with redirect_stdout(out), redirect_stderr(out), context:
        context.command.invoke(context)
    out.flush_rest()


def output_of(*words: str) -> list[str]:
    """Lines that a verb, of another package too, writes to standard output.

    Raises:
        click.ClickException: it is refused, or failed.
    """
    lines: list[str] = []
    context = parsed(words, words[:1])
    with redirect_stdout(_Lines(lines.append)), context:
        context.command.invoke(context)
    return lines


def _verbs(command: click.Group, context: click.Context) -> str:
    return ", ".join(command.list_commands(context))


class _Lines(io.TextIOBase):
    """A stream that is no terminal and hands on each whole line."""

    encoding = "utf-8"

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._rest = ""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        # Of standard error, for code that is not Python's, such as faulthandler, which rclpy enables.
        return 2

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._take(line)
        return len(text)

    def flush_rest(self) -> None:
        if self._rest:
            self._take(self._rest)
            self._rest = ""
