"""The digital twin: bodies and hardware of a scenario, advanced together in simulated time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from qiki_sim.air.twin import AirTwin
from qiki_sim.bodies import RigidBodies
from qiki_sim.bot import Bot
from qiki_sim.docking.twin import DockingTwin
from qiki_sim.faults import Fault, check_fault
from qiki_sim.flow import THRUST
from qiki_sim.scenario import TICK_US, Scenario, load_scenario
from qiki_sim.sensors import Sensors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from qiki_sim.air.radar import RadarReading
    from qiki_sim.air.radio import Reception, Transmission
    from qiki_sim.docking.joint import Joint
    from qiki_sim.faults import FaultBook
    from qiki_sim.readings import EnergyReading, Motion, StoreReading, ThermalReading, ValveReading
    from qiki_sim.valves import ValveCommand
    from qiki_vehicle import MassProperties
    from qiki_vehicle.port_hardware import DockCommand, DockReading


class World:
    """A scenario running without ROS and without a clock of its own.

    Deterministic: the same scenario, seed and calls give bit-equal states; reading changes nothing.

        world = World.from_file("station.yaml")
        world.command("alpha", ValveCommand(stamp=0.0, window=0.1, open_time=..., close_time=...))
        world.step(0.1)
        world.odom("alpha")
    """

    def __init__(self, scenario: Scenario, seed: int | None = None) -> None:
        """`seed` replaces the scenario's.

        Raises:
            ConfigurationError: bodies overlap at the start.
        """
        self.scenario = scenario
        self.seed = scenario.file.seed if seed is None else seed
        self._step_us = scenario.file.physics.step_us
        self.reset()

    @classmethod
    def from_file(cls, path: str | Path, seed: int | None = None) -> World:
        """Read a scenario file.

        Raises:
            ConfigurationError: the text names file, field, value and allowed range.
        """
        return cls(load_scenario(path), seed)

    def reset(self) -> None:
        """Back to the start of the scenario, as if newly made."""
        file = self.scenario.file
        self.bodies = RigidBodies(self.scenario)
        self._bots = {
            entry.name: Bot(entry, vehicle, file.environment.sunlight, self._step_us)
            for entry, vehicle in zip(file.bots, self.scenario.vehicles, strict=True)
        }
        self._sensors = {
            name: Sensors(self.seed, name, bot.vehicle.sensors.noise, bot.faults) for name, bot in self._bots.items()
        }
        self.docking = DockingTwin(self.scenario, self.bodies, self._bots, self.seed)
        self.air = AirTwin(self.scenario, self.bodies, self._bots, self._sensors)
        self.bodies.begin(self.scenario)
        self.docking.begin()
        self._books = [*(bot.faults for bot in self._bots.values())]
        self._books += [one.faults for one in self.docking.hardware.values() if one.bot is None]
        self._time_us = 0
        self._timed = sorted(file.faults, key=lambda fault: fault.time)
        self._thrust = np.zeros((TICK_US // self._step_us, len(self._bots), THRUST))
        self._mass = [0.0] * len(self._bots)
        for index, bot in enumerate(self._bots.values()):
            self._set_mass(index, bot, bot.mass)

    @property
    def time(self) -> float:
        """Simulated time in s."""
        return self._time_us / 1e6

    @property
    def time_us(self) -> int:
        """Simulated time in whole microseconds."""
        return self._time_us

    @property
    def bots(self) -> tuple[str, ...]:
        """Names of the bots."""
        return tuple(self._bots)

    def bot(self, name: str) -> Bot:
        """The hardware of a bot.

        Raises:
            KeyError: there is no such bot.
        """
        if name not in self._bots:
            raise KeyError(f"bot = {name!r}: allowed: {', '.join(self._bots)}")
        return self._bots[name]

    def step(self, dt: float) -> None:
        """Advance by `dt` s, a whole number of physics steps.

        Raises:
            ValueError: dt is not positive, finite, or a whole number of steps.
        """
        step = self._step_us * 1e-6
        count = round(dt / step) if math.isfinite(dt) else 0
        if count < 1 or abs(dt - count * step) > 1e-9 * max(1.0, dt):
            raise ValueError(f"dt = {dt}: allowed: a positive whole number of steps of {step:g} s")
        end_us = self._time_us + count * self._step_us
        while self._time_us < end_us:
            self._apply_due_faults()
            tick_us = (self._time_us // TICK_US + 1) * TICK_US
            self._advance(min(end_us, tick_us, self._next_fault_us()))

    def _advance(self, until_us: int) -> None:
        steps = (until_us - self._time_us) // self._step_us
        self.docking.begin_step(self._time_us, until_us)
        thrust = self._thrust[:steps]
        constant = True
        for index, bot in enumerate(self._bots.values()):
            before = bot.mass
            constant &= bot.advance(until_us, thrust[:, index])
            # Mass in the middle of the time: its change from tick to tick then costs no accuracy.
            self._set_mass(index, bot, 0.5 * (before + bot.mass))
        self.bodies.move_scripted(self.time)
        # Ports that may touch are looked at after every step.
        stride = 1 if self.docking.is_close(self._time_us, steps * self._step_us * 1e-6) else steps
        for first in range(0, steps, stride):
            self.bodies.advance(thrust[first : first + stride], constant or stride == 1)
            self._time_us += stride * self._step_us
            self.docking.end_step(self._time_us)
        self.air.advance(self._time_us)

    def _set_mass(self, index: int, bot: Bot, mass: float) -> None:
        if mass != self._mass[index]:
            self._mass[index] = mass
            self.bodies.set_mass(index, mass, bot.moments * (mass / bot.mass))

    def command(self, bot: str, command: ValveCommand) -> None:
        """Give a bot's valves a command now.

        Raises:
            KeyError: there is no such bot.
            CommandError: the command is refused; nothing has changed.
        """
        self.bot(bot).command(command)

    def inject_fault(self, bot: str, kind: str, target: str = "", value: float = 0.0, duration: float = 0.0) -> None:
        """Put a fault in force now, or clear faults; `duration` s, 0: until cleared. Kinds are in `faults`.

        Raises:
            KeyError: there is no such bot, nor a body with docking hardware.
            ValueError: the fault is refused: field, value, allowed range.
        """
        book, hardware = self.faults(bot), self._bots.get(bot)
        thrusters = 0 if hardware is None else hardware.driver.count
        ports = tuple(self.docking.hardware[bot].ports) if bot in self.docking.hardware else ()
        check_fault(kind, target, value, duration, thrusters, ports=ports)
        until_us = self._time_us + self._whole_steps_us(duration) if duration else None
        book.inject(Fault(kind, target, value, until_us))
        if hardware is not None:
            hardware.apply_faults()

    def command_dock(self, body: str, command: DockCommand) -> None:
        """Give a body's docking hardware a command now.

        Raises:
            KeyError: the body has no docking hardware.
            CommandError: the command is refused; nothing has changed.
        """
        self.docking.command(body, command)

    def transmit(self, bot: str, transmission: Transmission) -> None:
        """Transmit a radio frame now; without power for the transponder nothing leaves.

        Raises:
            KeyError: there is no such bot.
            CommandError: the transmission is refused; nothing has changed.
        """
        self.bot(bot)
        self.air.transmit(bot, transmission, self._time_us)

    def _whole_steps_us(self, seconds: float) -> int:
        return math.ceil(round(seconds * 1e6) / self._step_us) * self._step_us

    def _next_fault_us(self) -> int:
        """Time of the next begin or end of a fault, after now."""
        times = [t for book in self._books if (t := book.next_expiry_us) is not None]
        if self._timed:
            times.append(self._whole_steps_us(self._timed[0].time))
        return min(times, default=self._time_us + TICK_US)

    def _apply_due_faults(self) -> None:
        expired = [book.expire(self._time_us) for book in self._books]
        for bot, changed in zip(self._bots.values(), expired, strict=False):
            if changed:
                bot.apply_faults()
        while self._timed and self._whole_steps_us(self._timed[0].time) <= self._time_us:
            fault = self._timed.pop(0)
            self.inject_fault(fault.bot, fault.kind, fault.target, fault.value, fault.duration)

    # The truth ------------------------------------------------------------------------------------------------------

    def motion(self, body: str) -> Motion:
        """True motion of any body."""
        return self.bodies.motion(body, self.time)

    def mass_properties(self, bot: str) -> MassProperties:
        return self.bot(bot).mass_properties

    def faults(self, body: str) -> FaultBook:
        """Faults of a bot, or of a body with docking hardware.

        Raises:
            KeyError: there is no such body.
        """
        if body in self._bots:
            return self._bots[body].faults
        if body in self.docking.hardware:
            return self.docking.hardware[body].faults
        raise KeyError(f"bot = {body!r}: allowed: {', '.join(dict.fromkeys((*self._bots, *self.docking.hardware)))}")

    @property
    def docks(self) -> tuple[str, ...]:
        """Names of the bodies with docking hardware, bots first."""
        return tuple(self.docking.hardware)

    def docked(self) -> tuple[Joint, ...]:
        """True joints of the ports, captured or latched."""
        return tuple(self.docking.joints.values())

    def state(self) -> NDArray[np.float64]:
        """The state of everything in one vector, for comparing two runs bit by bit."""
        bots = (bot.state() for bot in self._bots.values())
        parts = [np.array([self._time_us]), self.bodies.state(), *bots, self.docking.state()]
        return np.concatenate(parts)

    # What the sensors report, None while a sensor is lost -----------------------------------------------------------

    def odom(self, bot: str) -> Motion | None:
        self.bot(bot)
        return self._sensors[bot].odom(self.motion(bot), self._time_us)

    def valves(self, bot: str) -> ValveReading | None:
        hardware = self.bot(bot)
        return None if self._sensors[bot].lost("thruster_state") else hardware.valves

    def energy(self, bot: str) -> EnergyReading | None:
        hardware = self.bot(bot)
        return self._sensors[bot].energy(hardware.energy, self._time_us)

    def thermal(self, bot: str) -> ThermalReading | None:
        hardware = self.bot(bot)
        return self._sensors[bot].thermal(hardware.heat, self._time_us)

    def dock(self, body: str) -> DockReading | None:
        """Docking sensors of a bot, or of a body with docking hardware.

        Raises:
            KeyError: the body has none.
        """
        return self.docking.read(body, self._time_us)

    def radar(self, bot: str) -> RadarReading | None:
        """Radar frame of this time; None without power, too."""
        self.bot(bot)
        return self.air.frame(bot, self._time_us)

    def take_receptions(self, bot: str) -> list[Reception]:
        """Radio frames that have arrived since the last call."""
        self.bot(bot)
        return self.air.receptions(bot)

    def battery(self, bot: str) -> StoreReading | None:
        return self._store(bot, "battery", self.bot(bot).battery)

    def supercap(self, bot: str) -> StoreReading | None:
        return self._store(bot, "supercap", self.bot(bot).supercap)

    def _store(self, bot: str, name: str, truth: StoreReading) -> StoreReading | None:
        return self._sensors[bot].store(name, truth, self._time_us)
