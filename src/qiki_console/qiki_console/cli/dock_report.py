"""`qiki dock report`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qiki_node.errors import CommandError, RefusedError, UnknownNameError
from qiki_node.terminal import echo, make_console

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qiki_console.model.dock_report import DockReport, EventReader, Happening, Sample
    from qiki_vehicle.docking import ContactLimits

_RECORDINGS = Path("recordings")

_LISTED = 20
"""Dockings that an error names."""


@click.command()
@click.argument("docking_id", required=False, metavar="[ID]")
@click.option(
    "--recording",
    type=click.Path(exists=True, path_type=Path),
    help="MCAP file, or folder of recordings, for the plot; default: ./recordings if there is one.",
)
@click.option("--vehicle", default="dodecahedron", show_default=True, help="File with the contact box's limits.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
@click.option(
    "--store",
    "url",
    metavar="URL",
    help="A store itself (sqlite:///path, path.db or postgresql://…) instead of the graph's.",
)
def report(docking_id: str | None, *, recording: Path | None, vehicle: str, as_json: bool, url: str | None) -> None:
    """Report of a docking, from its events: ID as `qiki dock` shows it; without it, the last one.

    Margins of the seven quantities at contact, propellant, energy, plume impulse, time per phase, checks, refusals, and
    a plot of range, closing rate and lateral offset where a recording has them.
    """
    from qiki_console.graph.store_events import GraphEvents
    from qiki_node.session import Session

    box = _box(vehicle)
    if url is not None:
        found = _found(_store_events(url), docking_id)
    else:
        with Session("console") as session:
            found = _found(GraphEvents(session), docking_id)
    samples, no_plot = _samples(recording, found.body, found.docking_id)
    if as_json:
        from qiki_console.model.dock_report import values
        from qiki_node.json_text import to_json

        echo(to_json(values(found, samples)))
        return
    from qiki_console.model.dock_report_screen import dock_report_screen
    from qiki_node.terminal import printable_values

    make_console(120).print(dock_report_screen(printable_values(found), box, samples, no_plot))


def _found(read: "EventReader", docking_id: str | None) -> "DockReport":
    from qiki_console.model.dock_report import dock_report, find_docking

    found = find_docking(read, docking_id)
    if isinstance(found, list):
        if docking_id is None:
            raise CommandError("no docking is recorded")
        raise UnknownNameError("docking", docking_id, found[:_LISTED])
    name, stream = found
    return dock_report(name, stream, read(["docking.*"], stream, backwards=False))


def _store_events(url: str) -> "EventReader":
    """Reader of a store itself, by the verb `events query`: the console knows no kinds of stores."""
    import json

    from qiki_console.cli.calls import output_of
    from qiki_console.model.dock_report import Happening

    def read(types: list[str], stream: str, *, backwards: bool) -> "Iterator[Happening]":
        words = [*(f"--type={name}" for name in types), *([f"--stream={stream}"] if stream else [])]
        words += ["--backwards"] if backwards else []
        for line in output_of("events", "query", "--json", f"--store={url}", *words):
            event = json.loads(line)
            if reason := event["payload"].get("unreadable"):
                raise CommandError(f"event {event['id']} of {event['stream']} cannot be read: {reason}")
            yield Happening(event["type"], event["stream"], event["time_ns"], event["payload"])

    return read


def _box(vehicle: str) -> "ContactLimits":
    from qiki_node.shared_files import shared_file
    from qiki_vehicle import ConfigurationError, Vehicle

    try:
        return Vehicle.from_file(shared_file("--vehicle", vehicle, "vehicles")).docking.contact_box
    except LookupError as error:
        raise CommandError(str(error)) from error
    except ConfigurationError as error:
        raise RefusedError(f"--vehicle: {vehicle!r}: {error}") from error


def _samples(recording: Path | None, body: str, docking_id: str) -> tuple["Sequence[Sample]", str]:
    """Samples of the motion, and the reason for which there are none."""
    place = recording or _RECORDINGS
    if not place.exists():
        return (), f"no recording is given, and there is no folder {_RECORDINGS}; events have no samples of the motion"
    from qiki_console.graph.docking_recording import recorded_samples

    return recorded_samples(place, body, docking_id), f"no recording in {place} has /{body}/docking of it"
