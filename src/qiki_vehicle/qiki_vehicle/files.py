"""Strict reader of YAML and JSON configuration: unknown and repeated keys are refused, errors name field and range."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Hashable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails


class ConfigurationError(ValueError):
    """A configuration file, field or argument is refused; the text names it, its value and the allowed range."""


class Section(BaseModel):
    """A mapping of a configuration file: immutable, typed without conversion, finite numbers, known keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, cls):
            return data
        if not isinstance(data, dict):
            raise PydanticCustomError("not_a_mapping", "allowed: a mapping")
        unknown = sorted(str(key) for key in data if key not in cls.model_fields)
        if unknown:
            raise PydanticCustomError(
                "unknown_key",
                "unknown key {unknown}; allowed: {allowed}",
                {"unknown": _in_a_line(", ".join(unknown)), "allowed": ", ".join(cls.model_fields)},
            )
        return data


def _unit(vector: tuple[float, ...]) -> tuple[float, ...]:
    norm = math.sqrt(sum(x * x for x in vector))
    if abs(norm - 1.0) > 1e-3:
        raise PydanticCustomError("not_unit", "norm {norm}; allowed: 0.999 to 1.001", {"norm": f"{norm:.6g}"})
    return tuple(x / norm for x in vector)


Number = Annotated[float, Strict()]
Positive = Annotated[float, Strict(), Field(gt=0)]
NonNegative = Annotated[float, Strict(), Field(ge=0)]
Fraction = Annotated[float, Strict(), Field(ge=0, le=1)]
Integer = Annotated[int, Strict()]
Name = Annotated[str, Strict(), Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]
Vector = tuple[Number, Number, Number]
Size = Annotated[float, Strict(), Field(ge=1e-3, le=1e3)]
"""m, of a part of a vehicle."""
_Length = Annotated[float, Strict(), Field(ge=-1e3, le=1e3)]
Offset = tuple[_Length, _Length, _Length]
"""m, of a part of a vehicle in base_link."""
PositiveVector = tuple[Positive, Positive, Positive]
UnitVector = Annotated[tuple[Number, Number, Number], AfterValidator(_unit)]
UnitQuaternion = Annotated[tuple[Number, Number, Number, Number], AfterValidator(_unit)]
"""x, y, z, w; normalised on load."""

Model = TypeVar("Model", bound=Section)

LARGEST_FILE = 1_000_000
"""Bytes of a configuration file."""
DEEPEST = 50
"""Mappings and lists inside each other."""
LONGEST_VALUE = 80
"""Characters of a value in an error."""
MOST_VALUES = 100_000
_TOO_DEEP = f"nested deeper than {DEEPEST}"
_SUFFIXES = (".yaml", ".yml", ".json")


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses deep nesting, aliases that multiply, and a key given twice instead of taking the last."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._depth += 1
        if self._depth > DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=_TOO_DEEP, problem_mark=mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def get_single_data(self) -> Any:
        node = self.get_single_node()
        if node is None:
            return None
        if _expanded(node, {}) > MOST_VALUES:
            raise yaml.MarkedYAMLError(problem=f"more than {MOST_VALUES} values, with those of aliases")
        return self.construct_document(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        try:
            _refuse_repeats([self.construct_object(key, deep=True) for key, _ in node.value])
        except ValueError as error:
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from error
        return super().construct_mapping(node, deep)


def _expanded(node: yaml.Node, sizes: dict[int, float]) -> float:
    """Number of values with those that aliases stand for, without end for one that stands for itself."""
    if id(node) not in sizes:
        sizes[id(node)] = math.inf
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        inner = [part for item in parts for part in (item if isinstance(item, tuple) else (item,))]
        sizes[id(node)] = 1.0 + sum(_expanded(part, sizes) for part in inner)
    return sizes[id(node)]


def _refuse_depth(data: Any, left: int = DEEPEST) -> None:
    if isinstance(data, dict | list):
        if left == 0:
            raise ValueError(_TOO_DEEP)
        for value in data.values() if isinstance(data, dict) else data:
            _refuse_depth(value, left - 1)


def load(path: Path, model: type[Model]) -> Model:
    """Read a YAML or JSON file and validate it.

    Raises:
        ConfigurationError: the file is missing, cannot be parsed, or a field is refused.
    """
    return validate(path, read(path), model)


def read(path: Path) -> Any:
    """Content of a JSON (`.json`) or YAML file.

    Raises:
        ConfigurationError: the file is missing, cannot be parsed, or has a key twice.
    """
    if path.suffix not in _SUFFIXES:
        raise ConfigurationError(f"{_name(path)}: allowed: a file named {', '.join(f'*{end}' for end in _SUFFIXES)}")
    text = _text(path)
    try:
        if path.suffix == ".json":
            data = json.loads(text, object_pairs_hook=_without_repeats)
            _refuse_depth(data)
            return data
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        raise ConfigurationError(f"{_name(path)}: cannot be parsed: {_place(error)}") from error
    except RecursionError as error:
        raise ConfigurationError(f"{_name(path)}: cannot be parsed: {_TOO_DEEP}") from error
    except (yaml.YAMLError, ValueError, OverflowError, TypeError) as error:
        raise ConfigurationError(f"{_name(path)}: cannot be parsed: {_in_a_line(error)}") from error


def _text(path: Path) -> str:
    try:
        # Not to wait for a pipe, nor to read a device without end.
        if not path.is_file() and path.exists():
            raise ConfigurationError(f"{_name(path)}: cannot be read: no ordinary file")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise ConfigurationError(f"{_name(path)}: cannot be read: larger than {LARGEST_FILE} bytes")
        return content.decode("utf-8")
    except OSError as error:
        raise ConfigurationError(f"{_name(path)}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{_name(path)}: cannot be read: byte {error.start} is no UTF-8") from error
    except ValueError as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f"{_name(path)}: cannot be read: {_in_a_line(error)}") from error


def _name(path: Path) -> str:
    """A path as one line of printable text."""
    text = str(path)
    return text if text.isprintable() else repr(text)


def _place(error: yaml.MarkedYAMLError) -> str:
    """Fault and place of an error, without the text that stands there: a file that is no configuration is not shown."""
    mark = error.problem_mark or error.context_mark
    place = "" if mark is None else f" at line {mark.line + 1}, column {mark.column + 1}"
    return _in_a_line(error.problem or error.context or "not YAML") + place


def _in_a_line(what: object) -> str:
    return _shortened(" ".join(str(what).split()))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


def validate(path: Path, data: Any, model: type[Model]) -> Model:
    """The content of a file as a model.

    Raises:
        ConfigurationError: a field is refused; one line for each.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError(
            "\n".join(f"{_name(path)}: {_describe(detail)}" for detail in error.errors())
        ) from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_repeats([key for key, _ in pairs])
    return dict(pairs)


def _refuse_repeats(keys: list[Any]) -> None:
    counts = Counter(key for key in keys if isinstance(key, Hashable))
    repeated = sorted(str(key) for key, count in counts.items() if count > 1)
    if repeated:
        raise ValueError(f"key given twice: {_shortened(', '.join(repeated))}")


def _describe(detail: ErrorDetails) -> str:
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]).lstrip(".")
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] in ("missing", "unknown_key"):
        return f"{field or 'top level'}: {message}"
    if not detail["loc"]:
        return f"top level: {message}"
    return f"{field} = {_shortened(repr(detail['input']))}: {message}"
