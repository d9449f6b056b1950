"""Text for a terminal: nothing in it steers the terminal, and every encoding shows it. No ROS in here.

    echo(f"{bot}: {answer.message}")    # instead of click.echo
    make_console().print(table)         # instead of rich's Console

Texts of messages, events and logs come from anywhere. Control sequences in them would clear the screen, forge lines or
reorder what is read. `printable` shows such characters as escapes.
"""

import codecs
import io
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from rich.console import Console

READER_GONE = 141
"""Exit code when the reader of the output is gone, as of any program in a pipe (128 + SIGPIPE)."""

_ASCII = {"Δ": "d", "°": "deg", "…": "...", "→": "->", "²": "^2"}


def printable(text: str, keep: str = "") -> str:
    r"""The text with every character that is not printed shown as in JSON: ``\u001b``.

    These are controls (C0, DEL, C1), line and paragraph separators, direction marks and other format characters, lone
    surrogates and unassigned code points. A line of JSON stays the same JSON.

    Args:
        text: anything.
        keep: characters that are left alone, such as a newline.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else _escape(char) for char in text)


def printable_values(value: Any) -> Any:
    """A copy of nested mappings, lists, tuples and dataclasses with all texts `printable`, names of fields too."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable_values(key): printable_values(item) for key, item in value.items()}
    if isinstance(value, tuple):
        items = map(printable_values, value)
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, list):
        return [printable_values(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: printable_values(getattr(value, field.name)) for field in fields(value)})
    return value


def echo(text: str = "", *, err: bool = False) -> None:
    """Write a text and a newline to standard output or standard error; newlines and tabs in the text are kept.

    A part that must stay on its line goes through `printable` first. JSON stays the same JSON.
    """
    # Not by click: it writes UTF-8 to a terminal that shows ASCII only.
    print(printable(str(text), keep="\n\t"), file=sys.stderr if err else sys.stdout, flush=True)


def make_console(plain_width: int | None = None) -> "Console":
    """rich's console without markup, emoji and highlighting, so that texts are shown as they are.

    Args:
        plain_width: columns where the output is no terminal and COLUMNS is not set; None: rich's choice.
    """
    from rich.console import Console

    class PlainConsole(Console):
        def on_broken_pipe(self) -> NoReturn:
            raise BrokenPipeError

    console = PlainConsole(markup=False, emoji=False, highlight=False)
    if plain_width is not None and not console.is_terminal and not os.environ.get("COLUMNS"):
        console.width = plain_width
    return console


def prepare_streams() -> None:
    """From here on standard output and error are there, and show what their encoding lacks in ASCII."""
    for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:  # closed by the caller: the next file that is opened must not take its place
            os.open(os.devnull, mode)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    codecs.register_error("qiki_ascii", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="qiki_ascii")


def drop_output() -> None:
    """Drop what is still to be written to standard output, which cannot be written: the interpreter would try again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(char) or _escape(char) for char in error.object[error.start : error.end]), error.end


def _escape(char: str) -> str:
    code = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{code[at : at + 4]}" for at in range(0, len(code), 4))
