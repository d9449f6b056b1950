"""Services of the node, but for interrogations. Each answers with success, or with the reason of the refusal."""

from typing import Any

import yaml

from qiki_events.fields import check_name
from qiki_msgs.srv import ListGuardRules, SetGuardMode, SetTransponderMode
from qiki_xpdr.guard import GuardMode
from qiki_xpdr.modes import Mode
from qiki_xpdr.reasons import Reason
from qiki_xpdr.ros.host import Host
from qiki_xpdr.transponder import LONGEST_TEXT


def check_ready(node: Host) -> None:
    """Refuse an order that comes while the node is not active, or before the first /clock: nothing may have time 0.

    Raises:
        ValueError: naming the reason.
    """
    if not node.is_active:
        raise ValueError("the node is not active")
    if not node.clock_runs:
        raise ValueError("the clock does not run: no /clock has come")


class Services:
    """Services of a node. arm_time: s for which SPOOF stays armed."""

    def __init__(self, node: Host, arm_time: float) -> None:
        self._node, self._arm_time = node, arm_time
        node.create_service(SetTransponderMode, "~/set_mode", self._set_mode)
        node.create_service(SetGuardMode, "~/set_guard_mode", self._set_guard_mode)
        node.create_service(ListGuardRules, "~/list_guard_rules", self._list_rules)

    def _set_mode(self, request: Any, response: Any) -> Any:
        node = self._node
        try:
            self._admit(request)
            if request.mode not in Mode.__members__:
                raise ValueError(f"mode: {request.mode!r}; allowed: {', '.join(Mode.__members__)}")
            mode = Mode[request.mode]
            if request.arm and mode is not Mode.SPOOF:
                raise ValueError(f"arm: true with mode {mode.name}; allowed: with SPOOF alone")
        except ValueError as error:
            response.reason_code, response.message = int(Reason.WRONG_ORDER), str(error)
            return response
        user, reason, now = request.user, request.reason, node.seconds()
        if request.arm:
            given = node.transponder.arm(user, reason, now)
        else:
            given = node.transponder.set_mode(mode, user, reason, now, request.code)
            if given.accepted:
                node.ordered("mode")
        node.report(request.command_id)
        response.success, response.reason_code = given.accepted, int(given.reason)
        response.code, response.seconds = given.code, self._arm_time if given.code else 0.0
        response.message = given.reason.meaning if given.reason is not Reason.NONE else "armed" if given.code else ""
        return response

    def _set_guard_mode(self, request: Any, response: Any) -> Any:
        node = self._node
        try:
            self._admit(request)
            if request.mode not in GuardMode.__members__:
                raise ValueError(f"mode: {request.mode!r}; allowed: {', '.join(GuardMode.__members__)}")
        except ValueError as error:
            response.message = str(error)
            return response
        node.ordered("guard")
        before, mode = node.guard.mode, GuardMode[request.mode]
        node.guard.set_mode(mode, node.seconds())
        if mode is not before:
            changed = {"from": before.name, "to": mode.name, "user": request.user, "reason": request.reason}
            node.emit("guard.mode_changed", changed, request.command_id)
        node.report(request.command_id)
        response.success, response.message = True, f"{before.name} to {mode.name}"
        return response

    def _list_rules(self, _: Any, response: Any) -> Any:
        node = self._node
        response.yaml = yaml.safe_dump(node.rules.model_dump(mode="json", exclude_none=True), sort_keys=False)
        response.mode = int(node.guard.mode)
        return response

    def _admit(self, request: Any) -> None:
        """Refuse an order whose fields no event can carry, or that comes too early."""
        check_ready(self._node)
        if request.command_id:
            check_name("command_id", request.command_id)
        for field in ("user", "reason"):
            text = getattr(request, field)
            if not text.strip() or len(text) > LONGEST_TEXT:
                raise ValueError(f"{field}: {text[:40]!r}; allowed: 1 to {LONGEST_TEXT} characters")
