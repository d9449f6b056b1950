"""Node parameters as a typed dataclass: one declaration gives type, default, range and description.

    @dataclass(frozen=True)
    class AllocatorParameters(NodeParameters):
        control_rate: float = parameter(100.0, "control cycles per second", unit="Hz", minimum=50.0, maximum=500.0)

This module knows nothing of ROS; ``qiki_node.ros_parameters`` declares these on a node.
"""

import dataclasses
import math
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

P = TypeVar("P")

Scalar = bool | int | float | str
SCALARS: tuple[type, ...] = (bool, int, float, str)


class ParameterError(ValueError):
    """A parameter is unknown or its value is not allowed; the text names parameter, value and allowed range."""


@dataclass(frozen=True, kw_only=True)
class ParameterSpec:
    """Specification of one parameter: type, default, range, description."""

    name: str
    kind: type
    is_list: bool
    default: Any
    description: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False

    @property
    def allowed(self) -> str:
        """The allowed values in words, with the unit."""
        unit = f" {self.unit}" if self.unit else ""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        lowest, highest = (
            None if bound is None else f"{int(bound)}" if self.kind is int else f"{bound:g}"
            for bound in (self.minimum, self.maximum)
        )
        if lowest and highest:
            return f"{lowest} to {highest}{unit}"
        if lowest:
            return f"at least {lowest}{unit}"
        if highest:
            return f"at most {highest}{unit}"
        noun = {bool: "true or false", int: "an integer", float: "a finite number", str: "a text"}[self.kind]
        return f"a list, each {noun}{unit}" if self.is_list else f"{noun}{unit}"

    def check(self, value: Any) -> Any:
        """Return the value in the parameter's type.

        An integer is taken where a floating-point number is meant, as YAML writes ``rate: 100``, and true and false for
        the choices ON and OFF, as YAML reads ``mode: ON``.

        Raises:
            ParameterError: naming the parameter, the value and the allowed ones.
        """
        if self.is_list:
            if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
                raise self._refusal(value)
            return [self._check_scalar(item, value) for item in value]
        return self._check_scalar(value, value)

    def _check_scalar(self, item: Any, value: Any) -> Scalar:
        if self.kind is float and isinstance(item, int) and not isinstance(item, bool):
            item = float(item)
        if isinstance(item, bool) and self.choices:
            # YAML reads ON and OFF without quotes as true and false.
            word = "ON" if item else "OFF"
            item = word if word in self.choices else item
        if not isinstance(item, self.kind) or (self.kind is int and isinstance(item, bool)):
            raise self._refusal(value)
        if isinstance(item, float) and not math.isfinite(item):
            raise self._refusal(value)
        if isinstance(item, int | float) and not isinstance(item, bool):
            too_small = self.minimum is not None and item < self.minimum
            too_large = self.maximum is not None and item > self.maximum
            if too_small or too_large:
                raise self._refusal(value)
        if self.choices and item not in self.choices:
            raise self._refusal(value)
        return typing.cast("Scalar", item)

    def _refusal(self, value: Any) -> ParameterError:
        return ParameterError(f"parameter {self.name}: {value!r} is not allowed; allowed: {self.allowed}")


def parameter(
    default: Any,
    description: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    read_only: bool = False,
) -> Any:
    """A field of a parameter dataclass.

    Args:
        default: value when nothing sets it; a list default is copied for each instance.
        description: its effect, in one sentence.
        unit: SI unit, empty for a number without one.
        minimum, maximum: inclusive range of a number or of each number of a list.
        choices: allowed texts.
        read_only: it can be set at start only.
    """
    metadata = {
        "description": description,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "read_only": read_only,
    }
    if isinstance(default, list):
        factory: Callable[[], list[Any]] = lambda: list(default)  # noqa: E731
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def specs_of(parameters: type) -> dict[str, ParameterSpec]:
    """The specifications of a parameter dataclass by name, in declaration order.

    Raises:
        TypeError: a field is not made by `parameter` or has a type other than bool, int, float, str or a list of one.
    """
    hints = typing.get_type_hints(parameters)
    specs = {}
    for field in dataclasses.fields(parameters):
        hint = hints[field.name]
        is_list = typing.get_origin(hint) is list
        kind = typing.get_args(hint)[0] if is_list else hint
        if kind not in SCALARS or "description" not in field.metadata:
            raise TypeError(
                f"{parameters.__name__}.{field.name}: a parameter is bool, int, float, str or a list of one, "
                "made by parameter()"
            )
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        specs[field.name] = ParameterSpec(
            name=field.name, kind=kind, is_list=is_list, default=default, **field.metadata
        )
    return specs


def build(parameters: type[P], values: Mapping[str, Any]) -> P:
    """An instance of the parameter dataclass from checked values; those not given have their defaults.

    Raises:
        ParameterError: a name is unknown or a value is not allowed.
    """
    specs = specs_of(parameters)
    unknown = sorted(set(values) - set(specs))
    if unknown:
        raise ParameterError(f"parameter {unknown[0]}: unknown; known: {', '.join(specs)}")
    return parameters(**{name: specs[name].check(value) for name, value in values.items()})


@dataclass(frozen=True)
class NodeParameters:
    """Parameters of every QIKI node."""

    autostart: bool = parameter(True, "configure and activate the node at start", read_only=True)
    executor: str = parameter(
        "events", "executor that runs the callbacks", choices=("events", "single"), read_only=True
    )
    metrics_port: int = parameter(
        0, "TCP port of /metrics, /healthz and /readyz, 0 for none", minimum=0, maximum=65535, read_only=True
    )
    metrics_host: str = parameter("127.0.0.1", "IPv4 or IPv6 address that the metrics port binds to", read_only=True)
    diagnostics_period: float = parameter(
        1.0, "time between two diagnostics messages", unit="s", minimum=0.1, maximum=60.0, read_only=True
    )
    events_enabled: bool = parameter(True, "send events to the event store", read_only=True)
    events_capacity: int = parameter(
        10_000, "events kept until the event store has them", minimum=1, maximum=1_000_000, read_only=True
    )
    events_spool: str = parameter(
        "", "folder where audit events outlive the process until they are acknowledged; empty: none", read_only=True
    )
    state_folder: str = parameter(
        "",
        "folder where the lifecycle state that clients ordered outlives the process, for one that the same launch "
        "starts; empty: none",
        read_only=True,
    )
