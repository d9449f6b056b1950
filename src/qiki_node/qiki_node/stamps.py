"""Conversions between builtin_interfaces/Time and plain numbers."""

from builtin_interfaces.msg import Time

SECOND = 1_000_000_000
"""ns"""


def seconds(stamp: Time) -> float:
    """s."""
    return float(stamp.sec) + 1e-9 * float(stamp.nanosec)


def nanoseconds(stamp: Time) -> int:
    """ns."""
    return int(stamp.sec) * SECOND + int(stamp.nanosec)


def from_seconds(value: float) -> Time:
    """Stamp of a time in s, to the nearest ns."""
    return from_nanoseconds(round(value * SECOND))


def from_nanoseconds(value: int) -> Time:
    """Stamp of a time in ns; see `set_nanoseconds`."""
    stamp = Time()
    set_nanoseconds(stamp, value)
    return stamp


def set_nanoseconds(stamp: Time, value: int) -> None:
    """Set a stamp to a time in ns. Seconds outside of -2**31 to 2**31 - 1 become the nearest that it can hold."""
    whole, rest = divmod(value, SECOND)
    stamp.sec, stamp.nanosec = min(max(whole, -(2**31)), 2**31 - 1), rest
