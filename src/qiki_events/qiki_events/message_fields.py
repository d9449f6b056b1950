"""Kinds of fields of protobuf messages."""

import sys
from typing import Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

INTEGERS: Final = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
"""Smallest and largest value."""

FLOATS: Final = {
    FieldDescriptor.CPPTYPE_DOUBLE: sys.float_info.max,
    FieldDescriptor.CPPTYPE_FLOAT: 3.4028234663852886e38,
}
"""Largest value."""

EXACT: Final = 2**53
"""Largest integer up to which a double holds all."""


def message_type(field: FieldDescriptor) -> Descriptor:
    """Type of a message field."""
    assert field.message_type is not None
    return field.message_type


def enum_type(field: FieldDescriptor) -> EnumDescriptor:
    """Type of an enum field."""
    assert field.enum_type is not None
    return field.enum_type


def is_map(field: FieldDescriptor) -> bool:
    """True for a map field, which is stored as a repeated message of key and value."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry
