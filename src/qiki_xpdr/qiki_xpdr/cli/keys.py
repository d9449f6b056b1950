"""`qiki keys create`, `list`, `rotate`, `revoke`: key files of the bots' transponders."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from qiki_node.errors import CommandError, RefusedError, UnknownNameError
from qiki_node.json_text import to_json
from qiki_node.run_file import run_folder
from qiki_node.terminal import echo, printable
from qiki_node.verb_group import VerbGroup
from qiki_vehicle import ConfigurationError
from qiki_vehicle.keys import ALWAYS, Timed
from qiki_xpdr.custody import Custody
from qiki_xpdr.holdings import Holding

F = TypeVar("F", bound=Callable[..., Any])
_ROW: Final = "{:<12} {:<24} {:<16} {:<9} {:>12} {:>12}"


class _Seconds(click.ParamType[float]):
    """s of the clock that the bots share."""

    name = "SECONDS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(value)
        except ValueError:
            seconds = float("nan")
        if not abs(seconds) <= ALWAYS:
            self.fail(f"{value!r} is not allowed; allowed: {-ALWAYS:g} to {ALWAYS:g} s", param, ctx)
        return seconds


_folder = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with a folder for each bot.  [default: $QIKI_RUN_DIR/xpdr]",
)
_until = click.option("--until", type=_Seconds(), default=ALWAYS, help="End of the new keys' time.  [default: none]")


@click.group(cls=VerbGroup)
def keys() -> None:
    """Key files of the transponders: create, list, rotate, revoke.

    A bot has own.yaml (its id and the keys that sign), group.yaml (secrets of the group) and ring.yaml (public keys of
    all), in the folder from which its node xpdr reads them; a running node takes changes within a second. Times are
    seconds of the clock that the bots share: simulated time as `qiki status` shows it, else seconds since 1970.
    """


@keys.command()
@click.argument("bots", nargs=-1, required=True, metavar="BOT...")
@_until
@_folder
def create(bots: tuple[str, ...], until: float, folder: Path | None) -> None:
    """Make the key files of bots that have none. They join the group that is in the folder."""
    with _errors():
        found = _custody(folder).create(bots, until)
    _report(found, bots)


@keys.command()
@click.argument("bots", nargs=-1, metavar="[BOT...]")
@click.option("--at", type=_Seconds(), required=True, help="Time from which the new key signs.")
@click.option(
    "--overlap", type=_Seconds(), default=60.0, show_default=True, help="Seconds for which the old keys stay valid."
)
@click.option("--group", "secret", is_flag=True, help="Rotate the secret of the group, too.")
@_until
@_folder
def rotate(
    bots: tuple[str, ...], *, at: float, overlap: float, secret: bool, until: float, folder: Path | None
) -> None:
    """Give bots a further key, the id stays. A bot that was revoked is back with it."""
    if not bots and not secret:
        raise RefusedError("BOT: none, and no --group; allowed: one of both")
    with _errors():
        custody = _custody(folder)
        _known(custody, bots)
        found = custody.rotate(bots, at=at, overlap=overlap, valid_until=until, secret=secret)
    _report(found, bots)


@keys.command()
@click.argument("names", nargs=-1, required=True, metavar="BOT|ID|KEY...")
@_folder
def revoke(names: tuple[str, ...], folder: Path | None) -> None:
    """Revoke all keys of a bot, or of an id, or one key by its id.

    The others get another secret of the group at once: one without a valid key knows the old one.
    """
    with _errors():
        found = _custody(folder).revoke(names)
    _report(found, ())


@keys.command("list")
@click.argument("bots", nargs=-1, metavar="[BOT...]")
@click.option("--at", type=_Seconds(), help="Time for which validity is shown.")
@click.option("--json", "as_json", is_flag=True, help="JSON, one line per bot.")
@_folder
def list_keys(bots: tuple[str, ...], *, at: float | None, as_json: bool, folder: Path | None) -> None:
    """Keys with their validity, and the problems of the files; no secrets. Exit code 1: there are problems."""
    with _errors():
        custody = _custody(folder)
        _known(custody, bots)
        found = [one for one in custody.holdings() if not bots or one.bot in bots]
    if as_json:
        for one in found:
            echo(to_json(_record(one, at)))
    elif not found:
        echo(f"no key files in {printable(str(custody.root))}")
    else:
        _show(found, at)
    if any(one.problems for one in found):
        raise CommandError("key files have problems", "create, rotate and revoke write all rings again")


def _custody(folder: Path | None) -> Custody:
    return Custody(run_folder() / "xpdr" if folder is None else folder)


def _known(custody: Custody, bots: tuple[str, ...]) -> None:
    there = custody.bots
    for bot in bots:
        if bot not in there:
            raise UnknownNameError("bot", bot, there, "qiki keys create makes its files")


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except ConfigurationError as error:
        raise RefusedError(" | ".join(str(error).splitlines())) from error
    except OSError as error:
        raise CommandError(f"{error.filename or 'folder'}: {error.strerror or error}") from error


def _report(found: tuple[Holding, ...], bots: tuple[str, ...]) -> None:
    _show([one for one in found if not bots or one.bot in bots], None)


def _show(found: list[Holding], at: float | None) -> None:
    echo(_ROW.format("bot", "id", "key", "state", "from", "until").rstrip())
    for one in found:
        record = _record(one, at)
        for key in record["keys"]:
            echo(_ROW.format(one.bot, record["id"], *_cells(key)))
        for key in record["group"]:
            echo(_ROW.format(one.bot, "(group)", *_cells(key)))
        for problem in one.problems:
            echo(f"{one.bot:<12} problem: {printable(problem)}")


def _cells(key: dict[str, Any]) -> tuple[str, ...]:
    times = ("-" if key[name] is None else f"{key[name]:.3f}" for name in ("valid_from", "valid_until"))
    return (key["key"], key["state"], *times)


def _record(one: Holding, at: float | None) -> dict[str, Any]:
    own, ring = one.own, one.ring
    revoked = set() if ring is None else set(ring.revoked)
    signing = None if own is None or at is None else own.newest(at)
    rows = []
    for number, (id, key) in enumerate(zip(one.key_ids, () if own is None else own.keys, strict=True)):
        state = "REVOKED" if id in revoked else "SIGNS" if number == signing else _state(key, at)
        rows.append(_row(id, key, state))
    group = () if one.group is None else one.group.keys
    return {
        "bot": one.bot,
        "id": None if own is None else own.identity,
        "keys": rows,
        "group": [_row(key.group_id.hex(), key, _state(key, at)) for key in group],
        "members": [] if ring is None else list(ring.members),
        "revoked": sorted(revoked),
        "foes": [] if ring is None else list(ring.foes),
        "problems": list(one.problems),
    }


def _row(id: str, key: Timed, state: str) -> dict[str, Any]:
    times = {"valid_from": key.valid_from, "valid_until": key.valid_until}
    return {"key": id, "state": state} | {name: None if abs(at) >= ALWAYS else at for name, at in times.items()}


def _state(key: Timed, at: float | None) -> str:
    """VALID, FUTURE or EXPIRED; TIMED: it depends on the time, which is not given."""
    if at is None:
        return "VALID" if key.valid(-ALWAYS) and key.valid(ALWAYS) else "TIMED"
    return "VALID" if key.valid(at) else "FUTURE" if at < key.valid_from else "EXPIRED"
