"""Texts with substitutions, `$(name argument …)`, parsed to parts.

The grammar is that of ROS's launch: arguments are separated by one space, an argument may be quoted and may contain
substitutions, a backslash takes the next character as it is.
"""

from dataclasses import dataclass

from qiki_launch.errors import LaunchError, Place

DEEPEST = 50
"""Levels of substitutions in each other."""


@dataclass(frozen=True)
class Call:
    """A substitution with its arguments."""

    name: str
    arguments: tuple["Template", ...]


Template = tuple[str | Call, ...]
"""Literal texts and calls, in order; never empty."""


def parse_template(text: str, place: Place) -> Template:
    """Parts of a text.

    Raises:
        LaunchError: a substitution is not closed, or is written wrongly.
    """
    return _Parser(text, place).template(end="")


def literal(template: Template) -> str | None:
    """The text of a template without substitutions, else None."""
    return template[0] if len(template) == 1 and isinstance(template[0], str) else None


class _Parser:
    def __init__(self, text: str, place: Place) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._place = place

    def template(self, end: str) -> Template:
        """Parts up to the quote `end`, which is consumed, or to the end of the text."""
        parts: list[str | Call] = []
        chunk = ""
        while self._at < len(self._text) and self._text[self._at] != end:
            if self._text.startswith("$(", self._at):
                parts += [chunk] if chunk else []
                chunk = ""
                parts.append(self._call(end))
            else:
                chunk += self._character()
        if end:
            self._expect(end)
        return tuple([*parts, chunk] if chunk or not parts else parts)

    def _call(self, quote: str) -> Call:
        self._at += 2
        self._depth += 1
        if self._depth > DEEPEST:
            raise LaunchError(f"substitutions are nested deeper than {DEEPEST} levels", self._place)
        start = self._at
        while self._at < len(self._text) and (self._text[self._at].isalnum() or self._text[self._at] in "_-"):
            self._at += 1
        name = self._text[start : self._at]
        if not name or not name[0].isalpha():
            raise self._error("a substitution must begin with its name")
        arguments: list[Template] = []
        while self._peek() == " ":
            self._at += 1
            arguments.append(self._argument(quote))
        self._expect(")")
        self._depth -= 1
        return Call(name, tuple(arguments))

    def _argument(self, quote: str) -> Template:
        if not quote and self._peek() in ("'", '"'):
            self._at += 1
            return self.template(end=self._text[self._at - 1])
        parts: list[str | Call] = []
        chunk = ""
        while self._at < len(self._text) and self._text[self._at] not in " )":
            if self._text.startswith("$(", self._at):
                parts += [chunk] if chunk else []
                chunk = ""
                parts.append(self._call(quote))
            elif self._peek() == "(" or self._peek() == quote or (not quote and self._peek() in "'\""):
                raise self._error(f"{self._peek()!r} must be escaped with a backslash here")
            else:
                chunk += self._character()
        if not parts and not chunk:
            raise self._error("arguments are separated by exactly one space, and none may be empty")
        return tuple([*parts, chunk] if chunk else parts)

    def _character(self) -> str:
        if self._text[self._at] == "\\" and self._at + 1 < len(self._text):
            self._at += 1
        self._at += 1
        return self._text[self._at - 1]

    def _peek(self) -> str:
        return self._text[self._at] if self._at < len(self._text) else ""

    def _expect(self, character: str) -> None:
        if self._peek() != character or not character:
            raise self._error(f"{character!r} is missing")
        self._at += 1

    def _error(self, message: str) -> LaunchError:
        return LaunchError(f"{message}, at character {self._at + 1} of {self._text!r}", self._place)
