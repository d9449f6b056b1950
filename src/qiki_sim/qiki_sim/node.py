"""The simulator on the graph: `/clock`, the bots' hardware topics, and the services that steer it.

It is the source of simulated time, so all its own timing is wall time.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from prometheus_client import Counter, Gauge
from std_srvs.srv import Trigger

from qiki_msgs.srv import InjectFault, LoadScenario, SetSpeed, Step
from qiki_node.node import QikiNode
from qiki_node.parameters import NodeParameters, parameter
from qiki_node.run import run
from qiki_node.service_type import Answer
from qiki_sim.pacer import FASTEST, SLOWEST
from qiki_sim.ros import diagnosis
from qiki_sim.ros.runner import Runner, load_world
from qiki_sim.valves import CommandError
from qiki_vehicle import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qiki_node.health import Health
    from qiki_sim.occurrences import Occurrence
    from qiki_sim.valves import ValveCommand
    from qiki_sim.world import World

LONGEST_STEP = 60.0  # s
LONGEST_REFUSAL = 2000
"""Characters of a response, which may hold text of the request or a line for each field of a file."""


A = TypeVar("A", bound=Answer)


@dataclass(frozen=True)
class SimParameters(NodeParameters):
    scenario: str = parameter(
        "station", "path of a scenario file, or name of one in qiki_bringup's config/scenarios", read_only=True
    )
    seed: int = parameter(-1, "random seed, -1 for the scenario's", minimum=-1, read_only=True)
    speed: float = parameter(
        1.0, "simulated seconds per wall second at the start", minimum=SLOWEST, maximum=FASTEST, read_only=True
    )
    paused: bool = parameter(False, "begin paused", read_only=True)
    marker_rate: float = parameter(
        2.0, "markers per second of simulated time", unit="Hz", minimum=0.1, maximum=50.0, read_only=True
    )


class SimNode(QikiNode[SimParameters]):
    """The node `sim`; launch puts it into the namespace `/qiki`."""

    def __init__(self) -> None:
        super().__init__("sim", SimParameters)
        self._runner: Runner | None = None
        self._flow = diagnosis.Flow()
        self._commands = 0
        self._counted = (time.monotonic(), 0, 0)  # wall time, commands and late edges of the newest measurement
        self._refusals = 0
        self._last_refusal = ""
        self.add_diagnostic("simulation", self._health)
        self.add_diagnostic("hardware", lambda: diagnosis.of_hardware(self._runner))
        registry = self.registry
        self._refused = Counter("qiki_sim_commands_refused", "Valve commands refused since start", registry=registry)
        self._time_gauge = Gauge("qiki_sim_time_seconds", "Simulated time", registry=registry)
        self._factor_gauge = Gauge(
            "qiki_sim_real_time_ratio", "Simulated seconds per wall second, of late", registry=registry
        )

    @property
    def runner(self) -> Runner:
        """The running simulation, from configuration to clean-up."""
        assert self._runner is not None
        return self._runner

    def on_configure_node(self) -> None:
        params = self.params
        self.configured.callback(self._forget)
        world = load_world(params.scenario, params.seed)
        self._runner = Runner(
            self,
            world,
            speed=params.speed,
            marker_rate=params.marker_rate,
            wall=time.monotonic(),
            on_command=self._command,
            on_occurrence=self._emit_occurrence,
        )
        self._runner.paused = params.paused
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
            self.create_service(kind, f"~/{name}", callback)
        self.log.info("scenario loaded", scenario=world.scenario.file.name, bots=", ".join(world.bots))
        self._emit_scenario("scenario_loaded")

    def on_activate_node(self) -> None:
        self.runner.pacer.restart(time.monotonic())
        self._start_timer()

    def on_deactivate_node(self) -> None:
        self._stop_timer()

    def _forget(self) -> None:
        self._runner = None
        self._time_gauge.set(0.0)

    def _start_timer(self) -> None:
        period = self.runner.pacer.period
        self._timer = self.create_timer(period, self._look, clock=self.steady_clock)

    def _stop_timer(self) -> None:
        self._timer.cancel()
        self.destroy_timer(self._timer)

    def _look(self) -> None:
        self.runner.look(time.monotonic())

    def _emit(self, what: str, payload: dict[str, Any]) -> None:
        """An event of the simulation as a whole."""
        self.events.emit(f"simulator.{what}", payload, time=_event_time(self.runner.world))

    def _emit_scenario(self, what: str) -> None:
        world = self.runner.world
        payload: dict[str, Any] = {"scenario": world.scenario.file.name, "seed": world.seed}
        self._emit(what, payload if what == "reset" else {**payload, "bots": list(world.bots)})

    def _emit_occurrence(self, what: Occurrence) -> None:
        delivery = "telemetry" if what.is_sample else "audit"
        causation = None if what.cause is None else what.cause.event or None
        what.event = self.events.emit(
            what.type,
            what.payload,
            stream=f"{what.bot}/sim",
            causation=causation,
            delivery=delivery,
            time=_event_time(self.runner.world),
        )

    def _command(self, bot: str, command: ValveCommand) -> None:
        self._commands += 1
        try:
            self.runner.world.command(bot, command)
        except CommandError as error:
            self._refusals += 1
            self._refused.inc()
            self._last_refusal = f"{bot}: {error}"
            self.log.warning(f"thruster command of {bot} refused", throttle=1.0, reason=str(error))

    # Services -------------------------------------------------------------------------------------------------------

    def _pause(self, _request: Any, response: Trigger.Response) -> Trigger.Response:
        self.runner.paused = True
        self._emit("paused", {"time_s": self.runner.world.time})
        return self._accept(response, f"paused at {self.runner.world.time:.3f} s")

    def _resume(self, _request: Any, response: Trigger.Response) -> Trigger.Response:
        self.runner.resume(time.monotonic())
        self._emit("resumed", {"time_s": self.runner.world.time})
        return self._accept(response, f"running from {self.runner.world.time:.3f} s")

    def _reset(self, _request: Any, response: Trigger.Response) -> Trigger.Response:
        self.runner.world.reset()
        return self._begin("reset", self.runner.world, response)

    def _load_scenario(self, request: LoadScenario.Request, response: LoadScenario.Response) -> LoadScenario.Response:
        if request.seed < -1:
            return self._refuse(response, f"seed = {request.seed}: allowed: -1 (the file's) or more")
        try:
            return self._begin("scenario_loaded", load_world(request.path, request.seed), response)
        except ConfigurationError as error:
            return self._refuse(response, str(error))

    def _begin(self, what: str, world: World, response: A) -> A:
        self.runner.begin(world, time.monotonic())
        self._emit_scenario(what)
        if self.is_active:
            self.runner.publish()
        name, bots = world.scenario.file.name, ", ".join(world.bots)
        self.log.info("scenario begins", scenario=name, bots=bots, seed=world.seed)
        return self._accept(response, f"scenario {name}, bots {bots}, seed {world.seed}, time 0")

    def _step(self, request: Step.Request, response: Step.Response) -> Step.Response:
        response.time = self.runner.world.time
        if not self.runner.paused or not self.is_active:
            return self._refuse(response, "the simulation must be active and paused; call pause first")
        if not 0.0 < request.duration <= LONGEST_STEP:
            return self._refuse(response, f"duration = {request.duration}: allowed: more than 0 to {LONGEST_STEP:g} s")
        try:
            self.runner.step(request.duration, self._goes_on)
        except ValueError as error:
            return self._refuse(response, f"duration = {request.duration}: {error}")
        response.time = self.runner.world.time
        if self.turns.stopping:
            return self._refuse(response, "the node is asked to end: the step ended early")
        return self._accept(response, "")

    def _goes_on(self) -> bool:
        """A step may take longer than the watchdog waits, but not longer than the node is to live."""
        self.turns.note()
        return not self.turns.stopping

    def _set_speed(self, request: SetSpeed.Request, response: SetSpeed.Response) -> SetSpeed.Response:
        pacer = self.runner.pacer
        previous = pacer.speed
        try:
            pacer.set_speed(request.factor, time.monotonic())
        except ValueError as error:
            response.factor = pacer.speed
            return self._refuse(response, str(error))
        response.factor = pacer.speed
        self._emit("speed_changed", {"factor": pacer.speed, "before": previous})
        if self.is_active:
            self._stop_timer()
            self._start_timer()
        return self._accept(response, "")

    def _inject_fault(self, request: InjectFault.Request, response: InjectFault.Response) -> InjectFault.Response:
        try:
            self.runner.world.inject_fault(request.bot, request.kind, request.target, request.value, request.duration)
        except (KeyError, ValueError) as error:
            return self._refuse(response, str(error.args[0]))
        self.log.info("fault", bot=request.bot, kind=request.kind, target=request.target, value=request.value)
        self.runner.report()  # so that the event comes before the response
        return self._accept(response, "")

    @staticmethod
    def _accept(response: A, message: str) -> A:
        response.success, response.message = True, message
        return response

    def _refuse(self, response: A, message: str) -> A:
        message = "; ".join(message.splitlines())[:LONGEST_REFUSAL]
        response.success, response.message = False, message
        self.log.warning("service request refused", reason=message)
        return response

    def _health(self) -> Health:
        others = []
        if self._runner is not None:
            self._measure(self._runner)
            others = self._other_clocks()
        return diagnosis.of_simulation(self._runner, self._flow, self._refusals, self._last_refusal, others)

    def _measure(self, runner: Runner) -> None:
        wall, world = time.monotonic(), runner.world
        self._time_gauge.set(world.time)
        factor = 0.0 if runner.paused or not self.is_active else runner.pacer.real_time_factor(wall)
        self._factor_gauge.set(math.nan if factor is None else factor)
        late = sum(world.bot(name).valves.late_edges for name in world.bots)
        since, commands, late_before = self._counted
        self._counted = (wall, self._commands, late)
        rate = (self._commands - commands) / (wall - since) if wall > since else 0.0
        self._flow = diagnosis.Flow(factor, rate, max(late - late_before, 0))

    def _other_clocks(self) -> list[str]:
        """Full names of the other nodes that publish /clock."""
        ends = self.get_publishers_info_by_topic("/clock")
        names = [f"{end.node_namespace.rstrip('/')}/{end.node_name}" for end in ends]
        own = self.get_fully_qualified_name()
        if own in names:
            names.remove(own)
        return sorted(names)


def _event_time(world: World) -> int:
    """ns. The beginning of a scenario is 1 us: a clock that shows 0 does not run."""
    return max(world.time_us, 1) * 1000


def main() -> None:
    """Entry point."""
    run(SimNode)


if __name__ == "__main__":
    main()
