"""Message classes by the name of their type."""

from importlib import import_module
from typing import Any

from qiki_console.errors import ConsoleError


def message_class(name: str) -> Any:
    """The generated class of a type such as ``nav_msgs/msg/Odometry``.

    Raises:
        ConsoleError: the type's package is not in this environment, or has no such type.
    """
    package, _, rest = name.partition("/")
    kind, _, type_name = rest.partition("/")
    try:
        return getattr(import_module(f"{package}.{kind}"), type_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConsoleError(
            f"type: {name!r} is not known here ({error})",
            hint="run the console in the environment that holds the package of this message",
        ) from error
