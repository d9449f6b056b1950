"""From protobuf messages to mappings that JSON can hold.

Unlike protobuf's own JSON: names of fields stay as they are, integers of 64 bits are integers, an optional number that
is absent is there as None, and a value that does not fit is refused by name.
"""

import base64
import math
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from qiki_events.message_fields import EXACT, FLOATS, enum_type, is_map, message_type

Reader: TypeAlias = Callable[[Any], Any]
"""From the value of a field to its value in JSON."""


def to_mapping(message: Message) -> dict[str, Any]:
    """Every field by its name.

    Enums by name, bytes as base64, numbers that are not finite and optional fields that are absent as None.
    """
    return _message_reader(message.DESCRIPTOR)(message)


@cache
def _message_reader(descriptor: Descriptor) -> Callable[[Message], dict[str, Any]]:
    if descriptor is Struct.DESCRIPTOR:
        return _struct_reader
    readers = [(field.name, _field_reader(field), field.has_presence) for field in descriptor.fields]

    def read(message: Message) -> dict[str, Any]:
        return {
            name: None if optional and not message.HasField(name) else of(getattr(message, name))
            for name, of, optional in readers
        }

    return read


def _struct_reader(struct: Any) -> dict[str, Any]:
    return {name: _plain(struct.fields[name]) for name in sorted(struct.fields)}


def _field_reader(field: FieldDescriptor) -> Reader:
    if is_map(field):
        of = _value_reader(message_type(field).fields_by_name["value"])
        return lambda values: {key: of(values[key]) for key in sorted(values)}
    of = _value_reader(field)
    if field.is_repeated:
        return lambda values: [of(value) for value in values]
    return of


def _value_reader(field: FieldDescriptor) -> Reader:
    if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        return _message_reader(message_type(field))
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        names = {number: value.name for number, value in enum_type(field).values_by_number.items()}
        return lambda number: names.get(number) or f"UNRECOGNIZED_{number}"
    if field.cpp_type in FLOATS:
        return lambda number: number if math.isfinite(number) else None
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda data: base64.b64encode(data).decode()
    return lambda value: value


def _plain(value: Any) -> Any:
    """Content of a google.protobuf.Value."""
    match value.WhichOneof("kind"):
        case "struct_value":
            return _struct_reader(value.struct_value)
        case "list_value":
            return [_plain(inner) for inner in value.list_value.values]
        case "number_value":
            number = value.number_value
            whole = math.isfinite(number) and number.is_integer() and abs(number) <= EXACT
            return int(number) if whole else number if math.isfinite(number) else None
        case "null_value" | None:
            return None
        case kind:
            return getattr(value, kind)
