"""`qiki dock report`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qiki_node.errors import CommandError, RefusedError
from qiki_node.terminal import echo, make_console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qiki_console.model.dock_report import Sample
    from qiki_vehicle.docking import ContactLimits

_RECORDINGS = Path("recordings")


@click.command()
@click.argument("docking_id", required=False, metavar="[ID]")
@click.option(
    "--recording",
    type=click.Path(exists=True, path_type=Path),
    help="MCAP file, or folder of recordings, for the plot; default: ./recordings if there is one.",
)
@click.option("--vehicle", default="dodecahedron", show_default=True, help="File with the contact box's limits.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def report(docking_id: str | None, *, recording: Path | None, vehicle: str, as_json: bool) -> None:
    """Report of a docking, from its events: ID as `qiki dock` shows it; without it, the last one.

    Margins of the seven quantities at contact, propellant, energy, plume impulse, time per phase, checks, refusals, and
    a plot of range, closing rate and lateral offset where a recording has them.
    """
    from qiki_console.graph.docking_events import docking_events
    from qiki_console.model.dock_report import dock_report
    from qiki_node.session import Session

    box = _box(vehicle)
    with Session("console") as session:
        found = dock_report(*docking_events(session, docking_id))
    samples, no_plot = _samples(recording, found.body, found.docking_id)
    if as_json:
        from qiki_console.model.dock_report import values
        from qiki_node.json_text import to_json

        echo(to_json(values(found, samples)))
        return
    from qiki_console.model.dock_report_screen import dock_report_screen
    from qiki_node.terminal import printable_values

    make_console(120).print(dock_report_screen(printable_values(found), box, samples, no_plot))


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
