"""Base of all projections: a state and a handler for each type of event."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

from pydantic import TypeAdapter

from qiki_events.projection import StoredEvent

S = TypeVar("S")

Handler: TypeAlias = Callable[[S, StoredEvent, Mapping[str, Any]], S]


class Fold(Generic[S]):
    """A projection; see `qiki_events.projection.Projection`.

    Args:
        name: under which snapshots are kept.
        version: raised when a handler or the state changes its meaning.
        state: a frozen dataclass of values that JSON can hold; made without arguments it is the state before any event.
        handlers: by type of event.
    """

    def __init__(self, name: str, version: int, state: type[S], handlers: Mapping[str, Handler[S]]) -> None:
        self._name = name
        self._version = version
        self._state = state
        self._handlers = dict(handlers)

    @cached_property
    def _adapter(self) -> TypeAdapter[S]:
        return TypeAdapter(self._state)

    @property
    def name(self) -> str:
        """Under which snapshots are kept."""
        return self._name

    @property
    def version(self) -> int:
        """Snapshots of other versions are not used."""
        return self._version

    @property
    def types(self) -> tuple[str, ...]:
        """Types of events that change the state; all others leave it as it is."""
        return tuple(self._handlers)

    def initial(self) -> S:
        """The state before any event."""
        return self._state()

    def apply(self, state: S, event: StoredEvent, data: Mapping[str, Any]) -> S:
        """The state after an event."""
        handler = self._handlers.get(event.type)
        return state if handler is None else handler(state, event, data)

    def dump(self, state: S) -> Mapping[str, Any]:
        """The state as JSON can hold it."""
        dumped: Mapping[str, Any] = self._adapter.dump_python(state, mode="json")
        return dumped

    def load(self, data: Mapping[str, Any]) -> S:
        """The inverse of `dump`.

        Raises:
            ValueError: this is no dumped state.
        """
        return self._adapter.validate_python(data)
