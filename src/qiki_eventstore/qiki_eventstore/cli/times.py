"""Times in ns, as options take them and as output shows them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_SECOND: Final = 10**9
_EARLIEST, _LATEST = -(2**63), 2**63 - 1
"""ns from 1970: all that an event can have, years 1677 to 2262."""

_SIMULATED = 10**9
"""s: a time before September 2001 is that of a simulation."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS = re.compile(r"(-?)(\d+)(?:\.(\d{1,9}))?", re.ASCII)
_ISO = re.compile(
    r"(?P<date>\d[\dW-]+)[Tt ](?P<clock>\d\d(:?\d\d(:?\d\d)?)?)([.,](?P<fraction>\d+))?"
    r"(?P<zone>[Zz]|[+-]\d\d(:?\d\d(:?\d\d)?)?)",
    re.ASCII,
)


def parse_time(text: str) -> int:
    """Time of seconds of a clock (`12.5`) or of ISO 8601 with a zone, to the nanosecond.

    A time that no event can have becomes the nearest one that it can.

    Raises:
        ValueError: it is neither; gives the reason.
    """
    if match := _SECONDS.fullmatch(text):
        sign, whole, fraction = match.groups()
        nanoseconds = int(whole) * _SECOND + int((fraction or "").ljust(9, "0"))
        nanoseconds = -nanoseconds if sign else nanoseconds
    else:
        nanoseconds = _of_iso(text)
    return min(max(nanoseconds, _EARLIEST), _LATEST)


def _of_iso(text: str) -> int:
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError("seconds such as 12.5, or ISO 8601 with a zone such as 2026-05-01T12:00:00Z")
    date, clock, fraction, zone = match.group("date", "clock", "fraction", "zone")
    if fraction is not None and (len(fraction) > 9 or len(clock) < 6):
        raise ValueError("a fraction of seconds, of at most 9 digits")
    # datetime would cut the fraction off after six digits.
    moment = datetime.fromisoformat(f"{date}T{clock}{zone.upper()}")
    return (moment - _EPOCH) // timedelta(seconds=1) * _SECOND + int((fraction or "").ljust(9, "0"))


def iso_time(nanoseconds: int) -> str:
    """ISO 8601 in UTC, to the nanosecond. Simulated times count from 1970."""
    seconds, rest = divmod(nanoseconds, _SECOND)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def time_text(nanoseconds: int) -> str:
    """A time for people: simulated time in seconds, any other in ISO 8601 to the millisecond."""
    if abs(nanoseconds) < _SIMULATED * _SECOND:
        return f"{nanoseconds / 1e9:.3f}"
    return f"{iso_time(nanoseconds)[:-7]}Z"


def json_time(name: str, nanoseconds: int | None) -> dict[str, Any]:
    """A time for other programs: a number, the same as text, since many programs round beyond 2**53, and ISO 8601."""
    known = nanoseconds is not None
    return {
        f"{name}_ns": nanoseconds,
        f"{name}_ns_text": str(nanoseconds) if known else None,
        f"{name}_iso": iso_time(nanoseconds) if nanoseconds is not None else None,
    }


_TIMES = frozenset({"accepted", "changed", "ended", "issued", "last_stop", "sampled", "started", "time"})
"""Fields of dumped projections that hold a time in ns."""


def times_for_programs(dumped: Any) -> Any:
    """A dumped projection with each of its times as text and in ISO 8601 too: `ended_text`, `ended_iso`."""

    def more(name: str, item: Any) -> dict[str, Any]:
        if name in _TIMES and isinstance(item, int):
            return {name: item, f"{name}_text": str(item), f"{name}_iso": iso_time(item)}
        return {name: times_for_programs(item)}

    if isinstance(dumped, Mapping):
        return {key: value for name, item in dumped.items() for key, value in more(name, item).items()}
    return [times_for_programs(item) for item in dumped] if isinstance(dumped, list) else dumped


def times_for_people(dumped: Any) -> Any:
    """A dumped projection with its times as `time_text`."""
    if isinstance(dumped, Mapping):
        return {
            name: time_text(item) if name in _TIMES and isinstance(item, int) else times_for_people(item)
            for name, item in dumped.items()
        }
    return [times_for_people(item) for item in dumped] if isinstance(dumped, list) else dumped
