"""State as a fold over events: the meaning of a stream, or of a set of streams, at a moment."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol, TypeVar

S = TypeVar("S")


class StoredEvent(Protocol):
    """Attributes of a recorded event that a projection reads beside its payload.

    Attributes:
        position: global, ascending, from 1.
        stream: name of its stream.
        type: dotted name in the past tense.
        time: event time, ns since the epoch of the emitter's clock.
    """

    @property
    def position(self) -> int: ...

    @property
    def stream(self) -> str: ...

    @property
    def type(self) -> str: ...

    @property
    def time(self) -> int: ...


class Projection(Protocol[S]):
    """A pure fold. States are immutable values; equal events give equal states.

    Attributes:
        name: under which snapshots are kept.
        version: raised when `apply` or the state changes its meaning; snapshots of other versions are not used.
        types: types of events that change the state; reconstruction reads no others.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def types(self) -> Collection[str]: ...

    def initial(self) -> S:
        """The state before any event."""

    def apply(self, state: S, event: StoredEvent, data: Mapping[str, Any]) -> S:
        """The state after an event; `data` is its payload, upcast to the newest schema, as a mapping.

        A type of event that is not in `types` leaves the state as it is.
        """

    def dump(self, state: S) -> Mapping[str, Any]:
        """The state as a mapping that JSON can hold, for a snapshot."""

    def load(self, data: Mapping[str, Any]) -> S:
        """The inverse of `dump`."""
