"""`python -m qiki_launch`."""

from qiki_launch.cli import main

main(prog_name="qiki_launch")
