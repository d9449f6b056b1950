"""The stream of commands: whether it flows, was refused, ran dry, or is not wanted."""

import math

from qiki_allocator.flight.telemetry import State


class CommandStream:
    """Keeps the allocator's state.

    Args:
        watchdog: s without a command after which the stream has run dry.

    Attributes:
        state: what the allocator is doing.
        refusal: why the last command was refused; empty if it was not.
        refused: commands refused so far.
        heard: s, time of the last command that was taken.
    """

    def __init__(self, watchdog: float) -> None:
        self.watchdog = watchdog
        self.refused = 0
        self.reset()

    def reset(self) -> None:
        """The clock was set back: no command was heard."""
        self.state = State.IDLE
        self.refusal = ""
        self.heard = -math.inf

    @property
    def is_active(self) -> bool:
        """Whether what is asked for is flown."""
        return self.state is State.ACTIVE

    def accept(self, now: float) -> None:
        """A command was taken."""
        self.heard = now
        self.refusal = ""
        self.state = State.ACTIVE

    def refuse(self, reason: str) -> None:
        """A command was refused; that does not feed the watchdog."""
        self.refused += 1
        self.refusal = reason
        if self.state in (State.IDLE, State.WATCHDOG):
            self.state = State.REFUSED

    def is_dry(self, now: float) -> bool:
        """Whether no command came for the watchdog's time."""
        return self.is_active and now - self.heard > self.watchdog

    def pause_left(self, now: float) -> float:
        """s for which a stopped stream must pause yet when a command comes now; 0: commands count."""
        if self.state is not State.STOPPED or now - self.heard > self.watchdog:
            return 0.0
        # Whoever goes on asking does not let the stream pause.
        self.heard = now
        return self.watchdog

    def resume(self) -> None:
        """End a stop."""
        if self.state is State.STOPPED:
            self.state = State.IDLE
