"""Classes of message types by name."""

from importlib import import_module
from typing import Any


def message_class(type_name: str) -> Any:
    """Class of a type such as `nav_msgs/msg/Odometry`.

    Raises:
        ImportError, AttributeError: it is not installed.
        ValueError: that is not the name of a message type.
    """
    package, kind, name = type_name.split("/")
    return getattr(import_module(f"{package}.{kind}"), name)
