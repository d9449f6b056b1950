"""Requests to guidance and actuators: those of the step, cut down by profile and interlocks."""

from dataclasses import replace

from qiki_docking.checks import CHECK_NAMES
from qiki_docking.conditions import Judge
from qiki_docking.phases import Drive, Guidance, Request, Step
from qiki_docking.steps import INTERLOCKS
from qiki_docking.values import State
from qiki_vehicle.docking import Docking


def wanted(step: Step, state: State, rules: Docking) -> Request:
    """The request of a step with its numbers, and without the services that the profile does not have."""
    request = step.request
    if request.guidance in (Guidance.HOLD, Guidance.RETREAT):
        request = replace(request, range=rules.hold_points[state.hold])
    if request.guidance is Guidance.SEAT:
        request = replace(request, force=rules.align.seat_force)
    if "power" not in state.parts and request.contacts is Drive.ON:
        request = replace(request, power=Drive.OFF, contacts=Drive.OFF)
    if "data" not in state.parts and request.data is Drive.ON:
        request = replace(request, data=Drive.OFF)
    return request


def locked(request: Request, state: State, judge: Judge, now: float) -> Request:
    """The request with each command that an interlock holds back replaced by KEEP, or STILL. `now`: s."""
    for lock in INTERLOCKS:
        if getattr(request, lock.field) != lock.value or state.phase in lock.waived:
            continue
        held = all(judge.holds(condition, now) for condition in lock.conditions)
        if held and (state.passed == CHECK_NAMES or not lock.checked):
            continue
        if lock.field == "guidance":
            request = replace(request, guidance=Guidance.STILL)
        else:
            request = replace(request, **{lock.field: Drive.KEEP})  # type: ignore[arg-type]
    return request
