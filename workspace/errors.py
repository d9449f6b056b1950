"""The one exception that ends `./qiki` with a message instead of a traceback."""


class WorkspaceError(Exception):
    """Something the user can act on; the text says what and how."""
