"""Messages as plain values, and those as text.

Works on anything that has ``get_fields_and_field_types()``, as every generated ROS message has: no ROS is imported.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any


def plain(value: Any) -> Any:
    """A message as nested dicts, lists, numbers, texts; single bytes become integers, byte strings lists of them."""
    if hasattr(value, "get_fields_and_field_types"):
        return {name: plain(getattr(value, name)) for name in value.get_fields_and_field_types()}
    if isinstance(value, bytes | bytearray):
        return value[0] if len(value) == 1 else list(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return value
    return [plain(item) for item in value]


def select(value: Any, path: str) -> Any:
    """The part of a plain value at a dotted path, such as ``pose.pose.position.x`` or ``forces.3``.

    Raises:
        ValueError: nothing is there; names the part and the allowed ones.
    """
    for part in path.split(".") if path else []:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise ValueError(f"field: {part!r} of {path!r} is not there; allowed: {_choices(value)}")
    return value


def _choices(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(value)
    if isinstance(value, list):
        return f"0 to {len(value) - 1}" if value else "nothing, the list is empty"
    return "nothing, it has no parts"


def to_text(value: Any) -> str:
    """Indented text in the manner of YAML, lists of numbers and texts on one line."""
    return "\n".join(_lines(value, ""))


def _lines(value: Any, indent: str) -> list[str]:
    if isinstance(value, Mapping) and value:
        lines = []
        for key, item in value.items():
            if _is_nested(item):
                deeper = indent if isinstance(item, Sequence) else indent + "  "
                lines += [f"{indent}{key}:", *_lines(item, deeper)]
            else:
                lines.append(f"{indent}{key}: {_scalar(item)}")
        return lines
    if isinstance(value, list) and _is_nested(value):
        lines = []
        for item in value:
            first, *rest = _lines(item, indent + "  ")
            lines += [f"{indent}- {first.strip()}", *rest]
        return lines
    return [f"{indent}{_scalar(value)}"]


def _is_nested(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(value)
    return isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value)


def _scalar(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_scalar(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return ".nan" if math.isnan(value) else repr(value).replace("inf", ".inf")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
