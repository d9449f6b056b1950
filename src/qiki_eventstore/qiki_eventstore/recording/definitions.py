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

_PARTS: Final = {"_Request": ("srv", 0), "_Response": ("srv", 1), "_Feedback": ("action", 2)}
"""Messages that are a part of a definition, by the end of their names: kind of the definition, number of the part."""

_IMPLIED: Final = {
    "_FeedbackMessage": ("action", "unique_identifier_msgs/UUID goal_id\n{package}/{root}_Feedback feedback\n"),
    "_Event": (
        "srv",
        "service_msgs/ServiceEventInfo info\n"
        "{package}/{root}_Request[<=1] request\n{package}/{root}_Response[<=1] response\n",
    ),
}
"""Messages that ROS makes of a definition."""


class DefinitionError(LookupError):
    """The definition of a message type is not installed as a .msg, .srv or .action file."""


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
        package, _, short = name.split("/")
        parts.append(f"{_SEPARATOR}\nMSG: {package}/{short}\n" + text.rstrip("\n"))
    return "\n".join(parts) + "\n"


def _text(type_name: str, folders: list[Path]) -> str:
    match type_name.split("/"):
        case [package, "msg" | "srv" | "action" as kind, name] if package and name:
            pass
        case _:
            raise DefinitionError(f"type {type_name!r}: allowed: package/msg/Name, or with srv or action")
    if kind == "msg" and (text := _read(folders, package, "msg", name)) is not None:
        return text
    if (text := _part(folders, package, name)) is not None:
        return text
    raise DefinitionError(f"type {type_name}: no share/{package}/{kind}/{name}.{kind} in any installation prefix")


def _part(folders: list[Path], package: str, name: str) -> str | None:
    """Text of a message that the definition of an action or a service implies."""
    for suffix, (kind, number) in _PARTS.items():
        whole = _read(folders, package, kind, name.removesuffix(suffix)) if name.endswith(suffix) else None
        if whole is not None:
            return _DIVIDER.split(whole)[number]
    for suffix, (kind, text) in _IMPLIED.items():
        root = name.removesuffix(suffix)
        if name.endswith(suffix) and _read(folders, package, kind, root) is not None:
            return text.format(package=package, root=root)
    return None


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
        parts = found[1].split("/")
        yield f"{parts[0] if len(parts) > 1 else package}/msg/{parts[-1]}"
