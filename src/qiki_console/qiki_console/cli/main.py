"""The program `qiki`: its options, its end on signals, its output."""

import io
import os
import signal
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

import click

from qiki_console.cli.install_completion import SHELLS, VARIABLE, install_completion
from qiki_console.cli.verbs import Verbs
from qiki_node.errors import CommandError
from qiki_node.terminal import READER_GONE, drop_output, echo, prepare_streams


def _version() -> str:
    try:
        return version("qiki_console")
    except PackageNotFoundError:
        return "unknown"


def _show_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        echo(f"qiki {_version()}")
        ctx.exit()


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done, 1 failed, 2 refused or bad usage, 3 not reachable, "
    f"{READER_GONE} the reader of the output is gone.",
)
@click.option(
    "--version", is_flag=True, callback=_show_version, expose_value=False, is_eager=True, help="Show the version."
)
@click.option(
    "--install-completion",
    type=click.Choice(("auto", *SHELLS)),
    is_flag=False,
    flag_value="auto",
    callback=install_completion,
    expose_value=False,
    is_eager=True,
    help="Complete verbs, bots, topics and nodes in this shell, or in the one named.",
)
def cli() -> None:
    """Operate QIKI's bots."""


def _keep_output_clean() -> None:
    """Redirect output of Fast DDS from standard output to standard error: it would break the reader of JSON lines."""
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and out.fileno() == 1:
        with suppress(OSError):  # there is no standard error
            own = os.fdopen(os.dup(1), "wb")
            os.dup2(2, 1)
            sys.stdout = io.TextIOWrapper(
                own,
                encoding=out.encoding,
                errors=out.errors,
                line_buffering=out.line_buffering,
                write_through=out.write_through,
            )


def main() -> None:
    """Entry point of `qiki` and of `python -m qiki_console`."""
    # SIGTERM ends like Ctrl-C: in order, with a zero wrench where one is due and without leaving shared memory. SIGINT
    # too where it is ignored, as in a background job of a script.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    prepare_streams()
    _keep_output_clean()
    try:
        code = _run()
    except KeyboardInterrupt:  # while an error, or the end by another one, is being shown
        code = 1
    sys.exit(code)


def _run() -> int:
    """Exit code of the command; errors are shown."""
    try:
        code = cli.main(prog_name="qiki", standalone_mode=False, complete_var=VARIABLE)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        with suppress(OSError):
            sys.stdout.flush()
            return error.exit_code
        drop_output()
        return error.exit_code
    except click.Abort:
        echo("aborted", err=True)
        return 1
    except OSError as error:
        # Such as a full disk behind the output, or a file that may not be written.
        CommandError(str(error)).show()
        drop_output()
        return 1
