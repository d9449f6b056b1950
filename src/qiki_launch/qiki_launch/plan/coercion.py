"""Types of parameter values: the rules by which ROS's launch turns texts into them."""

from typing import Any

import yaml

Scalar = bool | int | float | str
Value = Scalar | list[Scalar]


class Quoted(str):
    """A text by its declared type or its quotes, whatever it looks like: `12E5`, `0x1A` or `on` is no other value."""

    __slots__ = ()


SCALARS: tuple[type[Scalar], ...] = (int, float, bool, str)
TYPES: dict[str, tuple[type[Scalar] | None, bool]] = {
    "str": (str, False),
    "bool": (bool, False),
    "float": (float, False),
    "int": (int, False),
    "list_of_str": (str, True),
    "list_of_bool": (bool, True),
    "list_of_float": (float, True),
    "list_of_int": (int, True),
    "yaml": (None, False),
}
"""Name in a launch file → type of the scalar (None: by the rules of YAML), whether it is a list."""


def coerce_scalar(text: str, kind: type[Scalar] | None) -> Value:
    """Value of a text that came out of substitutions.

    Raises:
        ValueError: it cannot be read as `kind`, or (kind None) is neither a scalar nor a list of one type.
    """
    if kind is str or (not text and kind is None):
        return text
    if kind is int or kind is float:
        return kind(text)
    if kind is bool:
        value = _yaml({"1": "true", "0": "false"}.get(text, text))
        if not isinstance(value, bool):
            raise ValueError(f"{text!r} is not a truth value; allowed: true, false, 1, 0")
        return value
    value = _yaml(text)
    if not is_value(value):
        raise ValueError(f"{text!r} is a {type(value).__name__}; allowed: a scalar or a list of scalars of one type")
    result: Value = value
    return result


def is_value(value: Any) -> bool:
    """True if a value is a scalar or a list whose items have one type (as ROS's launch looks at it)."""
    if isinstance(value, list):
        kind = next((type(item) for item in value if type(item) is not str), str)
        return kind in SCALARS and all(isinstance(item, kind) for item in value)
    return isinstance(value, SCALARS)


def _yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{text!r} is not YAML: {error}") from error
