"""From mappings that JSON can hold to protobuf messages.

Unlike protobuf's own JSON: names of fields stay as they are, integers of 64 bits are integers, an optional number that
is absent is there as None, and a value that does not fit is refused by name.
"""

import base64
import binascii
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from qiki_events.fields import MAX_DEPTH
from qiki_events.message_fields import EXACT, FLOATS, INTEGERS, enum_type, is_map, message_type

M = TypeVar("M", bound=Message)
Writer: TypeAlias = Callable[[str, Any], Any]
"""From the field's name and its value in JSON to the value of the field; ValueError if it does not fit."""

_NEEDED: Final = (*INTEGERS, *FLOATS, FieldDescriptor.CPPTYPE_BOOL)
"""Kinds of fields that must be given: left out, they would read as zero or false."""


def to_message(cls: type[M], mapping: Mapping[str, Any]) -> M:
    """The message that a mapping describes; bytes may also be given as bytes.

    Raises:
        ValueError: unknown field, missing number, or a value that does not fit: the text names field, value and what is
            allowed.
    """
    message = cls()
    _fill(message, "", mapping)
    return message


def _fill(message: Message, prefix: str, mapping: Any) -> None:
    if not isinstance(mapping, Mapping):
        raise _wrong(prefix.rstrip(".") or "payload", mapping, "a mapping of fields")
    setters = _setters(message.DESCRIPTOR)
    if unknown := [name for name in mapping if name not in setters]:
        raise _wrong(
            f"{prefix}{unknown[0]}", mapping[unknown[0]], f"one of the fields {', '.join(setters) or '(none)'}"
        )
    for name, (needed, put) in setters.items():
        value = mapping.get(name)
        if value is not None:
            put(message, f"{prefix}{name}", value)
        elif needed:
            raise ValueError(f"{prefix}{name}: missing; allowed: {needed}")
        elif name in mapping and not message.DESCRIPTOR.fields_by_name[name].has_presence:
            raise _wrong(f"{prefix}{name}", None, "a value, or to be left out")


def _wrong(field: str, value: object, allowed: str) -> ValueError:
    shown = repr(value)
    return ValueError(f"{field}: {shown if len(shown) <= 80 else shown[:77] + '...'}; allowed: {allowed}")


@cache
def _setters(descriptor: Descriptor) -> dict[str, tuple[str, Callable[[Message, str, Any], None]]]:
    """By field: what it needs to be given, empty if it may be left out, and what puts a value into it."""
    return {field.name: (_needed(field), _setter(field)) for field in descriptor.fields}


def _needed(field: FieldDescriptor) -> str:
    single = not field.is_repeated and not field.has_presence
    return _allowed(field) if single and field.cpp_type in _NEEDED else ""


def _setter(field: FieldDescriptor) -> Callable[[Message, str, Any], None]:
    name = field.name
    if is_map(field):
        of_value = _value_writer(message_type(field).fields_by_name["value"])

        def put_map(message: Message, path: str, value: Any) -> None:
            if not (isinstance(value, Mapping) and all(isinstance(key, str) for key in value)):
                raise _wrong(path, value, "a mapping with text as keys")
            getattr(message, name).update({key: of_value(f"{path}.{key}", inner) for key, inner in value.items()})

        return put_map
    if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        if field.is_repeated:

            def put_messages(message: Message, path: str, value: Any) -> None:
                for index, inner in enumerate(_sequence(path, value)):
                    _fill(getattr(message, name).add(), f"{path}[{index}].", inner)

            return put_messages
        if field.message_type is Struct.DESCRIPTOR:
            return lambda message, path, value: _put_struct(getattr(message, name), path, value, MAX_DEPTH)

        def put_message(message: Message, path: str, value: Any) -> None:
            getattr(message, name).SetInParent()
            _fill(getattr(message, name), f"{path}.", value)

        return put_message
    of = _value_writer(field)
    if field.is_repeated:

        def put_all(message: Message, path: str, value: Any) -> None:
            values = _sequence(path, value)
            getattr(message, name).extend(of(f"{path}[{index}]", inner) for index, inner in enumerate(values))

        return put_all
    return lambda message, path, value: setattr(message, name, of(path, value))


def _sequence(path: str, value: Any) -> Sequence[Any]:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return value
    raise _wrong(path, value, "a list")


def _allowed(field: FieldDescriptor) -> str:
    if field.cpp_type in INTEGERS:
        low, high = INTEGERS[field.cpp_type]
        return f"an integer from {low} to {high}"
    if field.cpp_type in FLOATS:
        unknown = ", or None if it is unknown" if field.has_presence else ""
        return f"a finite number{unknown}"
    return "true or false"


def _value_writer(field: FieldDescriptor) -> Writer:
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return _enum_writer(enum_type(field))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text
    allowed = _allowed(field)
    low, high = INTEGERS.get(field.cpp_type, (0, 0))
    largest = FLOATS.get(field.cpp_type, 0.0)

    def integer(path: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise _wrong(path, value, allowed)
        return int(value)

    def number(path: str, value: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= largest:
            raise _wrong(path, value, allowed)
        return float(value)

    def boolean(path: str, value: Any) -> bool:
        if type(value) is not bool:
            raise _wrong(path, value, allowed)
        return value

    return integer if field.cpp_type in INTEGERS else number if field.cpp_type in FLOATS else boolean


def _enum_writer(enum: EnumDescriptor) -> Writer:
    numbers = {value.name: value.number for value in enum.values}

    def write(path: str, value: Any) -> int:
        if not (isinstance(value, str) and value in numbers):
            raise _wrong(path, value, ", ".join(numbers))
        return numbers[value]

    return write


def _text(path: str, value: Any) -> str:
    try:
        if isinstance(value, str):
            value.encode()
            return value
    except UnicodeEncodeError:
        pass
    raise _wrong(path, value, "text")


def _bytes(path: str, value: Any) -> bytes:
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    try:
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise _wrong(path, value, "base64")


def _put_struct(struct: Struct, path: str, value: Any, depth: int) -> None:
    if not isinstance(value, Mapping):
        raise _wrong(path, value, "a mapping")
    struct.SetInParent()
    for name, inner in value.items():
        _put_plain(struct.fields[_text(f"{path} key", name)], f"{path}.{name}", inner, depth - 1)


def _put_plain(target: Any, path: str, value: Any, depth: int) -> None:
    """Into a google.protobuf.Value, which keeps a number as a double; `depth`: levels that are still allowed."""
    if depth <= 0 and isinstance(value, Mapping | list | tuple):
        raise ValueError(f"{path[:80]}…: nested too deep; allowed: {MAX_DEPTH} levels")
    if value is None:
        target.null_value = 0
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, str):
        target.string_value = _text(path, value)
    elif isinstance(value, int | float):
        if not math.isfinite(value) or (isinstance(value, int) and abs(value) > EXACT):
            raise _wrong(path, value, f"a finite number, an integer up to {EXACT}")
        target.number_value = value
    elif isinstance(value, Mapping):
        _put_struct(target.struct_value, path, value, depth)
    elif isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        target.list_value.SetInParent()
        for index, inner in enumerate(value):
            _put_plain(target.list_value.values.add(), f"{path}[{index}]", inner, depth - 1)
    else:
        raise _wrong(path, value, "what JSON can hold")
