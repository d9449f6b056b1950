"""`python -m qiki_console`."""

from qiki_console.cli.main import main

main()
