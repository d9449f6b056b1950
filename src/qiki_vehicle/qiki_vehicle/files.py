"""Strict reader of YAML and JSON configuration: unknown and repeated keys are refused, errors name field and range."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Hashable
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
                {"unknown": ", ".join(unknown), "allowed": ", ".join(cls.model_fields)},
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


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice instead of taking the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        try:
            _refuse_repeats([self.construct_object(key, deep=True) for key, _ in node.value])
        except ValueError as error:
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from error
        return super().construct_mapping(node, deep)


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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    try:
        if path.suffix == ".json":
            return json.loads(text, object_pairs_hook=_without_repeats)
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: cannot be parsed: {error}") from error


def validate(path: Path, data: Any, model: type[Model]) -> Model:
    """The content of a file as a model.

    Raises:
        ConfigurationError: a field is refused; one line for each.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError("\n".join(f"{path}: {_describe(detail)}" for detail in error.errors())) from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_repeats([key for key, _ in pairs])
    return dict(pairs)


def _refuse_repeats(keys: list[Any]) -> None:
    repeated = sorted({str(key) for key in keys if keys.count(key) > 1})
    if repeated:
        raise ValueError(f"key given twice: {', '.join(repeated)}")


def _describe(detail: ErrorDetails) -> str:
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]).lstrip(".")
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] in ("missing", "unknown_key"):
        return f"{field or 'top level'}: {message}"
    value = repr(detail["input"])
    return f"{field or 'top level'} = {value if len(value) <= 80 else value[:77] + '...'}: {message}"
