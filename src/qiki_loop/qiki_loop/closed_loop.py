"""Twin and flight cores stepped together."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, Self

import numpy.typing as npt

from qiki_allocator.assembly import assemble
from qiki_allocator.flight.controller import Controller
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_loop.link import Link
from qiki_sim import World
from qiki_sim.scenario import TICK_US


class Part(Protocol):
    """Something that is stepped with the world."""

    @property
    def next_us(self) -> int:
        """Simulated time at which it is due, us."""

    def run_due(self) -> None:
        """Do what is due at the world's time."""


class ClosedLoop:
    """A world and the flight cores of its bots in one process, without ROS and without real time.

        loop = ClosedLoop.from_file("launch/config/scenarios/single.yaml", seed=1)
        loop.command("alpha", [200.0, 0.0, 0.0, 0.0, 0.0, 0.0])
        loop.run(0.4)
        loop.world.motion("alpha").velocity

    Telemetry and commands go between them as the nodes exchange them: topics at the rates of the vehicle file, values
    rounded as the messages round them, a command at the valves at once. Simulated time advances from one thing that is
    due to the next, in ticks of 10 ms. A wrench holds for the watchdog's time, so that a pilot repeats it.

    Attributes:
        world: the digital twin.
        links: of the bots that have a controller, by name.
    """

    def __init__(
        self,
        world: World,
        controllers: Mapping[str, Controller],
        *,
        control_rate: float = 100.0,
        telemetry_rate: float = 20.0,
    ) -> None:
        """Connect bots of the world to controllers.

        Args:
            control_rate: Hz of control cycles, the rate that the controllers were assembled for; at most 100.
            telemetry_rate: Hz of the controllers' telemetry (topic `allocation`); 0: none.

        Raises:
            KeyError: there is no such bot.
            ValueError: a rate is not allowed.
        """
        fastest = 1e6 / TICK_US
        if not 0.0 < control_rate <= fastest:
            raise ValueError(f"control_rate = {control_rate} Hz: allowed: above 0 to {fastest:g} Hz")
        if not 0.0 <= telemetry_rate <= fastest:
            raise ValueError(f"telemetry_rate = {telemetry_rate} Hz: allowed: 0 to {fastest:g} Hz")
        self.world = world
        self.links = {
            bot: Link(world, bot, controller, control_rate=control_rate, telemetry_rate=telemetry_rate)
            for bot, controller in controllers.items()
        }
        self._parts: list[Part] = [*self.links.values()]
        for part in self._parts:
            part.run_due()

    @classmethod
    def from_file(
        cls,
        scenario: str | Path,
        seed: int | None = None,
        *,
        control_rate: float = 100.0,
        telemetry_rate: float = 20.0,
        **options: Any,
    ) -> Self:
        """The loop of a scenario file with a controller for each bot; `options` are those of `assemble`.

        Raises:
            ConfigurationError: a file or an option is refused.
        """
        world = World.from_file(scenario, seed)
        controllers = {
            bot: assemble(world.bot(bot).vehicle, rate=control_rate, stopwatch=lambda: 0.0, **options)
            for bot in world.bots
        }
        return cls(world, controllers, control_rate=control_rate, telemetry_rate=telemetry_rate)

    @property
    def time(self) -> float:
        """s, simulated time."""
        return self.world.time

    def controller(self, bot: str) -> Controller:
        """The flight core of a bot; commands that return valve edges go through `act`."""
        return self.links[bot].controller

    def listen(self, bot: str, topic: str, callback: Callable[[Any], None]) -> None:
        """Call back with each value of a topic of a bot, after its controller has taken it.

        Args:
            topic: `odom`, `thruster_state`, `energy`, `thermal`, `mass_properties`: values of the twin's sensors;
                `allocation`: the controller's `Telemetry`.

        Raises:
            KeyError: there is no such bot or topic.
        """
        self.links[bot].listen(topic, callback)

    def join(self, part: Part) -> None:
        """Step another part along, after the controllers."""
        self._parts.append(part)
        part.run_due()

    # Commands -------------------------------------------------------------------------------------------------------

    def command(self, bot: str, wrench: npt.ArrayLike) -> None:
        """Command a wrench, (6,) N and N m.

        Raises:
            ValueError: the wrench is refused.
        """
        self.act(bot, lambda controller, now: controller.command(now, wrench))

    def act(self, bot: str, order: Callable[[Controller, float], ValveCommand | None]) -> None:
        """Give an order to a controller, `order(controller, now)`, and send the valve command that it returns.

            loop.act("alpha", lambda controller, now: controller.brake(now))

        Raises:
            ValueError: the order is refused.
        """
        self.links[bot].act(order)

    # Time -----------------------------------------------------------------------------------------------------------

    def step(self, longest: float = 1.0) -> None:
        """Advance to the next thing that is due, at most `longest` s, and do what is due."""
        self._advance(self.world.time_us + max(round(longest * 1e6), TICK_US))

    def run(self, duration: float) -> None:
        """Advance by `duration` s, rounded to whole ticks."""
        end_us = self.world.time_us + round(duration * 1e6 / TICK_US) * TICK_US
        while self.world.time_us < end_us:
            self._advance(end_us)

    def run_until(self, condition: Callable[[], bool], longest: float) -> float:
        """Advance until the condition holds; simulated seconds that it took.

        Raises:
            TimeoutError: it does not hold within `longest` s.
        """
        begun = self.time
        while not condition():
            if self.time - begun >= longest:
                raise TimeoutError(f"condition does not hold within {longest:g} s of simulated time")
            self.step()
        return self.time - begun

    def _advance(self, end_us: int) -> None:
        next_us = min((part.next_us for part in self._parts), default=end_us)
        ticks = -((self.world.time_us - min(next_us, end_us)) // TICK_US)
        self.world.step(max(ticks, 1) * TICK_US * 1e-6)
        for part in self._parts:
            part.run_due()
