"""Command line: `python -m qiki_launch VERB`."""

import click

from qiki_launch.cli.down import down
from qiki_launch.cli.launch import launch
from qiki_launch.cli.logs import logs
from qiki_launch.cli.ps import ps
from qiki_node.terminal import prepare_streams
from qiki_node.verb_group import VerbGroup


@click.group(cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run ROS 2 YAML launch files where ROS 2's own launch is not installed, and look after the processes."""
    prepare_streams()


for verb in (launch, ps, logs, down):
    main.add_command(verb)
