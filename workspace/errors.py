"""The one exception that ends `./qiki` with a message instead of a traceback."""


class WorkspaceError(Exception):
    """A problem that the user can solve; the text names it and the remedy."""
