"""Ports of one body, each reserved for one partner at a time."""

from collections.abc import Iterable


class PortReservations:
    """Leases of ports. A holder that falls silent loses its port when the lease is over.

    Args:
        ports: names.
        lease: s, > 0.
    """

    def __init__(self, ports: Iterable[str], lease: float) -> None:
        self._lease = lease
        self._held: dict[str, tuple[str, float] | None] = dict.fromkeys(ports)

    def reserve(self, port: str, holder: str, now: float) -> bool:
        """Reserve or renew; false: another one holds it.

        Raises:
            KeyError: there is no such port.
        """
        if self.holder(port, now) not in ("", holder):
            return False
        self._held[port] = (holder, now)
        return True

    def release(self, port: str, holder: str, now: float) -> bool:
        """End the lease; false: another one holds it.

        Raises:
            KeyError: there is no such port.
        """
        if self.holder(port, now) not in ("", holder):
            return False
        self._held[port] = None
        return True

    def holder(self, port: str, now: float) -> str:
        """Name of the holder; empty: the port is free.

        Raises:
            KeyError: there is no such port.
        """
        if port not in self._held:
            raise KeyError(f"port = {port!r}: allowed: {', '.join(self._held)}")
        held = self._held[port]
        if held is None:
            return ""
        if now < held[1]:
            # A clock that was set back begins the lease again.
            held = self._held[port] = (held[0], now)
        return held[0] if now - held[1] <= self._lease else ""
