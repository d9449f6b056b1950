"""A value of a YAML file that knows its place, so that anything refused later is refused where it stands."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qiki_launch.errors import LaunchError, Place


@dataclass(frozen=True)
class Element:
    """A scalar, a tuple of elements or a mapping of names to elements, and its place."""

    value: Any
    place: Place
    quoted: bool = False
    """True for a text between quotes: text, whatever it looks like."""

    def entities(self) -> tuple["Element", ...]:
        """Items of a list.

        Raises:
            LaunchError: it is not a list.
        """
        if not isinstance(self.value, tuple):
            raise LaunchError(f"must be a list, not {describe(self)}", self.place)
        return self.value

    def action(self) -> tuple[str, "Element"]:
        """Name and body of an entity, which is a mapping with one key.

        Raises:
            LaunchError: it is something else.
        """
        if not isinstance(self.value, Mapping) or len(self.value) != 1:
            raise LaunchError(f"must be a mapping with one key, the action, not {describe(self)}", self.place)
        return next(iter(self.value.items()))


def check_text(text: str, place: Place) -> None:
    """Refuse a text that no path, command line or environment can carry.

    Raises:
        LaunchError: it has a zero byte, or half of a surrogate pair.
    """
    try:
        carried = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        carried = False
    if not carried:
        raise LaunchError(f"{text[:80]!r} has a character that no path or command line can carry", place)


def describe(element: Element) -> str:
    """Kind of an element, for an error text."""
    if isinstance(element.value, tuple):
        return "a list"
    if isinstance(element.value, Mapping):
        return f"a mapping with the keys {', '.join(element.value) or '(none)'}"
    return f"{element.value!r} ({type(element.value).__name__})"
