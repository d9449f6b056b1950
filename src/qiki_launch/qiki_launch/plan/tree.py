"""A YAML file as a tree of values that know their place.

Time and memory are bounded: a file may have 1 MiB, 100 levels and, with every alias put out in full, 50 000 values. A
key that is written twice is refused, where YAML would silently keep the last.
"""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from qiki_launch.errors import LaunchError, Place
from qiki_launch.plan.element import Element, check_text

LARGEST = 2**20
"""Bytes of a file."""
DEEPEST = 100
"""Levels of lists and mappings."""
MOST = 50_000
"""Values of a file, those of an alias counted at each use."""
_MERGE = "tag:yaml.org,2002:merge"


def load_tree(file: Path, place: Place | None = None) -> Element | None:
    """The document of a YAML file, None where it is empty; `place` is that of the `include` that names it.

    Raises:
        LaunchError: the file cannot be read, is not YAML, or is beyond a bound.
    """
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise LaunchError(f"{file}: cannot be read: is no regular file", place)
        with file.open("rb") as stream:
            data = stream.read(LARGEST + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise LaunchError(f"{file}: cannot be read: {error.strerror}", place) from error
    except UnicodeDecodeError as error:
        raise LaunchError(f"{file}: cannot be read: {error}", place) from error
    if len(data) > LARGEST:
        raise LaunchError(f"{file}: is larger than {LARGEST} bytes", place)
    try:
        loader = _Loader(text, file)
        root = loader.get_single_node()
        return None if root is None else _Tree(loader, file).element(root, "", ())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        context = f"{error.context}: " if error.context else ""
        raise LaunchError(f"{file}:{line}: is not YAML: {context}{error.problem}") from error
    except yaml.YAMLError as error:
        raise LaunchError(f"{file}: is not YAML: {' '.join(str(error).split())}") from error


class _Loader(yaml.SafeLoader):
    """Refuses what is nested too deeply before the reader's recursion does."""

    def __init__(self, text: str, file: Path) -> None:
        super().__init__(text)
        self._file = file
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        if self._depth > DEEPEST:
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            raise _too_deep(Place(self._file, event.start_mark.line + 1, "document"))
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        node: yaml.ScalarNode = super().compose_scalar_node(anchor)
        if event.tag is not None:  # `!!str 12E5` is a text as much as one between quotes
            node.style = node.style or '"'
        return node


class _Tree:
    """Conversion of one document."""

    def __init__(self, loader: yaml.SafeLoader, file: Path) -> None:
        self._loader, self._file = loader, file
        self._spent = 0
        self._fields: dict[yaml.MappingNode, dict[str, yaml.Node]] = {}

    def element(self, node: yaml.Node, path: str, inside: tuple[yaml.Node, ...]) -> Element:
        """The tree below a node; `inside` are the nodes around it."""
        place = self._place(node, path)
        if node in inside:
            raise LaunchError("an alias contains itself", place)
        if len(inside) >= DEEPEST:
            raise _too_deep(place)
        self._spend(1, place)
        around = (*inside, node)
        if isinstance(node, yaml.SequenceNode):
            items = [self.element(item, f"{path}[{i}]", around) for i, item in enumerate(node.value)]
            return Element(tuple(items), place)
        if isinstance(node, yaml.MappingNode):
            fields = self._mapping(node, path, inside).items()
            found = {name: self.element(one, f"{path}.{name}" if path else name, around) for name, one in fields}
            return Element(found, place)
        value = self._scalar(node, place)
        if isinstance(value, str):
            check_text(value, place)
        quoted = isinstance(node, yaml.ScalarNode) and node.style is not None and isinstance(value, str)
        return Element(value, place, quoted)

    def _mapping(self, node: yaml.MappingNode, path: str, inside: tuple[yaml.Node, ...]) -> dict[str, yaml.Node]:
        """Fields of a mapping. Its own come before those that `<<` merges, and of these the first of a name."""
        if node in self._fields:
            return self._fields[node]
        own: dict[str, yaml.Node] = {}
        merged: dict[str, yaml.Node] = {}
        merges = 0
        for key, value in node.value:
            here = self._place(key, path)
            if key.tag == _MERGE:
                merges += 1
                if merges > 1:
                    raise LaunchError("the key '<<' stands here more than once", here)
                for source in self._merged(value, here):
                    if source in (*inside, node):
                        raise LaunchError("an alias contains itself", here)
                    fields = self._mapping(source, path, (*inside, node))
                    self._spend(len(fields), here)
                    merged = {**fields, **merged}
                continue
            name = self._scalar(key, here) if isinstance(key, yaml.ScalarNode) else None
            if not isinstance(name, str):
                raise LaunchError(f"the key {name!r} must be a text", here)
            if name in own:
                raise LaunchError(f"the key {name!r} stands here more than once", here)
            own[name] = value
        self._fields[node] = {**merged, **own}
        return self._fields[node]

    def _merged(self, value: yaml.Node, place: Place) -> Iterator[yaml.MappingNode]:
        for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if not isinstance(source, yaml.MappingNode):
                raise LaunchError("'<<' must be followed by a mapping or a list of mappings", place)
            yield source

    def _scalar(self, node: yaml.Node, place: Place) -> Any:
        try:
            return self._loader.construct_object(node)
        except (ValueError, OverflowError) as error:  # 2020-13-01, or a number of more than 4300 digits
            raise LaunchError(f"{node.value[:40]!r} cannot be read: {error}", place) from error

    def _spend(self, count: int, place: Place) -> None:
        self._spent += count
        if self._spent > MOST:
            raise LaunchError(f"more than {MOST} values, those of aliases counted at each use", place)

    def _place(self, node: yaml.Node, path: str) -> Place:
        return Place(self._file, node.start_mark.line + 1, path)


def _too_deep(place: Place) -> LaunchError:
    return LaunchError(f"nested deeper than {DEEPEST} levels", place)
