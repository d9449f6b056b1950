"""The extent of the record: moments and ranges that lie outside of it."""

from dataclasses import replace

from qiki_eventstore.cli.times import iso_time, time_text
from qiki_eventstore.events import AtPosition, AtRecorded, AtTime, Moment, RecordedEvent
from qiki_eventstore.store import EventStore, Query

_BEGINNINGS = ("simulator.reset", "simulator.scenario_loaded")
"""Types of the events with which simulated time begins again."""

_BEFORE = "before the first event: nothing is known of this moment"
_AFTER = "after the last event: the state is that of the end of the record"


def outside(store: EventStore, stream: str, at: Moment | None) -> str | None:
    """Description of a moment before, after or between the events of the streams; None for one within the record."""
    match at:
        case AtTime(time):
            return _outside_time(store, Query(streams=(stream,)), time)
        case AtRecorded(time):
            until, since = Query(recorded_end=time + 1, streams=(stream,)), Query(recorded_start=time)
        case AtPosition(position):
            until, since = Query(before=position + 1, streams=(stream,)), Query(after=position - 1)
        case _:
            return None
    if not _any(store, until):
        return _BEFORE
    return None if _any(store, since) else _AFTER


def _outside_time(store: EventStore, bot: Query, time: int) -> str | None:
    if not _any(store, replace(bot, end=time + 1)):
        return _BEFORE
    beginning = _first(store, Query(types=_BEGINNINGS, end=time + 1, backwards=True))
    run = 0 if beginning is None else beginning.position
    if not _any(store, replace(bot, after=run, end=time + 1)):
        return f"before the first event of the run that began at position {run}: the state is that of the run before"
    if _any(store, replace(bot, after=run, start=time)):
        return None
    if _any(store, replace(bot, before=run, start=time)):
        return (
            f"after the last event of the run that began at position {run}: the state is that of the end of the record "
            "(--position selects a moment of a run before)"
        )
    return _AFTER


def nothing(store: EventStore, query: Query) -> str:
    """Reason why no event matches: where the times of the query exclude all, the extent of those that match without."""
    anytime = replace(query, start=None, end=None, recorded_start=None, recorded_end=None, limit=None, backwards=False)
    first, last = _first(store, anytime), _first(store, replace(anytime, backwards=True))
    if anytime == query or first is None or last is None:
        return "no event matches"
    if query.recorded_start is None and query.recorded_end is None:
        extent = f"event times {time_text(first.time)} to {time_text(last.time)}"
    else:
        extent = f"recorded {iso_time(first.recorded)} to {iso_time(last.recorded)}"
    return f"no event matches in that time; without it: {extent}, positions {first.position} to {last.position}"


def _any(store: EventStore, query: Query) -> bool:
    return _first(store, query) is not None


def _first(store: EventStore, query: Query) -> RecordedEvent | None:
    return next(iter(store.read_all(replace(query, limit=1))), None)
