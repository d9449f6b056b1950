"""One bot's hardware and its flight core, connected as by the graph's topics and timers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qiki_allocator.flight.controller import Controller
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_loop import messages
from qiki_sim import CommandError, World

if TYPE_CHECKING:
    from qiki_allocator.flight.occurrences import Occurrence
    from qiki_allocator.flight.telemetry import Telemetry

TOPICS = ("odom", "thruster_state", "energy", "thermal", "mass_properties")
"""In the order in which the simulator publishes them."""

NEVER = 2**62  # us


class Link:
    """Passes telemetry to a controller when it is due, runs its cycle, and sends its commands to the valves.

    Attributes:
        controller: the flight core.
        occurrences: of the controller since the start.
        telemetry: of the controller, as last published; None: not yet.
        refusals: errors of valve commands that the hardware refused.
    """

    def __init__(
        self, world: World, bot: str, controller: Controller, *, control_rate: float, telemetry_rate: float
    ) -> None:
        """Rates in Hz; telemetry_rate 0: the controller's telemetry is not computed."""
        self._world, self._bot = world, bot
        self.controller = controller
        self.occurrences: list[Occurrence] = []
        self.telemetry: Telemetry | None = None
        self.refusals: list[CommandError] = []
        self._listeners: dict[str, list[Callable[[Any], None]]] = {topic: [] for topic in (*TOPICS, "allocation")}
        rates = world.bot(bot).vehicle.sensors.rates
        self._period_us = [round(1e6 / getattr(rates, topic)) for topic in TOPICS]
        self._due_us = [world.time_us] * len(TOPICS)
        self._deliver = (self._odom, self._valves, self._energy, self._thermal, self._mass)
        self._cycle_us = round(1e6 / control_rate)
        self._cycle_due_us = NEVER
        self._telemetry_us = round(1e6 / telemetry_rate) if telemetry_rate else NEVER
        self._telemetry_due_us = world.time_us + self._telemetry_us

    def listen(self, topic: str, callback: Callable[[Any], None]) -> None:
        """See `ClosedLoop.listen`."""
        if topic not in self._listeners:
            raise KeyError(f"topic = {topic!r}: allowed: {', '.join(self._listeners)}")
        self._listeners[topic].append(callback)

    @property
    def now(self) -> float:
        """s, as the controller's clock reads."""
        return messages.clock(self._world.time_us)

    @property
    def next_us(self) -> int:
        """Simulated time at which something is due, us."""
        return min(*self._due_us, self._cycle_due_us, self._telemetry_due_us)

    def run_due(self) -> None:
        """Deliver the telemetry that is due, then run the control cycle and publish telemetry if due."""
        now_us = self._world.time_us
        for index, due_us in enumerate(self._due_us):
            if now_us >= due_us:
                self._due_us[index] = max(due_us + self._period_us[index], now_us + 1)
                self._deliver[index]()
        if now_us >= self._cycle_due_us:
            self._cycle_due_us += self._cycle_us * (1 + (now_us - self._cycle_due_us) // self._cycle_us)
            self._send(self.controller.tick(self.now))
            if not self.controller.is_active:
                self._cycle_due_us = NEVER
            self._take()
        if now_us >= self._telemetry_due_us:
            self._telemetry_due_us += self._telemetry_us
            self.telemetry = self.controller.telemetry(self.now)
            self._take()
            self._tell("allocation", self.telemetry)

    def act(self, order: Callable[[Controller, float], ValveCommand | None]) -> None:
        """Give an order, send its valve command, and start the control cycle if there is anything to do.

        Raises:
            ValueError: the order is refused; its occurrence has been taken.
        """
        try:
            self._send(order(self.controller, self.now))
            self._wake()
        finally:
            self._take()

    def _send(self, command: ValveCommand | None) -> None:
        if command is None:
            return
        try:
            self._world.command(self._bot, messages.valve_command(command))
        except CommandError as error:
            self.refusals.append(error)

    def _wake(self) -> None:
        if self._cycle_due_us == NEVER and self.controller.is_active:
            self._cycle_due_us = self._world.time_us + self._cycle_us

    def _take(self) -> None:
        self.occurrences += self.controller.journal.take()

    def _tell(self, topic: str, value: Any) -> None:
        for callback in self._listeners[topic]:
            callback(value)

    # Topics ---------------------------------------------------------------------------------------------------------

    def _odom(self) -> None:
        reading = self._world.odom(self._bot)
        if reading is not None:
            stamp = messages.stamp(self._world.time_us)
            self.controller.update_motion(self.now, messages.motion(stamp, reading))
            self._take()
            self._tell("odom", reading)

    def _valves(self) -> None:
        reading = self._world.valves(self._bot)
        if reading is not None:
            stamp = messages.stamp(self._world.time_us)
            self.controller.update_valves(self.now, messages.valve_report(stamp, reading))
            self._take()
            self._wake()
            self._tell("thruster_state", reading)

    def _energy(self) -> None:
        reading = self._world.energy(self._bot)
        if reading is not None:
            stamp = messages.stamp(self._world.time_us)
            self.controller.update_energy(self.now, messages.energy(stamp, reading))
            self._tell("energy", reading)

    def _thermal(self) -> None:
        reading = self._world.thermal(self._bot)
        if reading is not None:
            stamp = messages.stamp(self._world.time_us)
            self.controller.update_thermal(self.now, stamp, messages.temperatures(reading))
            self._tell("thermal", reading)

    def _mass(self) -> None:
        properties = self._world.mass_properties(self._bot)
        self.controller.update_mass(self.now, properties)
        self._tell("mass_properties", properties)
