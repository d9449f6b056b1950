"""Parameters of a node in a launch file: `param` with name and value, nested, or from a file."""

from pathlib import Path
from typing import Any

from qiki_launch.errors import LaunchError, Place
from qiki_launch.plan.coercion import SCALARS, TYPES, Quoted, Scalar, Value, coerce_scalar, is_value
from qiki_launch.plan.document import Attributes
from qiki_launch.plan.element import Element, describe
from qiki_launch.plan.scope import Scope
from qiki_launch.plan.substitutions import parse, perform, substitute
from qiki_launch.plan.template import literal

_KNOWN = ("name", "value", "type", "param", "from")


def read_parameter(element: Element, scope: Scope) -> dict[str, Value] | Path:
    """One entry of `param`: flat names and values, or the path of a parameter file.

    Raises:
        LaunchError: it is incomplete or contradicts itself, a value has no allowed type, or the file does not exist.
    """
    attributes = Attributes("param", element, _KNOWN)
    if (attributes.get("from") is None) is (attributes.get("name") is None):
        raise LaunchError("'param' needs either 'name' or 'from'", element.place)
    if attributes.get("from") is None:
        return _read_named(attributes, scope, prefix="")
    for name in ("value", "type", "param"):
        if attributes.get(name) is not None:
            raise LaunchError(f"{name!r} cannot stand beside 'from'", attributes.place_of(name))
    place = attributes.place_of("from")
    path = Path(substitute(attributes.text("from"), scope, place))
    if not (scope.working_folder / path).is_file():
        raise LaunchError(f"parameter file {str(path)!r} does not exist", place)
    return path


def _read_named(attributes: Attributes, scope: Scope, prefix: str) -> dict[str, Value]:
    name = prefix + substitute(attributes.text("name"), scope, attributes.place_of("name"))
    value, nested = attributes.get("value"), attributes.entities("param")
    if (value is None) is (not nested):
        raise LaunchError("'param' needs either 'value' or nested 'param'", attributes.place)
    if value is not None:
        return {name: _read_value(value, attributes, scope)}
    if attributes.get("type") is not None:
        raise LaunchError("'type' cannot stand beside nested 'param'", attributes.place_of("type"))
    found: dict[str, Value] = {}
    for entry in nested:
        child = Attributes("param", entry, ("name", "value", "type", "param"))
        for key, one in _read_named(child, scope, prefix=f"{name}.").items():
            if key in found:
                raise LaunchError(f"parameter {key!r} stands here more than once", entry.place)
            found[key] = one
    return found


def _read_value(element: Element, attributes: Attributes, scope: Scope) -> Value:
    kind, is_list = _declared_type(attributes)
    try:
        if isinstance(element.value, tuple):
            if kind is not None and not is_list:
                raise ValueError(f"a list, where 'type' says {attributes.text('type')}")
            return _list_value(element.value, kind, scope, element.place)
        if is_list:
            raise ValueError(f"not a list, where 'type' says {attributes.text('type')}")
        return _scalar_value(element, kind, scope)
    except ValueError as error:
        raise LaunchError(f"the parameter's value: {error}", element.place) from error


def _declared_type(attributes: Attributes) -> tuple[type[Scalar] | None, bool]:
    name = attributes.optional_text("type") or "yaml"
    if name not in TYPES:
        raise LaunchError(f"'type' is {name!r}; allowed: {', '.join(TYPES)}", attributes.place_of("type"))
    return TYPES[name]


def _plain(element: Element) -> Scalar:
    value: Any = element.value
    if not isinstance(value, SCALARS):
        raise ValueError(f"{describe(element)} is not allowed; allowed: true or false, a number, a text")
    return value


def _scalar_value(element: Element, kind: type[Scalar] | None, scope: Scope) -> Value:
    value = _plain(element)
    if isinstance(value, str):
        template = parse(value, element.place)
        text = literal(template)
        if text is None:
            return _declared(coerce_scalar(perform(template, scope, element.place), kind), kind)
        value = Quoted(text) if element.quoted or kind is str else text
    if kind is not None and not isinstance(value, kind):
        quotes = "; a text that looks like something else stands between quotes" if kind is str else ""
        raise ValueError(f"{value!r} is not of the type {kind.__name__}{quotes}")
    return value


def _declared(value: Value, kind: type[Scalar] | None) -> Value:
    return Quoted(value) if kind is str and isinstance(value, str) else value


def _list_value(items: tuple[Element, ...], kind: type[Scalar] | None, scope: Scope, place: Place) -> list[Scalar]:
    written: set[type] = set()
    values: list[Any] = []
    quoted = kind is str
    for element in items:
        item = _plain(element)
        template = parse(item, place) if isinstance(item, str) else ()
        text = literal(template)
        if template and text is None:
            values.append(coerce_scalar(perform(template, scope, place), kind))
        else:
            values.append(item if text is None else text)
            quoted |= element.quoted
            written.add(type(item))
    if len(written) > 1 or not is_value(values):
        raise ValueError(f"{values!r} has items of different types")
    if not values and kind not in (None, str):
        raise ValueError("an empty list has no type")
    if kind is not None and not all(isinstance(item, kind) for item in values):
        raise ValueError(f"{values!r} is not a list of {kind.__name__}")
    # One item that is text makes all of them text.
    return [Quoted(value) for value in values] if quoted and all(type(value) is str for value in values) else values
