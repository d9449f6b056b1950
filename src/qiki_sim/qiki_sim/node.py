"""The simulator on the graph: `/clock`, the bots' hardware topics, and the services that steer it.

It is the source of simulated time, so all its own timing is wall time.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter, Gauge

from qiki_node.node import QikiNode
from qiki_node.parameters import NodeParameters, parameter
from qiki_node.run import run
from qiki_sim.pacer import FASTEST, SHORTEST_WINDOW, SLOWEST
from qiki_sim.ros import diagnosis
from qiki_sim.ros.runner import Runner, load_world
from qiki_sim.ros.services import Services
from qiki_sim.valves import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qiki_node.health import Health
    from qiki_sim.air.radio import Transmission
    from qiki_sim.occurrences import Occurrence
    from qiki_sim.valves import ValveCommand
    from qiki_vehicle.port_hardware import DockCommand


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
    tf_rate: float = parameter(
        50.0, "poses on /tf per second of simulated time", unit="Hz", minimum=0.1, maximum=100.0, read_only=True
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
        self._refused = Counter(
            "qiki_sim_commands_refused",
            "Commands and transmissions refused since start",
            registry=registry,
        )
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
            tf_rate=params.tf_rate,
            wall=time.monotonic(),
            on_command=self._command,
            on_dock=self._dock_command,
            on_transmission=self._transmission,
            on_occurrence=self._emit_occurrence,
        )
        self._runner.paused = params.paused
        Services(self)
        self.log.info("scenario loaded", scenario=world.scenario.file.name, bots=", ".join(world.bots))
        self.emit_scenario("scenario_loaded")

    def on_activate_node(self) -> None:
        self.runner.pacer.restart(time.monotonic())
        self.runner.publish()
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

    def restart_timer(self) -> None:
        """Follow a changed period of the pacer."""
        self._stop_timer()
        self._start_timer()

    def _look(self) -> None:
        self.runner.look(time.monotonic())
        # A timer that is always due keeps rclpy's executor from all else, valve commands above all.
        self._timer.reset()

    def goes_on(self) -> bool:
        """False once the node is asked to end; a sign of life of a long call.

        A step may take longer than the watchdog waits, but not longer than the node is to live.
        """
        self.turns.note()
        return not self.turns.stopping

    def emit(self, what: str, payload: dict[str, Any]) -> None:
        """An event of the simulation as a whole."""
        self.events.emit(f"simulator.{what}", payload, time=self.runner.stamp)

    def emit_scenario(self, what: str) -> None:
        """The event `simulator.<what>` of a scenario that begins."""
        world = self.runner.world
        payload: dict[str, Any] = {"scenario": world.scenario.file.name, "seed": world.seed}
        self.emit(what, payload if what == "reset" else {**payload, "bots": list(world.bots)})

    def _emit_occurrence(self, what: Occurrence) -> None:
        delivery = "telemetry" if what.is_sample else "audit"
        causation = None if what.cause is None else what.cause.event or None
        what.event = self.events.emit(
            what.type,
            what.payload,
            stream=f"{what.bot}/sim",
            causation=causation,
            delivery=delivery,
            time=self.runner.stamp,
        )

    def _command(self, bot: str, command: ValveCommand) -> None:
        self._commands += 1
        try:
            self.runner.world.command(bot, command)
        except CommandError as error:
            self._refuse("thruster command", bot, error)

    def _dock_command(self, body: str, command: Callable[[], DockCommand]) -> None:
        try:
            self.runner.world.command_dock(body, command())
        except CommandError as error:
            self._refuse("dock command", body, error)

    def _transmission(self, bot: str, transmission: Transmission) -> None:
        try:
            self.runner.world.transmit(bot, transmission)
        except CommandError as error:
            self._refuse("transmission", bot, error)

    def _refuse(self, command: str, body: str, error: CommandError) -> None:
        self._refusals += 1
        self._refused.inc()
        self._last_refusal = f"{body}: {error}"
        self.log.warning(f"{command} of {body} refused", throttle=1.0, reason=str(error))

    def _health(self) -> Health:
        others = []
        if self._runner is not None:
            self._measure(self._runner)
            others = self._other_clocks()
        return diagnosis.of_simulation(self._runner, self._flow, self._refusals, self._last_refusal, others)

    def _measure(self, runner: Runner) -> None:
        wall, world = time.monotonic(), runner.world
        self._time_gauge.set(world.time)
        if wall - self._counted[0] < SHORTEST_WINDOW:
            return  # under load, overdue diagnostics come close to the next ones: both give the same measurement
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


def main() -> None:
    """Entry point."""
    run(SimNode)


if __name__ == "__main__":
    main()
