"""Docking of a world: touch, capture, latches, loads of joints, power, and readings of the docking sensors."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from qiki_sim.clearance import Room
from qiki_sim.docking.hardware import SLOW_US, DockHardware
from qiki_sim.docking.joint import LATCHED_FREQUENCY, End, Joint
from qiki_sim.docking.mating import Mating, PortPair, catches, is_seated, is_slow
from qiki_sim.docking.power import PowerNetwork
from qiki_sim.docking.readout import Readout
from qiki_sim.faults import FaultBook
from qiki_sim.scenario import TICK_US, ports_of
from qiki_vehicle import Pose
from qiki_vehicle.vectors import cross

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

    from qiki_sim.bodies import RigidBodies
    from qiki_sim.bot import Bot
    from qiki_sim.scenario import DockedEntry, Scenario
    from qiki_vehicle.port_hardware import DockCommand, DockReading

Key = tuple[str, str]
"""Body and port."""

MOST_OCCURRENCES = 10_000
"""Occurrences that are kept until they are taken; beyond, the oldest are dropped."""
_NEAR = 0.01
"""M between two ports, within which every physics step is looked at, whatever their speed."""
_SOON = 0.2
"""M between two ports' rims, from which on the gap of their faces counts: it is the wider one when they face."""
_APART = 0.02
"""M of gap, from which a touch is over."""
_COLLISION_US = 500_000
"""Microseconds without contact, after which a touch is another collision."""


@dataclass
class Touch:
    """Two ports that touch. peak: N, largest contact force. is_slow: the magnets could follow the motion so far."""

    peak: float = 0.0
    is_slow: bool = True


class DockingTwin:
    """Docking hardware of all bodies of a world, and the joints between them."""

    def __init__(self, scenario: Scenario, bodies: RigidBodies, bots: Mapping[str, Bot], seed: int) -> None:
        self._bodies = bodies
        powers = {body.name: body.source_power for body in scenario.file.bodies}
        self.hardware: dict[str, DockHardware] = {}
        for name, ports in ports_of(scenario.file, scenario.hardware).items():
            bot = bots.get(name)
            book = FaultBook() if bot is None else bot.faults
            one = DockHardware(name, tuple(ports.values()), scenario.hardware[name], book, powers.get(name))
            one.bot = bot
            if bot is not None:
                bot.dock = one
            self.hardware[name] = one
        self.power = PowerNetwork(list(self.hardware.values()))
        self._pairs = self._port_pairs()
        self._sites = np.array([[bodies.port_site(*key) for key in pair] for pair in self._pairs], dtype=int)
        self._reach = np.array([pair.own.radius + pair.other.radius for pair in self._pairs.values()])
        self._room, self._now_us = Room(self._smallest_gap), 0
        self._gaps: dict[tuple[Key, Key], float] = {}
        self.joints: dict[frozenset[Key], Joint] = {}
        self._watched: list[tuple[Key, Key]] = []
        self._last: dict[tuple[Key, Key], Mating] = {}
        self.touching: dict[tuple[Key, Key], Touch] = {}
        """Pairs of ports that touch and are not joined."""
        self._colliding: dict[tuple[str, str], int] = {}
        self._found: deque[tuple[str, str, dict[str, Any]]] = deque(maxlen=MOST_OCCURRENCES)
        self._readout = Readout(self.hardware, bodies, self.power, self.joints, self.touching, seed=seed)
        for entry in scenario.file.docked:
            self._begin_docked((entry.body, entry.port), (entry.to, entry.to_port), entry)

    def _port_pairs(self) -> dict[tuple[Key, Key], PortPair]:
        ends = [(name, port) for name, one in self.hardware.items() for port in one.ports.values()]
        pairs = {}
        for index, (name, port) in enumerate(ends):
            for other_name, other in ends[index + 1 :]:
                if other_name != name:
                    pairs[(name, port.name), (other_name, other.name)] = PortPair(port, other)
        return pairs

    def _begin_docked(self, own: Key, to: Key, entry: DockedEntry) -> None:
        pair = (own, to) if (own, to) in self._pairs else (to, own)
        joint = self._join(pair, self._mating(pair, 0))
        actuators = joint.end(own[0]).actuators
        actuators.capture = True
        if entry.powered:
            actuators.ground = actuators.main = True
            actuators.current_limit = joint.end(own[0]).hardware.vehicle.bridge.current_max
        if entry.latched:
            actuators.latch = True
            joint.progress, joint.latched = 1.0, True
            self._bodies.welds.stiffen(joint.slot, LATCHED_FREQUENCY)

    # Commands -------------------------------------------------------------------------------------------------------

    def command(self, body: str, command: DockCommand) -> None:
        """Take a command.

        Raises:
            KeyError: the body has no docking hardware.
            CommandError: it is refused; nothing has changed.
        """
        for port in self.of(body).command(command):
            joint = self.joint((body, port))
            ends = [End(self.of(body), port)] if joint is None else joint.ends
            for end in ends:
                end.actuators.release()
            if joint is not None:
                self._part(joint, "released")

    def of(self, body: str) -> DockHardware:
        """Docking hardware of a body.

        Raises:
            KeyError: it has none.
        """
        if body not in self.hardware:
            raise KeyError(f"body = {body!r}: allowed: {', '.join(self.hardware) or 'none has docking hardware'}")
        return self.hardware[body]

    def joint(self, key: Key) -> Joint | None:
        """The joint of a port."""
        return next((joint for keys, joint in self.joints.items() if key in keys), None)

    # Time -----------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Take the first readings, once all bodies are in place."""
        self._readout.remember(0)

    def begin_step(self, now_us: int, until_us: int) -> None:
        """Run latch drives and power up to `until_us`."""
        seconds = (until_us - now_us) * 1e-6
        for joint in list(self.joints.values()):
            if not joint.held:
                self._part(joint, "released")
            elif joint.drive(seconds):
                self._bodies.twist(joint.first.hardware.name, np.zeros(3))
                frequency = joint.first.hardware.vehicle.port_hardware.magnets.frequency
                self._bodies.welds.stiffen(joint.slot, LATCHED_FREQUENCY if joint.latched else frequency)
                self._report("latched" if joint.latched else "unlatched", joint, peak_force_n=joint.peak)
        self.power.step(self.joints.values(), seconds, until_us)
        for joint, current in self.power.broken:
            self._hot_break(joint, current)
        if until_us % SLOW_US == 0:
            for body in self.hardware.values():
                body.slow_step()

    def is_close(self, now_us: int, seconds: float) -> bool:
        """True if ports may touch, or magnets pull, within that time: then every physics step counts."""
        self._watched = [*self.touching, *(pair for pair in self._near(now_us, seconds) if pair not in self.touching)]
        pulling = (joint for joint in self.joints.values() if not joint.latched)
        return bool(self._watched) or any(
            not is_seated(joint.mating, joint.first.hardware.vehicle.port_hardware) for joint in pulling
        )

    def _near(self, now_us: int, seconds: float) -> list[tuple[Key, Key]]:
        """Pairs of free ports that may touch within that time."""
        self._now_us, path = now_us, self._bodies.path(seconds)
        if self._room.holds(path):
            return []
        return [pair for pair, gap in self._gaps.items() if gap < path]

    def _smallest_gap(self) -> float:
        """M that free ports have at least until they are near; of those that soon may be, the gap each."""
        places = self._bodies.site_places(self._sites).reshape(-1, 2, 3)
        apart = np.linalg.norm(places[:, 0] - places[:, 1], axis=1) - self._reach
        taken = {key for keys in self.joints for key in keys}
        self._gaps = {}
        for pair, distance in zip(self._pairs, apart.tolist(), strict=True):
            if taken.isdisjoint(pair):
                nearer = self._mating(pair, self._now_us).gap if distance < _SOON else distance
                self._gaps[pair] = max(distance, nearer) - _NEAR
        return min(self._gaps.values(), default=math.inf)

    def end_step(self, now_us: int) -> None:
        """Look at the ports that may touch and at the loads of the joints, after a step."""
        for joint in list(self.joints.values()):
            self._load(joint, now_us)
        for pair in self._watched:
            self._touch(pair, now_us)
        self._last = {pair: mating for pair, mating in self._last.items() if pair in self._watched}
        self._collide(now_us)
        if now_us % TICK_US == 0:
            self._readout.remember(now_us)

    def _load(self, joint: Joint, now_us: int) -> None:
        force = self._bodies.welds.force(joint.slot)
        joint.load = float(np.linalg.norm(force))
        joint.peak = max(joint.peak, joint.load)
        if not joint.latched:
            joint.mating = self._mating((joint.first.key, joint.second.key), now_us)
            self._balance(joint, force)
        load = joint.load + joint.pull
        if load > joint.strength:
            self._part(joint, "latch_broken" if joint.latched else "capture_lost", force_n=load)

    def _balance(self, joint: Joint, force: Floats) -> None:
        """Keep angular momentum while the magnets pull: the weld's force acts at the face of each body, and these lie
        apart then. The torque of that pair of forces is taken back in the next step, and half of the backlog with it.
        """
        poses = self._bodies.poses(end.hardware.name for end in joint.ends)
        places = [poses[end.hardware.name].point(end.hardware.ports[end.port].position) for end in joint.ends]
        torque = cross(places[1] - places[0], force)
        joint.backlog = joint.backlog + torque - joint.balance
        joint.balance = torque + 0.5 * joint.backlog
        self._bodies.twist(joint.first.hardware.name, joint.balance)

    def _touch(self, pair: tuple[Key, Key], now_us: int) -> None:
        if any(key in keys for keys in self.joints for key in pair):
            return
        mating, ports = self._mating(pair, now_us), self._pairs[pair]
        before = self._last.get(pair, mating)
        self._last[pair] = mating
        ends = self._ends(pair)
        hardware = ends[0].hardware.vehicle.port_hardware
        touch = self.touching.get(pair)
        if touch is None:
            if not ports.touches(mating, hardware.contact_travel):
                return
            touch = self.touching[pair] = Touch()
            # Before the collars have pushed: the step before, if they are inside of each other already.
            self._emit("port_contact", ends, **_quantities(mating if mating.gap >= 0.0 else before))
        elif mating.gap > _APART:
            del self.touching[pair]
            self._emit("port_contact_ended", ends, peak_force_n=touch.peak)
            return
        touch.peak = max(touch.peak, self._bodies.contacts.force(*pair))
        touch.is_slow &= is_slow(mating, hardware)
        if touch.is_slow and any(end.actuators.capture for end in ends) and catches(mating, hardware):
            joint = self._join(pair, mating)
            joint.peak = self.touching.pop(pair).peak
            self._report("captured", joint)

    def _hot_break(self, joint: Joint, current: float) -> None:
        volts = self.power.volts_of(joint.first.hardware.name)
        self._report("hot_break", joint, current_a=abs(current), volts_v=volts)

    def _mating(self, pair: tuple[Key, Key], now_us: int) -> Mating:
        return self._pairs[pair].mating(*(self._bodies.motion(name, now_us * 1e-6) for name, _ in pair))

    def _ends(self, pair: tuple[Key, Key]) -> tuple[End, End]:
        (first, port), (second, other) = pair
        return End(self.hardware[first], port), End(self.hardware[second], other)

    def _join(self, pair: tuple[Key, Key], mating: Mating) -> Joint:
        ports, ends = self._pairs[pair], self._ends(pair)
        frequency = ends[0].hardware.vehicle.port_hardware.magnets.frequency
        first, second = (self._bodies.names.index(name) for name, _ in pair)
        slot = self._bodies.join(first, second, ports.pose, np.array(ports.own.position), frequency)
        joint = Joint(*ends, ports, slot, mating)
        self.joints[frozenset(pair)] = joint
        self._room.forget()
        return joint

    def _part(self, joint: Joint, kind: str, **payload: float) -> None:
        current = self.power.current(joint)
        self._report(kind, joint, **payload)
        if abs(current) > joint.first.hardware.vehicle.docking.undock.current_max:
            self._hot_break(joint, current)
        self._bodies.part(joint.slot)
        self._bodies.twist(joint.first.hardware.name, np.zeros(3))
        pair = joint.first.key, joint.second.key
        del self.joints[frozenset(pair)]
        self._room.forget()
        if joint.latched or joint.pair.touches(joint.mating, joint.first.hardware.vehicle.port_hardware.contact_travel):
            # Plates that were torn off are not caught again before they have come apart.
            self.touching[pair] = Touch(is_slow=kind in ("released", "unlatched"))

    def _collide(self, now_us: int) -> None:
        """Contacts of bodies outside of their port collars."""
        joined = {(joint.first.key, joint.second.key) for joint in self.joints.values()}
        for pair in self._bodies.contacts.touching_outside(joined | set(self.touching)):
            if pair not in self._colliding:
                a, b = (self._bodies.motion(name, now_us * 1e-6) for name in pair)
                apart = Pose(a.position, a.orientation).vector(a.velocity) - Pose(b.position, b.orientation).vector(
                    b.velocity
                )
                payload = {"bot": pair[0], "other": pair[1], "speed_mps": float(np.linalg.norm(apart))}
                self._found.append((pair[0], "collision", payload))
            self._colliding[pair] = now_us
        self._colliding = {pair: at for pair, at in self._colliding.items() if now_us - at < _COLLISION_US}

    # Readings -------------------------------------------------------------------------------------------------------

    def read(self, body: str, now_us: int) -> DockReading | None:
        """Docking sensors of a body now; None while they give nothing.

        Raises:
            KeyError: it has none.
        """
        self.of(body)
        return self._readout.read(body, now_us)

    def state(self) -> NDArray[np.float64]:
        """State of everything in one vector, for comparison."""
        joints = [(joint.slot, joint.progress, joint.latched, joint.load) for joint in self.joints.values()]
        bodies = [(one.power, one.heat, one.draw, one.temperature) for one in self.hardware.values()]
        return np.concatenate([np.ravel(joints), np.ravel(bodies), self.power.volts])

    def take_occurrences(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Body, kind and payload of all that has happened since the last time."""
        found = list(self._found)
        self._found.clear()
        return found

    def _report(self, kind: str, joint: Joint, **payload: float) -> None:
        self._emit(kind, joint.ends, **payload)

    def _emit(self, kind: str, ends: tuple[End, End], **payload: float) -> None:
        (bot, port), (partner, partner_port) = (end.key for end in ends)
        where = {"bot": bot, "port": port, "partner": partner, "partner_port": partner_port}
        self._found.append((bot, kind, {**where, **payload}))


def _quantities(mating: Mating) -> dict[str, float]:
    return {
        "closing_mps": mating.closing,
        "lateral_rate_mps": mating.lateral_rate,
        "tilt_rate_radps": mating.tilt_rate,
        "roll_rate_radps": mating.roll_rate,
        "lateral_offset_m": mating.lateral_offset,
        "tilt_rad": mating.tilt,
        "roll_rad": mating.roll,
    }
