"""State as a fold over events: what a stream, or a set of streams, means at a moment."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from qiki_eventstore.events import RecordedEvent

S = TypeVar("S")


class Projection(Protocol[S]):
    """A pure fold. States are immutable values; equal events give equal states.

    Attributes:
        name: under which snapshots are kept.
        version: raised when `apply` or the state changes its meaning; snapshots of other versions are not used.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...

    def initial(self) -> S:
        """The state before any event."""

    def apply(self, state: S, event: RecordedEvent, data: Mapping[str, Any]) -> S:
        """The state after an event; `data` is its payload, upcast to the newest schema, as a mapping.

        An event type that the projection does not know leaves the state as it is.
        """

    def dump(self, state: S) -> Mapping[str, Any]:
        """The state as a mapping that JSON can hold, for a snapshot."""

    def load(self, data: Mapping[str, Any]) -> S:
        """The inverse of `dump`."""
