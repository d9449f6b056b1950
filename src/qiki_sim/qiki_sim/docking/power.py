"""The power network of docked bodies: switchgear, pre-charge, converters, overload, heat.

Each body with docking hardware is a node with the capacitance of its bridge. Closed main contacts make lines; nodes
that lines join settle at once (R C is 0.5 ms), a pre-charge resistor charges exactly exponentially. A source keeps its
volts up to its power; beyond it they fall as the capacitors give what is missing, until the fed converters switch off
at low volts, to come back after a while.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qiki_sim.docking.network import solve
from qiki_sim.docking.switchgear import is_closed, is_reversed, resistance, switch_ends
from qiki_sim.faults import RESISTANCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qiki_sim.docking.hardware import DockHardware
    from qiki_sim.docking.joint import Joint

_LIMITER_PASSES = 30
_OVER = 1.0 + 1e-9
_EMPTY = 1e-6  # V


@dataclass
class _Line:
    """`limit`: A, of the electronic limiters in it."""

    joint: Joint
    first: int
    second: int
    resistance: float
    limit: float
    current: float = 0.0  # from first to second


class PowerNetwork:
    """Volts of all bodies and currents of all joints."""

    def __init__(self, bodies: Sequence[DockHardware]) -> None:
        self._bodies = tuple(bodies)
        self._index = {body.name: index for index, body in enumerate(self._bodies)}
        self.volts = [0.0] * len(self._bodies)
        """V of each body's bridge, in the order of the bodies."""
        self._output = [0.0] * len(self._bodies)  # V that each converter gives, under overload less than nominal
        self._ramp = [0.0] * len(self._bodies)  # W that each converter may take, rising in its soft start
        self._off_us = [0] * len(self._bodies)  # until then a converter stays off after low volts
        self._currents: dict[Joint, float] = {}
        self.broken: list[tuple[Joint, float]] = []
        """Joints whose contacts opened in the last step, and the A that flowed."""

    def volts_of(self, body: str) -> float:
        return self.volts[self._index[body]]

    def current(self, joint: Joint) -> float:
        """A from the first to the second end."""
        return self._currents.get(joint, 0.0)

    def step(self, joints: Iterable[Joint], seconds: float, now_us: int) -> None:
        """Pass time. Sets power and heat of the bodies, and the joints whose contacts opened under current."""
        before, self._currents = self._currents, {}
        joints = list(joints)
        if not joints and not before and all(self._rests(index, now_us) for index in range(len(self._bodies))):
            self.broken = []
            return
        self.broken = [
            (joint, current)
            for joint, current in before.items()
            if abs(current) > joint.first.hardware.vehicle.docking.undock.current_max
            and joint in joints
            and not (joint.mated and is_closed(joint, "ground") and switch_ends(joint))
            and not is_closed(joint, "precharge")
        ]
        joints = [joint for joint in joints if joint.mated and is_closed(joint, "ground")]
        lines = [self._line(joint) for joint in joints if switch_ends(joint)]
        for index, body in enumerate(self._bodies):
            body.power = 0.0
            self._soft_start(index, seconds, now_us)
        self._convert(now_us)
        for island in self._islands(lines):
            inside = [line for line in lines if line.first in island]
            charging = any(
                is_closed(joint, "precharge") and {self._index[end.hardware.name] for end in joint.ends} & island
                for joint in joints
            )
            self._settle(sorted(island), inside, charging, seconds, now_us)
        for joint in joints:
            if is_closed(joint, "precharge") and not switch_ends(joint) and not is_reversed(joint):
                self._charge(joint, lines, seconds)
        for joint, current in self._currents.items():
            self._heat(joint, current, seconds)

    def _rests(self, node: int, now_us: int) -> bool:
        """Nothing flows and nothing changes at a body that is joined to none."""
        body = self._bodies[node]
        nominal = body.vehicle.avionics.voltage_nominal if self._feeds(node, now_us) else 0.0
        return self.volts[node] == self._output[node] == nominal and body.power == self._ramp[node] == 0.0

    def _line(self, joint: Joint) -> _Line:
        first, second = (self._index[end.hardware.name] for end in joint.ends)
        limit = min(end.actuators.current_limit for end in switch_ends(joint))
        return _Line(joint, first, second, resistance(joint), limit)

    def _convert(self, now_us: int) -> None:
        """Converters that begin or end to feed."""
        for index, body in enumerate(self._bodies):
            if not self._feeds(index, now_us):
                self._output[index] = 0.0
            elif self._output[index] <= 0.0:
                self._output[index] = body.vehicle.avionics.voltage_nominal

    def _feeds(self, index: int, now_us: int) -> bool:
        body = self._bodies[index]
        return body.source and body.source_power > 0.0 and body.converter_on and self._off_us[index] <= now_us

    def _islands(self, lines: list[_Line]) -> list[set[int]]:
        islands = [{index} for index in range(len(self._bodies))]
        for line in lines:
            first = next(island for island in islands if line.first in island)
            if line.second not in first:
                second = next(island for island in islands if line.second in island)
                islands.remove(second)
                first |= second
        return islands

    def _capacitance(self, nodes: Iterable[int]) -> float:
        return sum(self._bodies[node].vehicle.bridge.capacitance for node in nodes)

    def _settle(self, nodes: list[int], lines: list[_Line], charging: bool, seconds: float, now_us: int) -> None:
        if any(is_reversed(line.joint) for line in lines):
            self._short(nodes, lines, now_us)
            return
        sources = [node for node in nodes if self._output[node] > 0.0]
        if not sources:
            self._run_down(nodes, charging, seconds)
            return
        draws = {node: self._draw(node) for node in nodes}
        while True:
            found = self._flow(nodes, lines, sources, draws)
            if found is None:
                # The lines collapse in less than a step, and the converters behind them switch off.
                for node in nodes:
                    if draws[node] > 0.0:
                        self._switch_off(node, now_us)
                draws = dict.fromkeys(nodes, 0.0)
                continue
            backward = [node for node in sources if found[node] < -1e-9]
            if not backward or len(backward) == len(sources):
                break
            # A converter takes no current back: the others feed its node.
            sources = [node for node in sources if node not in backward]
        for node in nodes:
            body, volts = self._bodies[node], self.volts[node]
            if node in sources:
                body.power = -volts * found[node]
                self._regulate(node, found[node], nodes, seconds, now_us)
            elif draws[node] > 0.0:
                body.power = draws[node]
                if volts < body.vehicle.avionics.voltage_min:
                    self._switch_off(node, now_us)

    def _draw(self, node: int) -> float:
        return min(self._bodies[node].wanted_power, self._ramp[node])

    def _soft_start(self, node: int, seconds: float, now_us: int) -> None:
        """A converter with volts may take more and more, up to its limit."""
        avionics = self._bodies[node].vehicle.avionics
        if self._off_us[node] > now_us or self.volts[node] < avionics.voltage_min or self._bodies[node].source:
            self._ramp[node] = 0.0
            return
        most, time = avionics.dock.power_max, avionics.dock.soft_start
        self._ramp[node] = min(self._ramp[node] + most * seconds / time, most) if time > 0.0 else most

    def _switch_off(self, node: int, now_us: int) -> None:
        self._off_us[node] = now_us + round(self._bodies[node].vehicle.port_hardware.converter_restart * 1e6)

    def _flow(
        self, nodes: list[int], lines: list[_Line], sources: list[int], draws: dict[int, float]
    ) -> dict[int, float] | None:
        """Solve, with the draws behind a limiter cut until its limit holds: sets volts, currents and draws.

        Returns: A that each source gives; None: the lines cannot carry the draws.
        """
        place = {node: index for index, node in enumerate(nodes)}
        fixed = tuple(self._output[node] if node in sources else None for node in nodes)
        lines = self._conducting(lines, sources)
        bypassed = [line for line in self._bypassed(lines, sources) if line.limit > 0.0]
        limited = [line for line in lines if line.limit > 0.0 and line not in bypassed]
        ohms = {line.joint: line.resistance for line in lines}
        for line in lines:
            if line.limit <= 0.0:
                draws.update(dict.fromkeys(self._behind(line, lines, sources, None), 0.0))
        wanted, shares = dict(draws), dict.fromkeys((line.joint for line in lines), 1.0)
        volts: tuple[float, ...] | None = None
        for _ in range(_LIMITER_PASSES):
            edges = tuple((place[line.first], place[line.second], ohms[line.joint]) for line in lines)
            volts = solve(fixed, edges, tuple(draws[node] for node in nodes))
            if volts is None:
                return None
            for line, (first, second, series) in zip(lines, edges, strict=True):
                line.current = (volts[first] - volts[second]) / series
            over = [line for line in bypassed if abs(line.current) > line.limit * _OVER]
            for line in over:
                # A limiter beside another way lets the rest go there: it is a resistance that takes up the volts.
                ohms[line.joint] *= abs(line.current) / line.limit
            cut = [line for line in limited if _is_cut(line, shares[line.joint])]
            if not cut and not over:
                break
            draws.update(wanted)
            for line in cut:
                shares[line.joint] = min(shares[line.joint] * line.limit / abs(line.current), 1.0)
            for line in lines:
                if shares[line.joint] < 1.0:
                    for node in self._behind(line, lines, sources, line.current):
                        draws[node] *= shares[line.joint]
        assert volts is not None
        self.volts = [volts[place[node]] if node in place else kept for node, kept in enumerate(self.volts)]
        self._currents.update({line.joint: line.current for line in lines})
        return {
            node: sum(line.current * ((line.first == node) - (line.second == node)) for line in lines)
            for node in sources
        }

    def _conducting(self, lines: list[_Line], sources: list[int]) -> list[_Line]:
        """Lines without those whose limiter passes nothing, where the current has another way."""
        kept = list(lines)
        for line in lines:
            if line.limit <= 0.0 and line in self._bypassed(kept, sources):
                kept = [one for one in kept if one is not line]
        return kept

    @staticmethod
    def _bypassed(lines: list[_Line], sources: list[int]) -> list[_Line]:
        """Lines without which both ends are still fed: another edge takes over from one of them."""
        fed = set(sources)
        if len(fed) == 1 and len(lines) == len(_ends(lines)) - 1:
            return []
        return [
            line
            for line in lines
            if _reached(line.first, line, lines) & fed and _reached(line.second, line, lines) & fed
        ]

    @staticmethod
    def _behind(line: _Line, lines: list[_Line], sources: list[int], current: float | None) -> set[int]:
        """Nodes that are fed through a line; current None: no current flows yet."""
        start = line.second
        if current is not None and current < 0.0:
            start = line.first
        reached = _reached(start, line, lines)
        if current is None and reached & set(sources):
            reached = _reached(line.first, line, lines)
        return reached if not reached & set(sources) else {start} - set(sources)

    def _regulate(self, node: int, current: float, nodes: list[int], seconds: float, now_us: int) -> None:
        """Volts of a source: nominal up to its limits, falling beyond them and recovering below."""
        body = self._bodies[node]
        nominal = body.vehicle.avionics.voltage_nominal
        most = min(body.source_power / nominal, body.source_current)
        if current <= most * _OVER and self._output[node] >= nominal:
            return
        volts = self._output[node] + seconds * (most - current) / self._capacitance(nodes)
        self._output[node] = min(max(volts, 0.0), nominal)
        if self._output[node] <= 0.0:
            self._switch_off(node, now_us)

    def _run_down(self, nodes: list[int], charging: bool, seconds: float) -> None:
        """No source: the capacitors share their charge, and the bleed resistors take it away."""
        total = self._capacitance(nodes)
        volts = sum(self._bodies[node].vehicle.bridge.capacitance * self.volts[node] for node in nodes) / total
        if not charging:
            conductance = sum(1.0 / self._bodies[node].vehicle.port_hardware.bleed_resistance for node in nodes)
            volts *= math.exp(-seconds * conductance / total)
        for node in nodes:
            self.volts[node] = volts if volts > _EMPTY else 0.0

    def _short(self, nodes: list[int], lines: list[_Line], now_us: int) -> None:
        """Reversed polarity across closed contacts: every capacitor is discharged, every source switches off."""
        for line in lines:
            if is_reversed(line.joint):
                self._currents[line.joint] = (self.volts[line.first] + self.volts[line.second]) / line.resistance
        for node in nodes:
            self.volts[node] = 0.0
            if self._output[node] > 0.0:
                self._output[node] = 0.0
                self._switch_off(node, now_us)

    def _charge(self, joint: Joint, lines: list[_Line], seconds: float) -> None:
        """Exact exponential of one pre-charge resistor between two islands of capacitors."""
        ends = [self._index[end.hardware.name] for end in joint.ends]
        islands = [next(island for island in self._islands(lines) if end in island) for end in ends]
        if islands[0] is islands[1] or islands[0] == islands[1]:
            return
        driven = [any(self._output[node] > 0.0 for node in island) for island in islands]
        inverse = [0.0 if fed else 1.0 / self._capacitance(island) for fed, island in zip(driven, islands, strict=True)]
        ohms = joint.first.hardware.vehicle.bridge.precharge_resistance
        ohms += resistance(joint) - joint.first.hardware.vehicle.bridge.resistance
        apart = self.volts[ends[0]] - self.volts[ends[1]]
        charge = 0.0
        if sum(inverse) > 0.0:
            charge = -apart * math.expm1(-seconds * sum(inverse) / ohms) / sum(inverse)
        else:
            charge = apart * seconds / ohms
        for island, share, sign in zip(islands, inverse, (-1.0, 1.0), strict=True):
            for node in island:
                self.volts[node] += sign * charge * share
        self._currents[joint] = (self.volts[ends[0]] - self.volts[ends[1]]) / ohms
        for node, sign in zip(ends, (1.0, -1.0), strict=True):
            if self._output[node] > 0.0:
                self._bodies[node].power -= sign * self.volts[node] * charge / seconds

    def _heat(self, joint: Joint, current: float, seconds: float) -> None:
        """I^2 R: of the line to both ends, of a bad contact to its own."""
        line = joint.first.hardware.vehicle.bridge.resistance
        for end in joint.ends:
            end.hardware.heat += current**2 * (0.5 * line + (end.fault(RESISTANCE) or 0.0)) * seconds


def _ends(lines: Iterable[_Line]) -> set[int]:
    return {node for line in lines for node in (line.first, line.second)}


def _is_cut(line: _Line, share: float) -> bool:
    """Its limiter has to change what passes: too much, or too little for one that has cut already."""
    current = abs(line.current)
    return current > line.limit * _OVER or (share < 1.0 and 0.0 < current < line.limit / _OVER)


def _reached(start: int, without: _Line, lines: list[_Line]) -> set[int]:
    seen, queue = {start}, [start]
    while queue:
        here = queue.pop()
        for line in lines:
            if line is not without and here in (line.first, line.second):
                far = line.second if here == line.first else line.first
                if far not in seen:
                    seen.add(far)
                    queue.append(far)
    return seen
