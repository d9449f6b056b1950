"""Services of the docking node. Each answers with success, or with the reason of the refusal."""

from collections.abc import Callable
from typing import Any

from qiki_docking.bridge.values import Role
from qiki_docking.reasons import Reason
from qiki_docking.ros.host import Host, NotReadyError
from qiki_docking.values import Answer, Profile
from qiki_events.fields import check_name
from qiki_msgs.srv import ReleaseDock, ResetDocking, SetBridge, Undock


class Services:
    """Services of a docking node.

    Args:
        arm_time: s for which an emergency release stays armed.
    """

    def __init__(self, node: Host, arm_time: float) -> None:
        self._node, self._arm_time = node, arm_time
        served: list[tuple[Any, str, Callable[[Any], Answer]]] = [
            (Undock, "undock", lambda request: node.core.undock(node.seconds(), request.port)),
            (ReleaseDock, "release", self._release),
            (SetBridge, "set_bridge", self._set_bridge),
            (ResetDocking, "reset", lambda _: node.core.reset(node.seconds())),
        ]
        for kind, name, do in served:
            node.create_service(kind, f"~/{name}", self._answered(do))

    def _answered(self, do: Callable[[Any], Answer]) -> Callable[[Any, Any], Any]:
        def answer(request: Any, response: Any) -> Any:
            try:
                if request.command_id:
                    check_name("command_id", request.command_id)
                given = do(request)
            except NotReadyError as error:
                given = Answer(False, Reason.UNCONFIRMED, str(error))
            except ValueError as error:
                given = Answer(False, Reason.WRONG_ORDER, str(error))
            self._node.ordered(request.command_id, accepted=given.accepted)
            response.success, response.message = given.accepted, given.text
            if isinstance(response, ReleaseDock.Response):
                response.code, response.seconds = given.code, self._arm_time if given.code else 0.0
            else:
                response.code = int(given.reason)
            return response

        return answer

    def _release(self, request: Any) -> Answer:
        core, now = self._node.core, self._node.seconds()
        return core.release(request.code, now, request.port) if request.code else core.arm_release(now, request.port)

    def _set_bridge(self, request: Any) -> Answer:
        profile = _choice("profile", request.profile, Profile)
        role = _choice("role", request.role, Role)
        if profile is None and role is None:
            raise ValueError("profile, role: both empty; allowed: one of them given")
        return self._node.core.set_bridge(self._node.seconds(), port=request.port, profile=profile, role=role)


def _choice(field: str, value: str, choices: Any) -> Any:
    """The choice of a text; None: it is empty."""
    try:
        return choices(value) if value else None
    except ValueError:
        raise ValueError(f"{field}: {value!r}; allowed: {', '.join(choices)}, or empty") from None
