"""Declares a parameter dataclass on a ROS node and keeps the values of the dataclass and of the node the same."""

import dataclasses
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.node import Node
from rclpy.parameter import Parameter

from qiki_node.parameters import ParameterError, ParameterSpec, specs_of

P = TypeVar("P")

_TYPES = {
    (bool, False): Parameter.Type.BOOL,
    (int, False): Parameter.Type.INTEGER,
    (float, False): Parameter.Type.DOUBLE,
    (str, False): Parameter.Type.STRING,
    (bool, True): Parameter.Type.BOOL_ARRAY,
    (int, True): Parameter.Type.INTEGER_ARRAY,
    (float, True): Parameter.Type.DOUBLE_ARRAY,
    (str, True): Parameter.Type.STRING_ARRAY,
}

# Names that rclpy or launch may set on any node.
_OF_RCLPY = ("use_sim_time", "start_type_description_service")
_OF_RCLPY_PREFIX = ("qos_overrides.",)

_LARGEST_INTEGER = 2**63 - 1


def refusing_unknown_types(set_parameters: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """rclpy's callback of SetParameters or SetParametersAtomically, which raises for a type that does not exist."""

    def checked(request: Any, response: Any) -> Any:
        known = [kind.value for kind in Parameter.Type]
        refused = [item for item in request.parameters if item.value.type not in known]
        if not refused:
            return set_parameters(request, response)
        results = {id(item): _unknown_type(item, known) for item in refused}
        if isinstance(request, SetParametersAtomically.Request):
            response.result = next(iter(results.values()))
            return response
        good = [item for item in request.parameters if id(item) not in results]
        answers = iter(set_parameters(SetParameters.Request(parameters=good), response).results)
        response.results = [results.get(id(item)) or next(answers) for item in request.parameters]
        return response

    return checked


def _unknown_type(item: Any, known: list[int]) -> SetParametersResult:
    reason = f"parameter {item.name}: type = {item.value.type}; allowed: {min(known)} to {max(known)}"
    return SetParametersResult(successful=False, reason=reason)


class ParameterServer(Generic[P]):
    """The parameters of one node: declared at construction, current values in `values`.

    Raises (at construction):
        ParameterError: a given parameter is unknown or its value is not allowed.
    """

    def __init__(self, node: Node, parameters: type[P]) -> None:
        self._specs = specs_of(parameters)
        self._changed: list[Callable[[P, P], None]] = []
        given = {
            name: given.value
            for name, given in node._parameter_overrides.items()  # rclpy has no public access to them
            if name not in _OF_RCLPY and not name.startswith(_OF_RCLPY_PREFIX)
        }
        unknown = sorted(set(given) - set(self._specs))
        if unknown:
            raise ParameterError(f"parameter {unknown[0]}: unknown; known: {', '.join(self._specs)}")
        values = {
            name: spec.check(given[name]) if name in given else spec.default for name, spec in self._specs.items()
        }
        self.values: P = parameters(**values)
        for name, spec in self._specs.items():
            node.declare_parameter(name, values[name], _descriptor(spec), ignore_override=True)
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._take)

    def on_change(self, changed: Callable[[P, P], None]) -> None:
        """Call `changed(old, new)` after parameters were set. Conditions for refusal belong in the specification."""
        self._changed.append(changed)

    def _check(self, parameters: list[Parameter]) -> SetParametersResult:
        for item in parameters:
            spec = self._specs.get(item.name)
            if spec is None:
                continue
            try:
                checked = spec.check(item.value)
            except ParameterError as error:
                return SetParametersResult(successful=False, reason=str(error))
            if item.type_ != _TYPES[spec.kind, spec.is_list]:
                reason = f"parameter {item.name}: {item.value!r} has the wrong type; write {checked!r}"
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    def _take(self, parameters: list[Parameter]) -> None:
        taken: dict[str, Any] = {item.name: item.value for item in parameters if item.name in self._specs}
        if not taken:
            return
        taken = {name: self._specs[name].check(value) for name, value in taken.items()}
        old = self.values
        self.values = dataclasses.replace(old, **taken)  # type: ignore[type-var]
        for changed in self._changed:
            changed(old, self.values)


def _descriptor(spec: ParameterSpec) -> ParameterDescriptor:
    unit = f" [{spec.unit}]" if spec.unit else ""
    descriptor = ParameterDescriptor(
        name=spec.name,
        type=_TYPES[spec.kind, spec.is_list].value,
        description=spec.description + unit,
        # Types are checked in ParameterServer: rclpy's own refusal would not name the parameter.
        dynamic_typing=True,
        additional_constraints=f"allowed: {spec.allowed}",
        read_only=spec.read_only,
    )
    if spec.is_list or (spec.minimum is None and spec.maximum is None):
        return descriptor
    if spec.kind is float:
        low = -float("inf") if spec.minimum is None else float(spec.minimum)
        high = float("inf") if spec.maximum is None else float(spec.maximum)
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high, step=0.0)]
    elif spec.kind is int:
        low_integer = -_LARGEST_INTEGER if spec.minimum is None else int(spec.minimum)
        high_integer = _LARGEST_INTEGER if spec.maximum is None else int(spec.maximum)
        descriptor.integer_range = [IntegerRange(from_value=low_integer, to_value=high_integer, step=1)]
    return descriptor
