"""Steering of docking carried out by a flight core, and given back afterwards."""

from collections.abc import Callable

import numpy as np

from qiki_allocator.checks import RefusalError
from qiki_allocator.flight.controller import Controller
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_allocator.health.table import Condition
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_docking.pilot import Steering
from qiki_loop.link import Link
from qiki_vehicle.port_hardware import Floats

_TURNED = 0.003  # rad, by which the held target differs from the wanted one before it is set again
_RATE = 1e-4  # rad/s, the same of its rate
_USABLE = (Condition.OK, Condition.WEAK)


class Helm:
    """Commands of steering to the flight core of one bot.

    Attitude mode and modulator of the operator are given back at the end: after HOLD the attitude of that moment.

    Attributes:
        refusals: texts of commands that the flight core refused.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._before: tuple[AttitudeMode, str] | None = None
        self._held: tuple[float, Steering] | None = None
        self._pushing = self._bounding = False
        self.refusals: list[str] = []

    def steer(self, steering: Steering | None, *, touching: bool = False) -> None:
        """Carry out the steering of a cycle; None: the bot belongs to its operator. touching: see `Output`."""
        drive = self._link.controller.drive
        n, modulator = len(drive.array), drive.modulators.kind
        if steering is None:
            self._end(n, touching)
            return
        controller = self._link.controller
        if self._before is None:
            self._before = (controller.motion.mode, modulator)
        self._bound(steering, n, touching or steering.touching)
        wanted = steering.modulator or self._before[1]
        if wanted != modulator:
            self._act(lambda core, now: core.set_modulator(now, wanted))
        self._hold(steering)
        self._push(steering.force)

    def _push(self, force: Floats | None) -> None:
        if force is None and not self._pushing:
            return
        self._pushing = force is not None
        wrench = np.zeros(6)
        if force is not None:
            wrench[:3] = force
        self._act(lambda core, now: core.command(now, wrench))

    def _bound(self, steering: Steering, n: int, touching: bool) -> None:
        bounds, wanted = steering.bounds, steering.bounds is not None or touching
        if not (wanted or self._bounding):
            return
        self._bounding = wanted
        limits = np.ones(n) if bounds is None else bounds
        reason = steering.bounds_reason
        self._act(lambda core, now: core.inhibit(now, now, limits, reason, touching=touching))

    def _hold(self, steering: Steering) -> None:
        if steering.attitude is None:
            if self._held is not None or self._link.controller.motion.mode is not AttitudeMode.OFF:
                self._act(lambda core, now: core.set_attitude(now, AttitudeMode.OFF))
            self._held = None
        elif self._held is None or not self._follows(steering):
            self._held = (self._link.now, steering)
            self._act(
                lambda core, now: core.set_attitude(now, AttitudeMode.HOLD, steering.attitude, steering.rate),
            )

    def _follows(self, steering: Steering) -> bool:
        """The target that the flight core turns by itself is still the wanted one."""
        assert self._held is not None
        since, held = self._held
        assert held.attitude is not None
        assert steering.attitude is not None
        angle = 2.0 * float(np.arccos(min(abs(float(steering.attitude @ held.attitude)), 1.0)))
        turned = float(np.linalg.norm(held.rate)) * max(self._link.now - since, 0.0)
        return abs(angle - turned) < _TURNED and float(np.abs(steering.rate - held.rate).max()) < _RATE

    def _end(self, n: int, touching: bool) -> None:
        self._push(None)
        self._bound(Steering(), n, touching)
        if self._before is not None:
            mode, modulator = self._before
            self._act(lambda core, now: core.set_modulator(now, modulator))
            self._act(lambda core, now: core.set_attitude(now, mode))
        self._before = self._held = None

    def _act(self, order: Callable[[Controller, float], ValveCommand | None]) -> None:
        try:
            self._link.act(order)
        except RefusalError as error:
            self.refusals.append(str(error))


def authority(controller: Controller) -> Floats:
    """Thrust that each thruster can give now by health, (n,) 0..1."""
    return np.array([one.level if one.condition in _USABLE else 0.0 for one in controller.drive.health])
