"""Arguments of launch files: given as `name:=value`, declared by `arg`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from qiki_launch.errors import LaunchError, Place
from qiki_launch.plan.document import Attributes, load_document
from qiki_launch.plan.element import Element
from qiki_launch.plan.scope import Scope
from qiki_launch.plan.substitutions import parse, substitute

ARG_KEYS = ("name", "default", "description", "choice", "if", "unless")
BOTS_KEYS = ("scenario", "file", "arg", "if", "unless")
INCLUDE_KEYS = ("file", "arg", "if", "unless")


@dataclass(frozen=True)
class Argument:
    """A declared argument. `default` is the text as written, with its substitutions; None: it must be given."""

    name: str
    default: str | None
    description: str
    choices: tuple[str, ...]
    conditional: bool


def parse_arguments(words: Iterable[str]) -> dict[str, str]:
    """`name:=value` words as a mapping; the last of equal names counts.

    Raises:
        LaunchError: a word has another form.
    """
    given: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition(":=")
        if not sign or not name or not value:
            raise LaunchError(f"argument {word!r} is malformed; expected name:=value")
        given[name] = value
    return given


def read_argument(element: Element, *, conditional: bool = False) -> Argument:
    """The argument that an `arg` declares.

    Raises:
        LaunchError: the declaration is not valid.
    """
    attributes = Attributes("arg", element, ARG_KEYS)
    choices = tuple(Attributes("choice", choice, ("value",)).text("value") for choice in attributes.entities("choice"))
    default = attributes.optional_text("default")
    if default is not None:
        parse(default, attributes.place_of("default"))  # refused even where the caller gives a value
    return Argument(
        name=attributes.text("name"),
        default=default,
        description=attributes.optional_text("description") or "",
        choices=choices,
        conditional=conditional or attributes.get("if") is not None or attributes.get("unless") is not None,
    )


def unconditional_required(entities: tuple[Element, ...]) -> Iterator[Argument]:
    """Arguments of one file that must be given whatever the conditions: the first declaration of a name counts."""
    seen: set[str] = set()
    for argument in _declared(entities, conditional=False):
        if argument.name not in seen and argument.default is None and not argument.conditional:
            yield argument
        seen.add(argument.name)


def declared_arguments(file: Path, scope: Scope) -> dict[str, Argument]:
    """Arguments of a file and of the files that it includes, the first declaration of a name counting.

    Included files whose path depends on an argument are left out, as `ros2 launch --show-args` does.

    Raises:
        LaunchError: a file cannot be read.
    """
    found: dict[str, Argument] = {}
    _collect(file, scope, found, seen=set())
    return found


def _collect(file: Path, scope: Scope, found: dict[str, Argument], seen: set[Path], place: Place | None = None) -> None:
    seen.add(file)
    entities = load_document(file, place)
    for argument in _declared(entities, conditional=False):
        found.setdefault(argument.name, argument)
    for include in _includes(entities):
        attributes = Attributes("include", include, INCLUDE_KEYS)
        try:
            with scope.inside(file):
                path = scope.working_folder / substitute(attributes.text("file"), scope, include.place)
        except LaunchError:
            continue
        if path not in seen:
            _collect(path, scope, found, seen, attributes.place_of("file"))


def _declared(entities: tuple[Element, ...], *, conditional: bool) -> Iterator[Argument]:
    for entity in entities:
        kind, body = entity.action()
        if kind == "arg":
            yield read_argument(body, conditional=conditional)
        elif kind == "group":
            yield from _declared(group_children(body), conditional=conditional or _has_condition(body))


def _includes(entities: tuple[Element, ...]) -> Iterator[Element]:
    for entity in entities:
        kind, body = entity.action()
        if kind == "include":
            yield body
        elif kind == "group":
            yield from _includes(group_children(body))


def group_children(body: Element) -> tuple[Element, ...]:
    """Actions of a group, which is a list or a mapping with `children`.

    Raises:
        LaunchError: it has none.
    """
    if isinstance(body.value, tuple):
        return body.value
    children = Attributes("group", body, ("children", "scoped", "if", "unless")).get("children")
    if children is None:
        raise LaunchError("'group' needs 'children'", body.place)
    return children.entities()


def _has_condition(body: Element) -> bool:
    return not isinstance(body.value, tuple) and bool({"if", "unless"} & set(body.value))
