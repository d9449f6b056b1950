"""A joint of two ports: captured by magnets, then held by latches, until it parts or breaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from qiki_sim.docking.mating import is_seated
from qiki_sim.faults import LATCH_JAM, UMBILICAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qiki_sim.docking.hardware import Actuators, DockHardware
    from qiki_sim.docking.mating import Mating, PortPair

    Floats = NDArray[np.float64]

LATCHED_FREQUENCY = 50.0
"""rad/s, of a latched joint: stiff against all that a body does, and slow against the longest step of RK4, 10 ms."""


@dataclass(frozen=True)
class End:
    """A port of a body."""

    hardware: DockHardware
    port: str

    @property
    def key(self) -> tuple[str, str]:
        """Body and port."""
        return self.hardware.name, self.port

    @property
    def actuators(self) -> Actuators:
        return self.hardware.actuators[self.port]

    def fault(self, kind: str) -> float | None:
        """Value of a fault of this port; None: there is none."""
        return self.hardware.faults.port(kind, self.port)


@dataclass(eq=False)
class Joint:
    """Two ports that hold each other.

    Attributes:
        first, second: both ends; the mechanism of the first counts.
        slot: of the weld.
        mating: motion between the faces at the last look.
        progress: of the latches, 0 open to 1 locked.
        latched: they hold: from locked until they are open again.
        load: N, of the joint at the last look, without the pull test.
        peak: N, the largest load since capture.
        balance, backlog: (3,) N m in world: torque that keeps angular momentum, and what is still missing of it.
    """

    first: End
    second: End
    pair: PortPair
    slot: int
    mating: Mating
    progress: float = 0.0
    latched: bool = False
    load: float = 0.0
    peak: float = 0.0
    balance: Floats = field(default_factory=lambda: np.zeros(3))
    backlog: Floats = field(default_factory=lambda: np.zeros(3))

    @property
    def ends(self) -> tuple[End, End]:
        return self.first, self.second

    def end(self, body: str) -> End:
        """That of a body."""
        return self.first if self.first.hardware.name == body else self.second

    def other(self, body: str) -> End:
        """That of the other body."""
        return self.second if self.first.hardware.name == body else self.first

    @property
    def held(self) -> bool:
        """By magnets or by latches."""
        return self.latched or any(end.actuators.capture for end in self.ends)

    @property
    def mated(self) -> bool:
        """The umbilical is mated: the faces are locked together, and no plug is out of line."""
        return self.latched and all(end.fault(UMBILICAL) is None for end in self.ends)

    @property
    def pull(self) -> float:
        """N, of the pull test."""
        return max(end.actuators.pull for end in self.ends)

    @property
    def slip(self) -> float:
        """M of movement of the joint under the pull test."""
        hardware = self.first.hardware.vehicle.port_hardware
        magnets = hardware.magnets
        stiffness = hardware.latches.stiffness if self.latched else magnets.hold_force / magnets.lateral_max
        return self.pull / stiffness

    @property
    def strength(self) -> float:
        """N, beyond which it comes apart."""
        hardware = self.first.hardware.vehicle.port_hardware
        return hardware.latches.force_max if self.latched else hardware.magnets.hold_force

    def drive(self, seconds: float) -> bool:
        """Run the latch drive for a time; True if the latches locked or opened."""
        lock = any(end.actuators.latch for end in self.ends)
        jammed = any(end.fault(LATCH_JAM) is not None for end in self.ends)
        hardware = self.first.hardware.vehicle.port_hardware
        if jammed or (lock and self.progress == 0.0 and not is_seated(self.mating, hardware)):
            return False
        step = seconds / hardware.latches.drive_time
        # To the end within rounding of the many steps.
        self.progress = min(self.progress + step, 1.0) if lock else max(self.progress - step, 0.0)
        before = self.latched
        if self.progress > 1.0 - 1e-9:
            self.latched = True
        elif self.progress < 1e-9:
            self.latched = False
        return before != self.latched
