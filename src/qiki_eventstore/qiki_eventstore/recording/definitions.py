"""Texts of ROS message definitions, as MCAP embeds them, so that any tool can read a recording by itself."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_PRIMITIVES: Final = frozenset(
    (
        *("bool", "byte", "char", "float32", "float64", "string", "wstring"),
        *("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    )
)
_FIELD: Final = re.compile(r"^\s*([A-Za-z][\w/]*)(?:<=\d+)?(?:\[[^\]]*\])?\s+\w+")
_SEPARATOR: Final = "=" * 80

_DIVIDER: Final = re.compile(r"^---[ \t]*$", re.MULTILINE)
"""Between the parts of the definition of a service or an action."""

_FEEDBACK: Final = "unique_identifier_msgs/UUID goal_id\n{package}/action/{root}_Feedback feedback\n"
"""Message in which an action publishes its feedback, the third part of its definition."""


class DefinitionError(LookupError):
    """The definition of a message type is not installed as a .msg or .action file."""


def message_definition(type_name: str, prefixes: Iterable[Path]) -> str:
    """Definition of a type and of all types in it, in the encoding `ros2msg`.

    The root's text comes first; each further type follows a line of 80 `=` and a line `MSG: package/Name`
    (https://mcap.dev/spec/registry).

    Args:
        type_name: such as `geometry_msgs/msg/Wrench`.
        prefixes: installation prefixes, as in AMENT_PREFIX_PATH; the first that has a definition wins.

    Raises:
        DefinitionError: naming the type and the file that was looked for.
    """
    folders = [prefix / "share" for prefix in prefixes]
    texts = {}
    wanted = [type_name]
    while wanted:
        name = wanted.pop(0)
        if name not in texts:
            texts[name] = _text(name, folders)
            wanted.extend(_types_in(texts[name], package=name.split("/")[0]))
    root = texts.pop(type_name)
    parts = [root.rstrip("\n")]
    for name, text in texts.items():
        parts.append(f"{_SEPARATOR}\nMSG: {name.replace('/msg/', '/')}\n" + text.rstrip("\n"))
    return "\n".join(parts) + "\n"


def _text(type_name: str, folders: list[Path]) -> str:
    match type_name.split("/"):
        case [package, "msg", name] if package and name:
            text = _read(folders, package, "msg", name)
        case [package, "action", name] if package and name:
            text = _of_action(folders, package, name)
        case _:  # of a service's events, which the field's readers cannot take
            raise DefinitionError(f"type {type_name!r}: allowed: package/msg/Name, package/action/Name_FeedbackMessage")
    if text is None:
        kind, name = type_name.split("/")[1:]
        raise DefinitionError(f"type {type_name}: no share/{package}/{kind}/{name}.{kind} in any installation prefix")
    return text


def _of_action(folders: list[Path], package: str, name: str) -> str | None:
    """Text of the feedback of an action, or of the message in which it is published."""
    root = name.removesuffix("Message").removesuffix("_Feedback")
    action = _read(folders, package, "action", root)
    if action is None or root == name:
        return None
    if name.endswith("Message"):
        return _FEEDBACK.format(package=package, root=root)
    return _DIVIDER.split(action)[2]


def _read(folders: list[Path], package: str, kind: str, name: str) -> str | None:
    for folder in folders:
        file = folder / package / kind / f"{name}.{kind}"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    return None


def _types_in(text: str, package: str) -> Iterator[str]:
    for line in text.splitlines():
        found = _FIELD.match(line)
        if not found or found[1] in _PRIMITIVES:
            continue
        match found[1].split("/"):
            case [name]:
                yield f"{package}/msg/{name}"
            case [other, name]:
                yield f"{other}/msg/{name}"
            case _:
                yield found[1]
