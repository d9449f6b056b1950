"""A bot's node of transponder and tracks: its messages as values, and its services."""

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from math import nan
from pathlib import Path
from typing import Any, TypeVar

from nav_msgs.msg import Odometry

from qiki_console.graph.discovery import bots, require_bot, settle
from qiki_console.graph.messages import motion, named, vector
from qiki_console.graph.operator_log import operator, record_command
from qiki_console.graph.recorded import recorded
from qiki_console.graph.task_clock import TaskClock
from qiki_console.model import tracks as words
from qiki_console.model.command_id import command_id
from qiki_console.model.snapshot import Motion
from qiki_console.model.tracks import Track, TrackEvidence, Tracks
from qiki_console.model.transponder import GUARD_MODES, SEVERITIES, Alert, TransponderStatus
from qiki_msgs.msg import GuardAlert, GuardState, RadarTrack, RadarTracks, XpdrState
from qiki_node.errors import CommandError, UnreachableError
from qiki_node.qos import STATE, TELEMETRY
from qiki_node.run_file import keep_tracks
from qiki_node.service_type import ServiceType
from qiki_node.session import Session
from qiki_node.stamps import nanoseconds, seconds
from qiki_node.terminal import echo

Q = TypeVar("Q")
A = TypeVar("A")
M = TypeVar("M")

HINT = "./qiki ps shows the processes; a graph that was started with xpdr:=false has none: ./qiki up xpdr:=true"

_ODOMETRY = 1.0
"""s of wall time for a bot's odometry."""

_BACKLOG = 600
"""Frames that wait to be written at most: a minute of one bot."""

_AS_IS = (
    "id", "iff_reason", "transponder_id", "range", "bearing", "elevation", "radial_velocity", "snr", "rcs", "quality",
    "age", "silent", "misses", "cpa", "cpa_time",
)  # fmt: skip


def require_node(session: Session, bot: str) -> None:
    """Wait for a bot and its node of transponder and tracks.

    Raises:
        UnknownNameError, UnreachableError: the bot, or its node, is not there.
    """
    require_bot(session, bot)
    if not session.wait_for(lambda: bool(session.publishers(f"/{bot}/xpdr")), session.discovery):
        raise UnreachableError(f"{bot} has no node of transponder and tracks", HINT)


def watching(session: Session) -> list[str]:
    """Names of the bots with such a node, sorted.

    Raises:
        UnreachableError: there is none.
    """

    def found() -> list[str]:
        return [bot for bot in bots(session) if session.publishers(f"/{bot}/xpdr")]

    if not session.wait_for(lambda: bool(found()), session.discovery):
        raise UnreachableError("no bot has a node of transponder and tracks", HINT)
    settle(session)
    return found()


class TracksWatch:
    """The newest tracks of some bots.

    Raises:
        UnknownNameError, UnreachableError: a bot, or its node, is not there.
    """

    def __init__(self, session: Session, names: Sequence[str]) -> None:
        for bot in names:
            require_node(session, bot)
        self._session, self._clock = session, _clock(session)
        self._newest: dict[str, RadarTracks | None] = dict.fromkeys(names)
        self._arrived: deque[Tracks] | None = None
        self._dropped = 0
        for bot in names:
            session.subscribe(RadarTracks, f"/{bot}/tracks", partial(self._receive, bot), TELEMETRY)

    def wait(self) -> None:
        """Wait for tracks of each bot, as long as they may come."""
        session = self._session
        session.wait_for(lambda: all(message is not None for message in self._newest.values()), session.discovery)

    def tracks(self) -> dict[str, Tracks | None]:
        """The newest tracks of each bot; None: none have come."""
        newest, now = self._session.between_callbacks(lambda: (dict(self._newest), self._clock.now()))
        found = {bot: None if message is None else tracks(bot, message, now) for bot, message in newest.items()}
        for bot, shown in found.items():
            keep_tracks(bot, [track.id for track in shown.confirmed] if shown else [])
        return found

    def follow(self) -> Iterator[Tracks]:
        """The tracks of each frame from now on, without end. Those that the caller is too slow for are dropped, with a
        note."""
        arrived = self._arrived = deque(maxlen=_BACKLOG)
        while True:
            if self._session.wait_for(lambda: bool(arrived), 1.0):
                yield arrived.popleft()
            if self._dropped:
                echo(f"note: {self._dropped} frames were dropped: they are read too slowly", err=True)
                self._dropped = 0

    def _receive(self, bot: str, message: RadarTracks) -> None:
        self._newest[bot] = message
        if self._arrived is not None:
            self._dropped += len(self._arrived) == _BACKLOG
            self._arrived.append(tracks(bot, message, self._clock.now()))


def own_motion(session: Session, bot: str) -> Motion | None:
    """Motion of a bot; None where its odometry is silent."""
    received: list[Odometry] = []
    session.subscribe(Odometry, f"/{bot}/odom", received.append, TELEMETRY)
    session.wait_for(lambda: bool(received), min(session.discovery, _ODOMETRY))
    return motion(received[-1]) if received else None


def recorded_tracks(place: Path, bot: str) -> Iterator[Tracks]:
    """Tracks of a bot from a recording: an MCAP file, or all below a folder; their age is 0.

    Raises:
        CommandError: a file cannot be read, or there are no tracks.
    """
    found = False
    for message in recorded(place, f"/{bot}/tracks", RadarTracks):
        found = True
        yield tracks(bot, message, seconds(message.header.stamp))
    if not found:
        raise CommandError(f"recording {place}: no message of /{bot}/tracks in it")


def transponder(session: Session, bot: str) -> TransponderStatus:
    """State of a bot's transponder.

    Raises:
        UnknownNameError, UnreachableError: the bot, or its node, is not there or silent.
    """
    clock = _clock(session)
    message = _first(session, XpdrState, bot, "xpdr")
    now = clock.now()
    return TransponderStatus(
        id=message.id,
        mode=named(words.MODES, message.mode),
        effective=named(words.MODES, message.effective),
        shed=message.shed,
        power=message.power,
        armed_for=seconds(message.armed_until) - now if message.armed else nan,
        key=message.key if message.signing else "",
        group=message.group,
        checks_queued=message.checks_queued,
        checks_dropped=message.checks_dropped,
        refusals=dict(zip(message.refusals, map(int, message.refusal_counts), strict=False)),
        guard_mode=named(GUARD_MODES, message.guard_mode),
        age=now - seconds(message.header.stamp),
    )


def alerts(session: Session, names: Sequence[str]) -> tuple[dict[str, tuple[str, list[Alert]] | None], float]:
    """Guard mode and lasting alerts of each bot (None: none has come), and the time of now (s).

    Raises:
        UnknownNameError, UnreachableError: a bot, or its node, is not there.
    """
    for bot in names:
        require_node(session, bot)
    clock = _clock(session)
    newest: dict[str, GuardState] = {}
    for bot in names:
        session.subscribe(GuardState, f"/{bot}/guard", partial(newest.__setitem__, bot), STATE)
    session.wait_for(lambda: len(newest) == len(names), session.discovery)
    found: dict[str, tuple[str, list[Alert]] | None] = dict.fromkeys(names)
    for bot, message in newest.items():
        found[bot] = (named(GUARD_MODES, message.mode), list(map(_alert, message.alerts)))
    return found, clock.now()


def call(session: Session, bot: str, kind: ServiceType[Q, A], service: str, request: Q) -> A:
    """Response of a service of a bot's node of transponder and tracks. A request is sent once.

    Raises:
        UnknownNameError, UnreachableError: the bot, its node, or an answer is not there.
    """
    require_node(session, bot)
    return session.call(kind, f"/{bot}/xpdr/{service}", request)


def order(session: Session, bot: str, kind: ServiceType[Q, A], service: str, request: Q, *, verb: str) -> A:
    """Response to an order, which is recorded as the operator's.

    Args:
        request: of which command_id and user are filled in here. verb: as the operator gave it.

    Raises:
        see `call`.
    """
    require_node(session, bot)
    given: Any = request
    given.command_id = command_id()
    if hasattr(given, "user"):
        given.user = operator()
    arguments = {
        name: str(value)
        for name in given.get_fields_and_field_types()
        if (value := getattr(given, name)) and name not in ("command_id", "user", "code")
    }
    record_command(session, _clock(session).now(), given.command_id, verb, bot, **arguments)
    return call(session, bot, kind, service, request)


def tracks(bot: str, message: RadarTracks, now: float) -> Tracks:
    """Tracks of a message. now: s."""
    return Tracks(
        bot=bot,
        time_ns=nanoseconds(message.header.stamp),
        tracks=tuple(map(_track, message.tracks)),
        detections=message.detections,
        shed=message.shed,
        age=now - seconds(message.header.stamp),
    )


def _track(message: RadarTrack) -> Track:
    return Track(
        **{name: getattr(message, name) for name in _AS_IS},
        object_type=named(words.OBJECTS, message.object_type),
        iff=named(words.ALLEGIANCES, message.iff),
        transponder_mode=named(words.MODES, message.transponder_mode) if message.id_present else "",
        spoof=named(words.VERDICTS, message.spoof_state),
        evidence=tuple(
            TrackEvidence(one.channel, one.statistic, one.threshold, one.looks, one.text) for one in message.evidence
        ),
        position=vector(message.position),
        velocity=vector(message.velocity),
        status=named(words.STATUSES, message.status),
        band=named(words.BANDS, message.band),
        event_time_ns=nanoseconds(message.event_time),
        ingest_time_ns=nanoseconds(message.ingest_time),
    )


def _alert(message: GuardAlert) -> Alert:
    return Alert(
        rule=message.rule,
        severity=named(SEVERITIES, message.severity),
        effect=message.effect,
        track=message.track,
        transponder_id=message.transponder_id,
        iff=named(words.ALLEGIANCES, message.iff),
        spoof=named(words.VERDICTS, message.spoof_state),
        range=message.range,
        closing=message.closing,
        quality=message.quality,
        raised_ns=nanoseconds(message.raised),
    )


def _clock(session: Session) -> TaskClock:
    clock = TaskClock(session)
    clock.wait(session.discovery)
    return clock


def _first(session: Session, kind: type[M], bot: str, topic: str) -> M:
    require_node(session, bot)
    received: list[M] = []
    session.subscribe(kind, f"/{bot}/{topic}", received.append, STATE)
    if not session.wait_for(lambda: bool(received), session.discovery):
        hint = "qiki status shows which nodes are there and active"
        raise UnreachableError(f"/{bot}/{topic} is silent: is the node active?", hint)
    return received[-1]
