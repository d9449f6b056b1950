"""Generated message classes by type name."""

from importlib import import_module
from typing import Any


class UnknownTypeError(LookupError):
    """The type's package is not in this environment, or has no such type."""


def message_class(type_name: str) -> Any:
    """Class of a type such as `nav_msgs/msg/Odometry`.

    Raises:
        UnknownTypeError: names the type and the reason.
    """
    try:
        package, kind, name = type_name.split("/")
        return getattr(import_module(f"{package}.{kind}"), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UnknownTypeError(f"type: {type_name!r} is not known here ({error})") from error
