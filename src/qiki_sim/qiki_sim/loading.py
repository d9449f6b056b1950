"""Reading YAML configuration: one error type, unknown and repeated keys refused, field and allowed range named."""

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


class ScenarioError(ValueError):
    """A configuration file is refused; the text names file, field, value and allowed range, one line each."""


class Section(BaseModel):
    """A mapping of a configuration file: immutable, finite numbers only, no key it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
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
PositiveVector = tuple[Positive, Positive, Positive]
UnitVector = Annotated[tuple[Number, Number, Number], AfterValidator(_unit)]
UnitQuaternion = Annotated[tuple[Number, Number, Number, Number], AfterValidator(_unit)]
"""x, y, z, w; normalised on load."""

Model = TypeVar("Model", bound=Section)


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice instead of taking the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = sorted({str(key) for key in keys if keys.count(key) > 1})
        if repeated:
            raise yaml.MarkedYAMLError(problem=f"key given twice: {', '.join(repeated)}", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def load(path: Path, model: type[Model]) -> Model:
    """Read a YAML or JSON file and validate it.

    Raises:
        ScenarioError: the file is missing, is not YAML, or a field is refused.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error
    try:
        data = json.loads(text) if path.suffix == ".json" else yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise ScenarioError(f"{path}: cannot be parsed: {error}") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ScenarioError("\n".join(f"{path}: {_describe(detail)}" for detail in error.errors())) from error


def _describe(detail: ErrorDetails) -> str:
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]).lstrip(".")
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] in ("missing", "unknown_key"):
        return f"{field or 'top level'}: {message}"
    value = repr(detail["input"])
    return f"{field or 'top level'} = {value if len(value) <= 80 else value[:77] + '...'}: {message}"
