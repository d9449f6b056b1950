"""Hypothesis strategies of payloads that fit a schema."""

import base64
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import strategies as st

_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def mappings(descriptor: Descriptor, names: st.SearchStrategy[str] = texts) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings of all fields, optional ones None at times; text fields from `names`."""
    return st.fixed_dictionaries({field.name: _values(field, names) for field in descriptor.fields})


def _values(field: FieldDescriptor, names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    if field.message_type is not None and field.message_type.full_name == "google.protobuf.Struct":
        return st.none() | st.dictionaries(texts, plain, max_size=3)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return st.dictionaries(texts, _single(field.message_type.fields_by_name["value"], names), max_size=3)
    if field.is_repeated:
        return st.lists(_single(field, names), max_size=4)
    return st.none() | _single(field, names) if field.has_presence else _single(field, names)


def _single(field: FieldDescriptor, names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return mappings(field.message_type, names)
    if field.enum_type is not None:
        return st.sampled_from([value.name for value in field.enum_type.values])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=8).map(lambda data: base64.b64encode(data).decode())
    if field.cpp_type in _INTEGERS:
        return st.integers(*_INTEGERS[field.cpp_type])
    return {
        FieldDescriptor.CPPTYPE_STRING: names,
        FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
        FieldDescriptor.CPPTYPE_DOUBLE: numbers,
    }[field.cpp_type]
