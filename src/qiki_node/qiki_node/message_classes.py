"""Generated message classes by type name."""

from importlib import import_module
from typing import Any, Final

_INSIDE: Final = {
    ("action", "_FeedbackMessage"): ("Impl", "FeedbackMessage"),
    ("action", "_SendGoal_Event"): ("Impl", "SendGoalService", "Event"),
    ("action", "_GetResult_Event"): ("Impl", "GetResultService", "Event"),
    ("srv", "_Event"): ("Event",),
}
"""Messages of hidden topics: where the class of an action or service has theirs."""


class UnknownTypeError(LookupError):
    """The type's package is not in this environment, or has no such type."""


def message_class(type_name: str) -> Any:
    """Class of a type such as `nav_msgs/msg/Odometry`, also of an action's feedback and of the events of a service.

    Raises:
        UnknownTypeError: names the type and the reason.
    """
    try:
        package, kind, name = type_name.split("/")
        found = import_module(f"{package}.{kind}")
        for (of, suffix), path in _INSIDE.items():
            if kind == of and name.endswith(suffix):
                found = getattr(found, name.removesuffix(suffix))
                for part in path:
                    found = getattr(found, part)
                return found
        return getattr(found, name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UnknownTypeError(f"type: {type_name!r} is not known here ({error})") from error
