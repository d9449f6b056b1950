"""`python -m qiki_console`."""

from qiki_console.cli import main

main()
