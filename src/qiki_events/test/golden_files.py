"""Golden files: one stored example of every version of every type of event, in golden/.

Each is JSON: type, version, message (its protobuf name), fingerprint (of the schema), payload (base64), mapping (what
the payload says in its own version) and, once the type has newer versions, newest (what it means in the newest).

    python test/golden_files.py      # adds those that are missing; never changes one

A golden file is never changed: a changed schema is a new version.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from qiki_events import REGISTRY, Registry, to_mapping, to_message

FOLDER = Path(__file__).parent / "golden"


def path_of(type: str, version: int, folder: Path = FOLDER) -> Path:
    return folder / f"{type}.v{version}.json"


def registered(registry: Registry = REGISTRY) -> Iterator[tuple[str, int, type[Message]]]:
    """Type, version and class of all that is registered."""
    for name in registry.types:
        schema = registry.schema(name)
        assert schema is not None
        for version, cls in enumerate(schema.versions, 1):
            yield name, version, cls


def fingerprint(descriptor: Descriptor) -> str:
    """SHA-256 over all that decides how bytes are read and what their fields are called."""
    return hashlib.sha256("\n".join(_lines(descriptor, set())).encode()).hexdigest()


def _lines(descriptor: Descriptor, seen: set[str]) -> Iterator[str]:
    if descriptor.full_name in seen:
        return
    seen.add(descriptor.full_name)
    yield f"message {descriptor.full_name}"
    for field in sorted(descriptor.fields, key=lambda field: field.number):
        kind = field.message_type or field.enum_type
        yield (
            f"{field.number} {field.name} type {field.type} {kind.full_name if kind else ''} "
            f"repeated {field.is_repeated} presence {field.has_presence}"
        )
        if field.enum_type:
            yield from (
                f"{field.enum_type.full_name}.{value.name} = {value.number}" for value in field.enum_type.values
            )
        if field.message_type:
            yield from _lines(field.message_type, seen)


def example(descriptor: Descriptor) -> dict[str, Any]:
    """A mapping in which no field has its default."""
    return {field.name: _example_of(field) for field in descriptor.fields}


def _example_of(field: FieldDescriptor) -> Any:
    if field.message_type is not None and field.message_type.full_name == "google.protobuf.Struct":
        return {"level": 0.5, "names": ["+x", "-x"], "nested": {"flag": True, "nothing": None}}
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value = field.message_type.fields_by_name["value"]
        return {"bots": "alpha"} if value.type == FieldDescriptor.TYPE_STRING else {"bots": _single_example(value)}
    one = _single_example(field)
    return [one, one] if field.is_repeated else one


def _single_example(field: FieldDescriptor) -> Any:
    if field.message_type is not None:
        return example(field.message_type)
    if field.enum_type is not None:
        return field.enum_type.values[-1].name
    examples = {
        FieldDescriptor.CPPTYPE_STRING: "AAECAw==" if field.type == FieldDescriptor.TYPE_BYTES else f"{field.name} é",
        FieldDescriptor.CPPTYPE_BOOL: True,
        FieldDescriptor.CPPTYPE_DOUBLE: field.number + 0.25,
    }
    return examples.get(field.cpp_type, field.number + 2**20)


def golden(type: str, version: int, cls: type[Message]) -> dict[str, Any]:
    """Contents of a new golden file."""
    message = to_message(cls, example(cls.DESCRIPTOR))
    return {
        "type": type,
        "version": version,
        "message": cls.DESCRIPTOR.full_name,
        "fingerprint": fingerprint(cls.DESCRIPTOR),
        "payload": base64.b64encode(message.SerializeToString(deterministic=True)).decode(),
        "mapping": to_mapping(message),
    }


def add_missing() -> list[Path]:
    """Write the golden files that are missing; their paths."""
    added = []
    for type, version, cls in registered():
        path = path_of(type, version)
        if not path.exists():
            path.write_text(json.dumps(golden(type, version, cls), indent=2, ensure_ascii=False) + "\n")
            added.append(path)
    return added


if __name__ == "__main__":
    for path in add_missing():
        print(f"added {path.name}")
