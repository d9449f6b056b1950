"""Options that several verbs share."""

from pathlib import Path

import click

from qiki_launch.errors import RunError
from qiki_launch.run.run_state import DEFAULT_FOLDER, FOLDER_VARIABLE, RunFolder, RunState

run_dir_option = click.option(
    "--run-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar=FOLDER_VARIABLE,
    default=DEFAULT_FOLDER,
    show_default=True,
    show_envvar=True,
    help="Where state, logs and parameter files of the run are kept.",
)


def read_state(folder: RunFolder) -> RunState | None:
    """State of a run directory, None where nothing ran there; a broken file is an error of the command."""
    try:
        return folder.read()
    except RunError as error:
        raise click.ClickException(str(error)) from error
