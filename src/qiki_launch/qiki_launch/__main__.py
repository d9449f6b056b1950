"""`python -m qiki_launch`."""

from qiki_launch.cli.main import main

# The variable by which a shell's completion of `qiki` asks.
main(prog_name="qiki_launch", complete_var="_QIKI_COMPLETE")
