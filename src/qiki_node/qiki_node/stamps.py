"""Conversions between builtin_interfaces/Time and plain numbers."""

from builtin_interfaces.msg import Time

from qiki_events.fields import MAX_TIME

SECOND = 1_000_000_000
"""ns"""

EARLIEST, LATEST = -(2**31) * SECOND, MAX_TIME
"""ns, the times that a stamp can hold: up to 2038-01-19T03:14:07.999999999Z."""


def seconds(stamp: Time) -> float:
    """s."""
    return float(stamp.sec) + 1e-9 * float(stamp.nanosec)


def nanoseconds(stamp: Time) -> int:
    """ns."""
    return int(stamp.sec) * SECOND + int(stamp.nanosec)


def from_seconds(value: float) -> Time:
    """Stamp of a time in s, to the nearest ns.

    Raises:
        ValueError: see `set_nanoseconds`, or the time is not finite.
    """
    try:
        return from_nanoseconds(round(value * SECOND))
    except (OverflowError, ValueError):
        allowed = f"{EARLIEST // SECOND} to {(LATEST + 1) // SECOND} s"
        raise ValueError(f"time: {value!r} s cannot be a stamp; allowed: {allowed}") from None


def from_nanoseconds(value: int) -> Time:
    """Stamp of a time in ns.

    Raises:
        ValueError: see `set_nanoseconds`.
    """
    stamp = Time()
    set_nanoseconds(stamp, value)
    return stamp


def nearest(value: int) -> Time:
    """Stamp that is nearest to a time in ns: for a bound, or to show a time that was made elsewhere."""
    return from_nanoseconds(min(max(value, EARLIEST), LATEST))


def set_nanoseconds(stamp: Time, value: int) -> None:
    """Set a stamp to a time in ns.

    Raises:
        ValueError: it is beyond the range of stamps; names the value.
    """
    if not EARLIEST <= value <= LATEST:
        raise ValueError(f"time: {value} ns cannot be a stamp; allowed: {EARLIEST} to {LATEST}")
    stamp.sec, stamp.nanosec = divmod(value, SECOND)
