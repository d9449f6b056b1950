"""Services of the simulator. Each answers with success, or with the reason of the refusal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from std_srvs.srv import Trigger

from qiki_msgs.srv import InjectFault, LoadScenario, SetSpeed, Step
from qiki_node import long_lived
from qiki_node.service_type import Answer
from qiki_sim.ros.runner import load_world
from qiki_vehicle import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qiki_node.log import NodeLog
    from qiki_sim.ros.runner import Runner
    from qiki_sim.world import World

LONGEST_STEP = 60.0  # s
LONGEST_REFUSAL = 2000
"""Characters of a response, which may hold text of the request or a line for each field of a file."""


A = TypeVar("A", bound=Answer)


class Host(Protocol):
    """The node as its services see it."""

    log: NodeLog

    @property
    def runner(self) -> Runner:
        """The running simulation."""

    @property
    def is_active(self) -> bool:
        """True while the node is in the state ACTIVE."""

    def emit(self, what: str, payload: dict[str, Any]) -> None:
        """An event of the simulation as a whole."""

    def emit_scenario(self, what: str) -> None:
        """The event of a scenario that begins."""

    def goes_on(self) -> bool:
        """False once the node is asked to end; a sign of life of a long call."""

    def restart_timer(self) -> None:
        """Follow a changed period of the pacer."""

    def create_service(self, kind: type, name: str, callback: Callable[[Any, Any], Any], /) -> Any:
        """See `rclpy.node.Node`."""


class Services:
    """Pause, resume, step, speed, reset, scenarios and faults."""

    def __init__(self, node: Host) -> None:
        self._node = node
        services: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
            (Trigger, "pause", self._pause),
            (Trigger, "resume", self._resume),
            (Trigger, "reset", self._reset),
            (Step, "step", self._step),
            (SetSpeed, "set_speed", self._set_speed),
            (LoadScenario, "load_scenario", self._load_scenario),
            (InjectFault, "inject_fault", self._inject_fault),
        )
        for kind, name, callback in services:
            node.create_service(kind, f"~/{name}", callback)

    def _pause(self, _request: Any, response: Trigger.Response) -> Trigger.Response:
        self._node.runner.paused = True
        self._node.emit("paused", {"time_s": self._node.runner.world.time})
        return self._accept(response, f"paused at {self._node.runner.world.time:.3f} s")

    def _resume(self, _request: Any, response: Trigger.Response) -> Trigger.Response:
        self._node.runner.resume(time.monotonic())
        self._node.emit("resumed", {"time_s": self._node.runner.world.time})
        return self._accept(response, f"running from {self._node.runner.world.time:.3f} s")

    def _reset(self, _request: Any, response: Trigger.Response) -> Trigger.Response:
        self._node.runner.world.reset()
        return self._begin("reset", self._node.runner.world, response)

    def _load_scenario(self, request: LoadScenario.Request, response: LoadScenario.Response) -> LoadScenario.Response:
        if request.seed < -1:
            return self._refuse(response, f"seed = {request.seed}: allowed: -1 (the file's) or more")
        try:
            return self._begin("scenario_loaded", load_world(request.path, request.seed), response)
        except ConfigurationError as error:
            return self._refuse(response, str(error))

    def _begin(self, what: str, world: World, response: A) -> A:
        long_lived.renew()  # the world before was 1 MiB of cycles
        self._node.runner.begin(world, time.monotonic())
        self._node.emit_scenario(what)
        if self._node.is_active:
            self._node.runner.publish()
        name, bots = world.scenario.file.name, ", ".join(world.bots)
        self._node.log.info("scenario begins", scenario=name, bots=bots, seed=world.seed)
        return self._accept(response, f"scenario {name}, bots {bots}, seed {world.seed}, time 0")

    def _step(self, request: Step.Request, response: Step.Response) -> Step.Response:
        response.time = self._node.runner.world.time
        if not self._node.runner.paused or not self._node.is_active:
            return self._refuse(response, "the simulation must be active and paused; call pause first")
        if not 0.0 < request.duration <= LONGEST_STEP:
            return self._refuse(response, f"duration = {request.duration}: allowed: more than 0 to {LONGEST_STEP:g} s")
        try:
            self._node.runner.step(request.duration, self._node.goes_on)
        except ValueError as error:
            return self._refuse(response, f"duration = {request.duration}: {error}")
        response.time = self._node.runner.world.time
        if not self._node.goes_on():
            return self._refuse(response, "the node is asked to end: the step ended early")
        return self._accept(response, "")

    def _set_speed(self, request: SetSpeed.Request, response: SetSpeed.Response) -> SetSpeed.Response:
        pacer = self._node.runner.pacer
        previous = pacer.speed
        try:
            pacer.set_speed(request.factor, time.monotonic())
        except ValueError as error:
            response.factor = pacer.speed
            return self._refuse(response, str(error))
        response.factor = pacer.speed
        self._node.emit("speed_changed", {"factor": pacer.speed, "before": previous})
        if self._node.is_active:
            self._node.restart_timer()
        return self._accept(response, "")

    def _inject_fault(self, request: InjectFault.Request, response: InjectFault.Response) -> InjectFault.Response:
        try:
            self._node.runner.world.inject_fault(
                request.bot, request.kind, request.target, request.value, request.duration
            )
        except (KeyError, ValueError) as error:
            return self._refuse(response, str(error.args[0]))
        self._node.log.info("fault", bot=request.bot, kind=request.kind, target=request.target, value=request.value)
        self._node.runner.report()  # so that the event comes before the response
        return self._accept(response, "")

    @staticmethod
    def _accept(response: A, message: str) -> A:
        response.success, response.message = True, message
        return response

    def _refuse(self, response: A, message: str) -> A:
        message = "; ".join(message.splitlines())[:LONGEST_REFUSAL]
        response.success, response.message = False, message
        self._node.log.warning("service request refused", reason=message)
        return response
