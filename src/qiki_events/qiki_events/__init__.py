"""The types of events of QIKI: schemas and their versions, payloads as bytes and mappings, projections."""

from qiki_events.errors import PayloadError
from qiki_events.message_reading import to_mapping
from qiki_events.message_writing import to_message
from qiki_events.projection import Projection, StoredEvent
from qiki_events.registry import JSON, PROTOBUF, Registry, Schema
from qiki_events.types import REGISTRY

__all__ = [
    "JSON",
    "PROTOBUF",
    "REGISTRY",
    "PayloadError",
    "Projection",
    "Registry",
    "Schema",
    "StoredEvent",
    "to_mapping",
    "to_message",
]
