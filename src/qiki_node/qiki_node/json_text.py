"""JSON text without NaN and infinities, which JSON does not have: they become null. No ROS in here."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any


def to_json(value: Any, *, compact: bool = False, default: Callable[[Any], Any] | None = None) -> str:
    """One line of JSON; takes NumPy's numbers and arrays too.

    Args:
        value: mappings, lists, tuples, texts, numbers, None.
        compact: without spaces.
        default: replacement for a value of any other type.

    Raises:
        TypeError: a value of another type, without `default`; names it.
    """

    def replacement(item: Any) -> Any:
        if hasattr(item, "tolist"):
            return _finite(item.tolist())
        if isinstance(item, Mapping):
            return _finite(item)
        if default is not None:
            return _finite(default(item))
        raise TypeError(f"value: {item!r} of type {type(item).__name__} is not allowed; allowed: the types of JSON")

    def dump(item: Any) -> str:
        separators = (",", ":") if compact else None
        return json.dumps(item, allow_nan=False, ensure_ascii=False, separators=separators, default=replacement)

    try:
        return dump(value)
    except ValueError:  # a number that is not finite, which is rare: only then is the value walked through
        return dump(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
