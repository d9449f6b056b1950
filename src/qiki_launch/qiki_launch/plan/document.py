"""A YAML launch file as a tree of values that know their place.

Where ROS's launch reads a plain mapping, line and path are kept here, so that anything refused later is refused
with the place where it stands. A key written twice is refused: YAML would silently keep the last.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from qiki_launch.errors import LaunchError, Place

EXTENSIONS = (".launch.yaml", ".launch.yml", ".yaml", ".yml")


@dataclass(frozen=True)
class Element:
    """A scalar, a tuple of elements or a mapping of names to elements, and its place."""

    value: Any
    place: Place

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


def describe(element: Element) -> str:
    """Kind of an element, for an error text."""
    if isinstance(element.value, tuple):
        return "a list"
    if isinstance(element.value, Mapping):
        return f"a mapping with the keys {', '.join(element.value) or '(none)'}"
    return f"{element.value!r} ({type(element.value).__name__})"


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


def load_document(file: Path) -> tuple[Element, ...]:
    """The entities under `launch` of a YAML launch file.

    Raises:
        LaunchError: the file cannot be read, is not YAML, or is not a launch file.
    """
    if not file.name.endswith(EXTENSIONS):
        raise LaunchError(f"{file}: only YAML launch files are supported ({', '.join(EXTENSIONS)})")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LaunchError(f"{file}: cannot be read: {error}") from error
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        tree = _convert(loader, root, file, "", ()) if root is not None else None
    except yaml.YAMLError as error:
        raise LaunchError(f"{file}: is not YAML: {error}") from error
    finally:
        loader.dispose()
    if tree is None or not isinstance(tree.value, Mapping) or list(tree.value) != ["launch"]:
        raise LaunchError("must be a mapping with the one key 'launch'", Place(file, 1, "document"))
    entities: Element = tree.value["launch"]
    return entities.entities()


def _convert(loader: yaml.SafeLoader, node: yaml.Node, file: Path, path: str, inside: tuple[yaml.Node, ...]) -> Element:
    place = Place(file, node.start_mark.line + 1, path)
    if node in inside:
        raise LaunchError("an alias contains itself", place)
    inside = (*inside, node)
    if isinstance(node, yaml.SequenceNode):
        items = [_convert(loader, item, file, f"{path}[{i}]", inside) for i, item in enumerate(node.value)]
        return Element(tuple(items), place)
    if isinstance(node, yaml.MappingNode):
        names = [loader.construct_object(key, deep=True) for key, _ in node.value]
        for number, name in enumerate(names):
            here = Place(file, node.value[number][0].start_mark.line + 1, path)
            if not isinstance(name, str):
                raise LaunchError(f"the key {name!r} must be a text", here)
            if name in names[:number]:
                raise LaunchError(f"the key {name!r} stands here more than once", here)
        loader.flatten_mapping(node)
        found: dict[str, Element] = {}
        for key, value in node.value:
            name = loader.construct_object(key)
            found[name] = _convert(loader, value, file, f"{path}.{name}" if path else name, inside)
        return Element(found, place)
    return Element(loader.construct_object(node), place)
