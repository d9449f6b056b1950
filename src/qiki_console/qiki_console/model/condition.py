"""Conditions on telemetry: `alpha/docking.phase == BRIDGE and abs(alpha/bridge.edges["bravo"].current) > 1`.

A small part of Python's expressions, read into a syntax tree of which every node is allowed by name. Nothing is
evaluated as Python: no name leads to an object of the program. Types are checked against the messages before any value
is looked at.
"""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from qiki_console.model.terms import ARITHMETIC, COMPARISONS, FUNCTIONS, STANDIN, TRUTH, Binder, Resolve, Values

LONGEST: Final = 500
"""Characters of a condition."""

_TOPIC = re.compile(
    r"""(?P<text>"[^"]*"|'[^']*')|(?P<topic>(?<![\w./)\]])/?[A-Za-z_]\w*(?:/[A-Za-z_]\w*)+|(?<![\w.)\]])/[A-Za-z_]\w*)"""
)


class _RefusalError(ValueError):
    pass


@dataclass(frozen=True)
class Condition:
    """A condition that was read.

    Attributes:
        text: as it was given.
        topics: names of the topics in it, with their leading slash, in the order of their first use.
    """

    text: str
    topics: tuple[str, ...]
    _tree: ast.expr

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Read a condition.

        Raises:
            ValueError: it is none; names the part and the allowed ones.
        """
        if len(text) > LONGEST:
            raise ValueError(f"{len(text)} characters; allowed: up to {LONGEST}")
        topics: list[str] = []

        def standin(match: re.Match[str]) -> str:
            name = match["topic"]
            if name is None:
                return match[0]
            topic = f"/{name.lstrip('/')}"
            if topic not in topics:
                topics.append(topic)
            return f"{STANDIN}{topics.index(topic)}"

        if STANDIN in text:
            raise ValueError(f"{STANDIN!r}; allowed: any other name")
        try:
            tree = ast.parse(_TOPIC.sub(standin, text.strip()), mode="eval").body
            for node in ast.walk(tree):
                _refuse_unlisted(node)
        except (SyntaxError, MemoryError, RecursionError, _RefusalError) as error:
            reason = error if isinstance(error, _RefusalError) else "no expression"
            raise ValueError(f"{reason}; example: alpha/docking.phase == BRIDGE") from error
        except ValueError as error:
            raise ValueError("no expression; example: alpha/docking.phase == BRIDGE") from error
        if not topics:
            raise ValueError("no topic in it; example: alpha/docking.phase == BRIDGE")
        return cls(text, tuple(topics), tree)

    def bind(self, kinds: Mapping[str, Any], resolve: Resolve) -> Callable[[Values], bool]:
        """Check the condition against the messages' classes; the function that judges messages.

        Args:
            kinds: class of each topic's messages.
            resolve: class of a nested message by its type's name.

        Returns:
            True or false for the newest message of each topic; it raises UnknownValueError where a value of it is not
            known.

        Raises:
            ValueError: a field, constant or comparison is not possible; names it and the allowed ones.
        """
        term = Binder(self.topics, kinds, resolve).term(self._tree)
        if term.kind != TRUTH:
            raise ValueError(f"it is {term.kind}; allowed: a comparison, such as alpha/docking.phase == BRIDGE")
        return lambda values: bool(term.value(values))


def _refuse_unlisted(node: ast.AST) -> None:
    allowed = (
        ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, *COMPARISONS, ast.BinOp,
        *ARITHMETIC, ast.Call, ast.Attribute, ast.Subscript, ast.Name, ast.Constant, ast.Load,
    )  # fmt: skip
    if not isinstance(node, allowed):
        raise _RefusalError(
            f"{type(node).__name__} is not allowed; allowed: comparisons, in, and, or, not, + - * /, numbers, texts, "
            f"fields, {', '.join(FUNCTIONS)}"
        )
    if isinstance(node, ast.Constant) and not isinstance(node.value, bool | int | float | str):
        raise _RefusalError(f"{node.value!r} is not allowed; allowed: numbers, texts, True, False")
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        if name not in FUNCTIONS or node.keywords:
            raise _RefusalError(f"function {name!r} is not there; allowed: {', '.join(FUNCTIONS)}")
