"""`python -m qiki_launch`."""

from qiki_launch.cli.main import main

main(prog_name="qiki_launch")
