"""Services of the allocator node. Each answers with success, or with the reason of the refusal."""

from collections.abc import Callable
from typing import Any

import numpy as np
from std_srvs.srv import Trigger

from qiki_allocator.checks import RefusalError
from qiki_allocator.ros import conversions
from qiki_allocator.ros.host import Host
from qiki_msgs.srv import ListGroups, SetAllocatorMode, SetAttitudeMode, SetModulator, SetThrusterHealth

_MODES = {number: mode for mode, number in conversions.MODES.items()}
_NO_TARGET = ((0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0, 0.0))
_ATTITUDE_MODES = {number: mode for mode, number in conversions.ATTITUDE_MODES.items()}


class Services:
    """Services of an allocator node."""

    def __init__(self, node: Host) -> None:
        self._node = node
        served: list[tuple[type, str, Callable[[Any], str]]] = [
            (Trigger, "~/stop", self._stop),
            (Trigger, "~/brake", self._brake),
            (SetAllocatorMode, "~/set_mode", self._set_mode),
            (SetAttitudeMode, "~/set_attitude_mode", self._set_attitude_mode),
            (SetModulator, "~/set_modulator", self._set_modulator),
            (SetThrusterHealth, "~/set_thruster_health", self._set_health),
        ]
        for kind, name, do in served:
            node.create_service(kind, name, self._answered(name[2:], do))
        node.create_service(ListGroups, "~/list_groups", self._list_groups)

    def _answered(self, name: str, do: Callable[[Any], str]) -> Callable[[Any, Any], Any]:
        def answer(request: Any, response: Any) -> Any:
            try:
                response.success, response.message = True, do(request)
            except RefusalError as error:
                self._refuse(name, str(error))
                response.success, response.message = False, str(error)
            return response

        return answer

    def _refuse(self, request: str, reason: str) -> None:
        self._node.controller.journal.request_refused(self._node.seconds(), request, reason)
        self._node.report()

    def _check_active(self) -> None:
        if not self._node.is_active:
            raise RefusalError("the node is not active: its valves are closed")

    def _stop(self, _request: Any) -> str:
        self._check_active()
        self._node.act(self._node.controller.stop(self._node.seconds()))
        self._node.log.info("stopped by service")
        return "valves closed; commands count again after a pause or a set_mode"

    def _brake(self, _request: Any) -> str:
        self._check_active()
        self._node.check_clock()
        self._node.act(self._node.controller.brake(self._node.seconds()))
        self._node.log.info("brake by service")
        return "braking; it ends at rest, or by stop"

    def _set_mode(self, request: Any) -> str:
        mode = _choice("mode", request.mode, _MODES)
        self._node.act(self._node.controller.set_mode(self._node.seconds(), mode, arm=request.arm))
        return str(mode.value)

    def _set_attitude_mode(self, request: Any) -> str:
        self._check_active()
        self._node.check_clock()
        mode = _choice("mode", request.mode, _ATTITUDE_MODES)
        q = request.target
        given = (q.x, q.y, q.z, q.w)
        target = None if request.current and given in _NO_TARGET else np.array(given)
        holds = mode is _ATTITUDE_MODES[SetAttitudeMode.Request.HOLD]
        turn = np.array([request.rate.x, request.rate.y, request.rate.z])
        if not holds:
            target, turn = None, np.zeros(3)
        self._node.controller.set_attitude(self._node.seconds(), mode, target, turn)
        self._node.act(None)
        return str(mode.name)

    def _set_modulator(self, request: Any) -> str:
        self._node.controller.set_modulator(self._node.seconds(), request.modulator)
        self._node.act(None)
        return str(request.modulator)

    def _set_health(self, request: Any) -> str:
        condition = _choice("health", request.health, conversions.CONDITIONS)
        self._node.own.set_health(self._node.seconds(), request.thruster, condition, float(request.level))
        self._node.act_own(None)
        return f"thruster {request.thruster}: {condition.value}"

    def _list_groups(self, _request: Any, response: Any) -> Any:
        drive = self._node.controller.drive
        response.groups = [conversions.group(group) for group in drive.groups.groups(drive.array, drive.faults.health)]
        conversions.fill_geometry(response, drive.array, self._node.hull_radius)
        response.success = True
        return response


def _choice(field: str, value: int, choices: Any) -> Any:
    if value not in choices:
        allowed = ", ".join(f"{key} ({_name(choice)})" for key, choice in choices.items())
        raise RefusalError(f"{field}: {value}; allowed: {allowed}")
    return choices[value]


def _name(choice: Any) -> str:
    return str(choice.value)
