"""Launch files: their actions, and typed access to the attributes of one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qiki_launch.errors import LaunchError, Place
from qiki_launch.plan.element import Element, describe
from qiki_launch.plan.tree import load_tree

EXTENSIONS = (".launch.yaml", ".launch.yml", ".yaml", ".yml")


class Attributes:
    """Typed access to the attributes of an action.

    ROS's launch does not convert YAML scalars: a text attribute must be a YAML string (`"5"`, not `5`). The same holds
    here, because a file that is accepted here must be accepted there.

    Raises (at construction):
        LaunchError: the element is not a mapping, or has a key that is not in `known`.
    """

    def __init__(self, kind: str, element: Element, known: tuple[str, ...]) -> None:
        if not isinstance(element.value, Mapping):
            raise LaunchError(f"{kind!r} must be a mapping, not {describe(element)}", element.place)
        self.place = element.place
        self._kind = kind
        self._values: Mapping[str, Element] = element.value
        for name, value in self._values.items():
            if name not in known:
                raise LaunchError(f"{name!r} of {kind!r} is not supported; supported: {', '.join(known)}", value.place)

    def get(self, name: str) -> Element | None:
        """The attribute as it stands, or None."""
        return self._values.get(name)

    def place_of(self, name: str) -> Place:
        """Place of an attribute, or of the action where it has none."""
        value = self._values.get(name)
        return self.place if value is None else value.place

    def text(self, name: str) -> str:
        """A text that must be there."""
        value = self.optional_text(name)
        if value is None:
            raise LaunchError(f"{self._kind!r} needs {name!r}", self.place)
        return value

    def optional_text(self, name: str) -> str | None:
        value = self._typed(name, str, "a text")
        return None if value is None else str(value)

    def boolean(self, name: str, default: bool) -> bool:
        value = self._typed(name, bool, "true or false, without quotes")
        return default if value is None else bool(value)

    def integer(self, name: str, default: int) -> int:
        value = self._typed(name, int, "an integer, without quotes")
        return default if value is None else int(value)

    def seconds(self, name: str) -> float | None:
        """A time of at least 0 s, written with a decimal point."""
        value = self._typed(name, float, "a number with a decimal point, without quotes")
        if value is not None and not 0.0 <= value < float("inf"):
            raise LaunchError(f"{name!r} is {value}; allowed: 0 s or more", self.place_of(name))
        return None if value is None else float(value)

    def entities(self, name: str) -> tuple[Element, ...]:
        """Items of a list of mappings; none where the attribute is missing."""
        element = self._values.get(name)
        if element is None:
            return ()
        if not element.entities():
            raise LaunchError(f"{name!r} must not be an empty list", element.place)
        return element.entities()

    def _typed(self, name: str, kind: type, wanted: str) -> Any:
        element = self._values.get(name)
        if element is None:
            return None
        if type(element.value) is not kind:
            raise LaunchError(f"{name!r} must be {wanted}, not {describe(element)}", element.place)
        return element.value


def load_document(file: Path, place: Place | None = None) -> tuple[Element, ...]:
    """The entities under `launch` of a YAML launch file; `place` is that of the `include` that names it.

    Raises:
        LaunchError: the file cannot be read, is not YAML, is too large or too deep, or is not a launch file.
    """
    if not file.name.endswith(EXTENSIONS):
        raise LaunchError(f"{file}: only YAML launch files are supported ({', '.join(EXTENSIONS)})", place)
    tree = load_tree(file, place)
    if tree is None or not isinstance(tree.value, Mapping) or list(tree.value) != ["launch"]:
        raise LaunchError("must be a mapping with the one key 'launch'", Place(file, 1, "document"))
    entities: Element = tree.value["launch"]
    return entities.entities()
